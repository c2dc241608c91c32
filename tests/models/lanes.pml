/* SPDX-License-Identifier: Apache-2.0 */

/*
 * lanes.pml: the map of active lanes; (E) of lib/thread/inbox.h for Spin.
 *
 * One producer, two consumers. A lane that holds a task must be in the map when
 * nothing moves any more, or nobody would ever look at it. Memory as in
 * executor.pml.
 *
 *   -DNO_ACTIVE   a consumer that has cleared a lane looks only whether it is
 *                 empty, not whether its producer has made it active again
 *   -DNO_LOOK     ... nor whether it is empty
 *   -DNO_HEAVY    its fence is as light as the producer's
 */

#define TASKS 3

byte put, taken;     /* `put` is in memory; stores of it may be late */
byte late_put;       /* what the producer has stored */
bit late_active, has_late_active;
bit marked;          /* the lane is active */
bit bit_;            /* in the map */
bit lock;
byte over;           /* consumers that are through */

/* The producer's stores: `put` first, then, if any, `marked`. */
inline drain()
{
	put = late_put;
	if
	:: has_late_active -> marked = late_active; has_late_active = 0
	:: else
	fi
}

proctype producer()
{
	byte n;

	do
	:: n < TASKS ->
		n++;
		late_put = n;
		/* light fence */
		if
		:: marked || (has_late_active && late_active) -> skip
		:: else ->
			late_active = 1;
			has_late_active = 1;
			atomic { drain(); bit_ = 1 } /* a full fence */
		fi
	:: else -> break
	od;
	atomic { drain() }
}

proctype memory()
{
end:
	do
	:: atomic { put < late_put -> put++ }
	:: atomic { put == late_put && has_late_active ->
			marked = late_active; has_late_active = 0 }
	od
}

inline take()
{
	if
	:: bit_ -> /* the map was read, and is old by now */
		if
		:: atomic { !lock -> lock = 1 };
			taken = put;
			lock = 0
		:: true
		fi
	:: else
	fi
}

proctype consumer()
{
	bit cleared;
	byte round;

	do
	:: round < 2 ->
		round++;
		take();
		/* brood__inbox_tidy() */
		cleared = 0;
		if
		:: bit_ ->
			if
			:: taken == put ->
				marked = 0;
				bit_ = 0;
				cleared = 1
			:: else
			fi
		:: else
		fi;
#ifndef NO_HEAVY
		atomic { drain() };
#endif
#ifndef NO_LOOK
		if
		:: cleared && taken != put -> marked = 1; bit_ = 1
		:: else
		fi;
#endif
#ifndef NO_ACTIVE
		if
		:: cleared && marked -> bit_ = 1
		:: else
		fi
#endif
	:: else -> break
	od;
	over++
}

active proctype end_of_all()
{
	timeout;
	assert(over == 2);
	assert(taken == put || bit_);
	/* The next task would be seen, too. */
	assert(bit_ || !marked)
}

init {
	atomic {
		run memory();
		run producer();
		run consumer();
		run consumer()
	}
}
