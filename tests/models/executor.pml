/* SPDX-License-Identifier: Apache-2.0 */

/*
 * executor.pml: how workers sleep and who wakes them; lib/thread/executor.h,
 * search.c, rest.c and sentinel.c for Spin.
 *
 * Two workers and producers with one task each: A blocks its worker until B has
 * run, C does nothing. Who finds A and B takes both, and B lies in its deque
 * until the other one comes. Spin reports a deadlock when B is queued and nobody
 * will ever come, and the process `end_of_all` fails when anything else is left.
 *
 * Memory is that of x86: each process has a buffer of stores (`sb`) that reach
 * memory in order, but later, unless the process executes a full fence, or
 * anybody the heavy one. A light fence is no instruction at all; or, if
 * `both` pay, each is the process's own. That this may change is fences.pml.
 *
 * Each of these leaves one step out, and must then be found to be wrong:
 *   -DNO_LAST_LOOK   a sleeper does not look at the queues after `need` is set
 *   -DNO_RECHECK     ... nor whether a searcher has left meanwhile
 *   -DNO_NEED        a searcher that found work does not raise `need`
 *   -DNO_SURELY      ... or not when it seems to be raised
 *   -DNO_MORE_LEFT   ... nor looks once more afterwards
 *   -DNO_SEEK        a sentinel joins the work and leaves nobody on duty
 *   -DNO_JOIN_SEEK   ... nor does who is woken while nobody works
 *   -DNO_WAKE_FENCE  a waker looks who searches before its `need` = 0 is seen
 *   -DNO_DUTY_FENCE  who took two looks who is on duty before they are there
 *   -DNO_HEAVY       the sleeper's fence is as light as the producer's
 */

#define WORKERS   2
#ifndef PRODUCERS
#define PRODUCERS 2 /* 3: C, too; takes some minutes */
#endif
#define MAX       2 /* workers that may run */
#define CPUS      2

/* Of a gate. */
#define SHUT   0
#define OPEN   1
#define JOINED 2

#define NEED      0
#define SEARCHING 1
#define WATCHING  2
#define DEQUE     3 /* B lies in the deque of who took it with A */
#define PUT       4 /* + producer: its task is published */
#define WORDS     (PUT + PRODUCERS)

byte mem[WORDS];
chan sb[WORKERS + PRODUCERS] = [4] of { byte, byte }; /* the workers first */

bool taken[3];
bool opened; /* B has run */
bool stolen; /* ... or is about to, by who did not take it */
bool both;   /* each side pays for its own fences */

/* Under the lock, or changed by atomic operations that are full fences. */
bit locked;
byte n_asleep, n_active = WORKERS, awake = WORKERS;
bool asleep[WORKERS], stuck[WORKERS], in_task[WORKERS];
byte gate[WORKERS];
bool seeks[WORKERS]; /* it is the searcher */

byte done; /* producers that are through */

inline store(word, value)
{
	sb[me]!word,value
}

/* All that a process has stored is in memory. */
inline fence()
{
	d_step {
		do
		:: nempty(sb[me]) -> sb[me]?w,v; mem[w] = v
		:: empty(sb[me]) -> break
		od;
		w = 0; v = 0; lowered = 0
	}
}

inline heavy()
{
#ifndef NO_HEAVY
	d_step {
		i = 0;
		do
		:: i < WORKERS + PRODUCERS && (i == me || !both) ->
			do
			:: nempty(sb[i]) -> sb[i]?w,v; mem[w] = v
			:: empty(sb[i]) -> break
			od;
			i++
		:: i < WORKERS + PRODUCERS && i != me && both -> i++
		:: else -> break
		od;
		i = 0; w = 0; v = 0; lowered = 0
	}
#else
	skip
#endif
}

inline light()
{
	if
	:: both -> fence()
	:: else
	fi
}

inline lock()
{
	atomic { !locked -> locked = 1; fence() }
}

inline unlock()
{
	atomic { fence(); locked = 0 }
}

