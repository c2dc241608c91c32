/* SPDX-License-Identifier: Apache-2.0 */

/*
 * block.pml: a task says that it blocks while the searcher leaves its search;
 * brood__executor_has_hands() against brood__worker_found(), for Spin.
 *
 * Two workers, as many as may be awake. Either the one that leaves sees that there
 * is room for another, or the one that blocks sees that nobody searches: a task
 * that is submitted at any time then finds `need`, or is found, or somebody was
 * woken. Memory as in executor.pml.
 *
 *   -DNO_AGAIN   who blocks looks only once who searches
 *   -DNO_FENCE   ... or looks again without a fence before that
 *   -DNO_LOOK    ... or does not look what is queued
 */

#define MAX       2
#define LEAVES    0
#define BLOCKS    1
#define SUBMITS   2

#define NEED      0
#define SEARCHING 1
#define PUT       2

byte mem[3];
chan sb[3] = [3] of { byte, byte };
byte awake = MAX; /* changed by atomic operations that are full fences */
bool both;        /* each side pays for its own fences */
bool came;        /* somebody was woken for it */
byte done;

inline store(word, value)
{
	sb[me]!word,value
}

inline drain(who)
{
	do
	:: nempty(sb[who]) -> sb[who]?w,v; mem[w] = v
	:: empty(sb[who]) -> break
	od
}

inline heavy()
{
	d_step {
		drain(me);
		if
		:: both
		:: else -> drain(LEAVES); drain(BLOCKS); drain(SUBMITS)
		fi;
		w = 0; v = 0
	}
}

inline light()
{
	d_step {
		if
		:: both -> drain(me)
		:: else
		fi;
		w = 0; v = 0
	}
}

proctype leaves()
{
	byte me = LEAVES, w, v;

	store(SEARCHING, 0);
	light();
	if
	:: awake < MAX ->
		store(NEED, 1);
		heavy();
		if
		:: mem[PUT] -> came = true
		:: else
		fi
	:: else
	fi;
	done++
}

/* The first one's own store is its own to see. */
inline set_need()
{
	if
	:: !mem[SEARCHING] -> store(NEED, 1)
	:: else
	fi
}

proctype blocks()
{
	byte me = BLOCKS, w, v;

	atomic { awake--; drain(me) };
	set_need();
#ifndef NO_FENCE
	heavy();
#endif
#ifndef NO_AGAIN
	set_need();
	heavy();
#endif
#ifndef NO_LOOK
	if
	:: mem[PUT] && !mem[SEARCHING] -> came = true /* else wake() wakes nobody */
	:: else
	fi;
#endif
	done++
}

proctype submits()
{
	byte me = SUBMITS, w, v;

	store(PUT, 1);
	light();
	if
	:: mem[NEED] -> came = true
	:: else
	fi;
	done++
}

/* Stores reach memory at some time. */
active proctype memory()
{
	byte w, v;

end:
	do
	:: atomic { sb[LEAVES]?w,v -> mem[w] = v; w = 0; v = 0 }
	:: atomic { sb[BLOCKS]?w,v -> mem[w] = v; w = 0; v = 0 }
	:: atomic { sb[SUBMITS]?w,v -> mem[w] = v; w = 0; v = 0 }
	od
}

active proctype end_of_all()
{
	done == 3;
	assert(came)
}

init {
	atomic {
		mem[SEARCHING] = 1;
		if
		:: both = true
		:: both = false
		fi;
		run leaves();
		run blocks();
		run submits()
	}
}