#define QUEUED(p) (mem[PUT + p] && !taken[p])
#if PRODUCERS > 2
#define C_QUEUED  QUEUED(2)
#else
#define C_QUEUED  0
#endif
#define IN_DEQUE  (mem[DEQUE] && !stolen)
#define SOME      (QUEUED(0) || QUEUED(1) || C_QUEUED || IN_DEQUE)

/* Its CPU clock does. */
#define STANDS_STILL(n) (in_task[n] && !stuck[n] && !opened)

/* A process sees its own stores at once: `searching`, which it has just left,
 * and `need`, if it has lowered it. */
inline set_need()
{
	if
	:: n_asleep || awake < MAX ->
		if
		:: !mem[WATCHING] || awake == 0 ->
			if
			:: !mem[SEARCHING] || left_search ->
				if
				:: !mem[NEED] || lowered -> store(NEED, 1)
				:: else
				fi
			:: else
			fi
		:: else
		fi
	:: else
	fi
}

inline wake()
{
	lock();
	store(NEED, 0);
#ifndef NO_WAKE_FENCE
	fence();
#endif
	if
	:: mem[WATCHING] -> skip /* at most its tick ends now */
	:: else ->
		if
		:: mem[SEARCHING] -> skip
		:: else ->
			if
			:: n_active >= MAX -> skip
			:: else -> d_step {
				i = 0;
				do
				:: i < WORKERS && !asleep[i] -> i++
				:: else -> break
				od;
				if
				:: i < WORKERS ->
					asleep[i] = 0;
					n_asleep--;
					if
					:: n_active == 0 -> /* brood__worker_join() */
						n_active++;
						awake++;
#ifndef NO_JOIN_SEEK
						mem[SEARCHING] = 1;
						seeks[i] = 1;
#endif
						gate[i] = JOINED
					:: else ->
						mem[WATCHING] = 1;
						gate[i] = OPEN
					fi
				:: else
				fi;
				i = 0
				}
			fi
		fi
	fi;
	unlock()
}

/* brood__worker_found() */
inline found()
{
	seeks[me] = 0;
	store(SEARCHING, 0);
	left_search = 1;
	light();
	if
	:: mem[WATCHING] -> skip
	:: else ->
		if
		:: wake() /* it has happened often enough */
		::
#ifdef NO_SURELY
			set_need();
#else
#ifndef NO_NEED
			store(NEED, 1);
#endif
#endif
#ifndef NO_MORE_LEFT
			heavy();
			if
			:: SOME -> wake()
			:: else
			fi
#endif
		fi
	fi;
	left_search = 0
}

inline call_for_duty()
{
#ifndef NO_DUTY_FENCE
	light();
#endif
	if
	:: !mem[WATCHING] && !mem[SEARCHING] && (n_asleep || awake < MAX) ->
		wake()
	:: else
	fi
}

proctype producer(byte me; byte p)
{
	byte i, w, v;
	bool lowered;

	store(PUT + p, 1);
	light();
	if
	:: mem[NEED] -> wake()
	:: else
	fi;
	done++
}

/* One task of any lane, or A and B, or what lies in the other's deque. */
inline take()
{
	atomic {
		if
		:: QUEUED(0) && QUEUED(1) ->
			taken[0] = 1; taken[1] = 1; task = 0; two = 1
		:: IN_DEQUE -> fence(); stolen = 1; task = 1
		:: QUEUED(0) -> taken[0] = 1; task = 0
		:: QUEUED(1) -> taken[1] = 1; task = 1
#if PRODUCERS > 2
		:: QUEUED(2) -> taken[2] = 1; task = 2
#endif
		:: (!QUEUED(0) || !QUEUED(1) || !C_QUEUED) && !IN_DEQUE ->
			task = 3 /* nothing, or a lane that somebody else looks at */
		fi
	}
}

inline run_task()
{
	if
	:: task == 0 ->
		in_task[me] = 1;
		opened; /* blocks */
		in_task[me] = 0
	:: task == 1 -> opened = 1
	:: else
	fi;
	atomic {
		if
		:: stuck[me] -> stuck[me] = 0; awake++
		:: else
		fi;
		task = 0
	}
}

inline cas_searching()
{
	atomic {
		fence();
		if
		:: !seeks[me] && !mem[SEARCHING] -> mem[SEARCHING] = 1; seeks[me] = 1
		:: else
		fi
	}
}

proctype worker(byte me)
{
	byte i, w, v, task;
	bool left_search, lowered, alone, two;

work:
	take();
	if
	:: task < 3 ->
		if
		:: two -> store(DEQUE, 1)
		:: else
		fi;
		if
		:: seeks[me] -> found()
		:: else
		fi;
		if
		:: two -> two = 0; call_for_duty()
		:: else
		fi;
		run_task();
		goto work
	:: else -> task = 0
	fi;

	/* brood__worker_rest() */
	if
	:: !seeks[me] ->
		cas_searching();
		if
		:: seeks[me] && mem[NEED] -> lowered = 1; store(NEED, 0)
		:: else
		fi
	:: else
	fi;
	if
	:: seeks[me] && SOME -> goto work
	:: true
	fi;
	if
	:: seeks[me] -> seeks[me] = 0; store(SEARCHING, 0)
	:: else
	fi;

	lock();
	atomic {
		n_active--;
		if
		:: stuck[me] -> stuck[me] = 0
		:: else -> awake--
		fi
	}
lie_down:
	atomic { asleep[me] = 1; n_asleep++; gate[me] = SHUT }
	set_need();
	unlock();
	heavy();
#ifndef NO_RECHECK
	if
	:: !mem[NEED] ->
		set_need();
		heavy()
	:: else
	fi;
#endif
#ifndef NO_LAST_LOOK
	if
	:: mem[NEED] && SOME -> wake()
	:: else
	fi;
#endif

end_asleep:
	gate[me] != SHUT;
	if
	:: gate[me] == JOINED -> goto work
	:: else
	fi;

	/* brood__worker_watch(): a tick that would change nothing is left out. */
tick:
	(awake == 0 || (SOME && awake < CPUS) || STANDS_STILL(0)
	 || STANDS_STILL(1));
	lock();
	d_step {
		i = 0;
		do
		:: i < WORKERS ->
			if
			:: STANDS_STILL(i) -> stuck[i] = 1; awake--
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0
	}
	if
	:: SOME && n_active < MAX && awake < CPUS ->
		store(WATCHING, 0);
		atomic { alone = n_active == 0; n_active++; awake++ };
		unlock();
#ifndef NO_SEEK
		if
		:: alone
		:: else -> heavy()
		fi;
		cas_searching();
#endif
		goto work
	:: !(SOME && n_active < MAX) && awake == 0 ->
		store(WATCHING, 0);
		unlock();
		lock();
		goto lie_down
	:: else ->
		unlock();
		goto tick
	fi
}

/* Stores reach memory at some time. */
active proctype memory()
{
	byte w, v;

end:
	do
	:: atomic { sb[0]?w,v -> mem[w] = v; w = 0; v = 0 }
	:: atomic { sb[1]?w,v -> mem[w] = v; w = 0; v = 0 }
	:: atomic { sb[2]?w,v -> mem[w] = v; w = 0; v = 0 }
	:: atomic { sb[3]?w,v -> mem[w] = v; w = 0; v = 0 }
#if PRODUCERS > 2
	:: atomic { sb[4]?w,v -> mem[w] = v; w = 0; v = 0 }
#endif
	od
}

/* Nothing moves any more. */
active proctype end_of_all()
{
	timeout;
	assert(done == PRODUCERS && !SOME && opened);
	assert(n_asleep == WORKERS && mem[NEED])
}

init {
	atomic {
		mem[NEED] = 0; /* all that may be work */
		if
		:: both = 1
		:: both = 0
		fi;
		run worker(0);
		run worker(1);
		run producer(2, 0);
		run producer(3, 1);
#if PRODUCERS > 2
		run producer(4, 2)
#endif
	}
}
