/* SPDX-License-Identifier: Apache-2.0 */

/*
 * process_wake.pml: how a worker process and its parent sleep and wake each
 * other (lib/process/worker.c, channel.c, drain.c, supervisor.c).
 *
 * One worker, one supervisor, one thread that submits and waits: it polls, or
 * sleeps until its task is settled. Stores go through a buffer of their own
 * process until a fence, as on x86 and weaker machines, so that what a fence is
 * for can be seen: each flag has a committed value and one that is still in the
 * buffer of its writer.
 *
 * It must hold that every task is settled (no deadlock), and that all end. (The
 * waiter's own second look is not needed for that, since a supervisor that did
 * not arm looks again; it saves the wait for it.)
 * Variants, each of which must fail:
 *
 *   -DNO_RECHECK_WORKER   the worker sleeps without a second look
 *   -DNO_RECHECK_PARENT   the supervisor sleeps without a second look
 *   -DNO_FENCE_WORKER     no fence between asleep = 1 and the second look
 *   -DNO_FENCE_PARENT     no fence between ready = p + 1 and the look at asleep
 *   -DNO_FENCE_RESULT     no fence between result = p + 1 and the look at need
 *   -DSAME_NEED           a ring does not end the arming it was for
 */

#define TASKS 3

/* ready: written by the submitter, read by the worker */
byte ready = 0, ready_buffer = 0;
/* result: written by the worker */
byte result = 0, result_buffer = 0;
/* asleep: 1 by the worker, 0 by who rings */
byte asleep = 0;
bool asleep_buffered = false;
/* need: odd: armed; written under the manager's lock */
byte need = 0;

bool doorbell = false; /* a futex wake-up is pending */
bool bell = false;     /* the pipe has something */
byte settled = 0;
byte answered = 0; /* results read; under the lock */
bool lock = false;
bool over = false;

inline take() { atomic { !lock -> lock = true } }
inline give() { lock = false }

/* A fence: what is in the buffer is there for all. */
inline fence_parent() { ready = ready_buffer }
inline fence_worker() {
    atomic {
        result = result_buffer;
        if
        :: asleep_buffered -> asleep = 1; asleep_buffered = false
        :: else
        fi
    }
}

/* Under the lock. */
inline drain() {
    do
    :: answered < result -> answered++; settled++
    :: else -> break
    od
}

active proctype worker()
{
    byte next = 0, rung = 0, seen;

    do
    :: next < TASKS ->
        do
        :: ready > next -> break
        :: else ->
            /* poll for no time at all, then sleep */
            asleep_buffered = true;
#ifndef NO_FENCE_WORKER
            fence_worker();
#endif
#ifndef NO_RECHECK_WORKER
            if
            :: ready > next -> fence_worker(); asleep = 0; break
            :: else
            fi;
#endif
            fence_worker(); /* the system call is one, too */
            do /* futex: sleeps while asleep == 1 */
            :: asleep == 0 -> break
            :: doorbell -> doorbell = false; break
            od
        od;
        next++;
        result_buffer = next;
#ifndef NO_FENCE_RESULT
        fence_worker();
#endif
        seen = need;
        if
        :: seen % 2 == 1 && seen != rung -> rung = seen; fence_worker();
           bell = true
        :: else
        fi;
        fence_worker() /* sooner or later */
    :: else -> break
    od
}

inline arm() {
    if
    :: need % 2 == 0 -> need++
    :: else
    fi
}

active proctype supervisor()
{
    bool found;

    do
    :: over -> break
    :: else ->
        take();
        if
        :: bell ->
            bell = false;
#ifndef SAME_NEED
            if
            :: need % 2 == 1 -> need++
            :: else
            fi
#else
            skip
#endif
        :: else
        fi;
        drain();
        give();
        if
        :: /* armed sleep */
            take();
            arm();
            found = false;
#ifndef NO_RECHECK_PARENT
            found = answered < result;
#endif
            give();
            if
            :: found
            :: else ->
                if
                :: bell
                :: over
                fi
            fi
        :: /* a timed sleep, while results come fast: it looks again */
            take();
            if
            :: need % 2 == 1 -> need++
            :: else
            fi;
            give();
            if
            :: settled < TASKS && answered < result
            :: bell
            :: over
            fi
        fi
    od
}

active proctype submitter()
{
    byte sent = 0;

    do
    :: sent < TASKS ->
        take();
        ready_buffer = sent + 1;
#ifndef NO_FENCE_PARENT
        fence_parent();
#endif
        if
        :: asleep == 1 -> atomic { asleep = 0; doorbell = true }
        :: else
        fi;
        fence_parent();
        give();
        sent++;
        /* poll for a moment, or not */
        if
        :: result > answered -> take(); drain(); give()
        :: true
        fi;
        /* then sleep: arm, look once more */
        if
        :: settled >= sent
        :: else ->
            take();
            arm();
            drain();
            give();
            settled >= sent
        fi
    :: else -> break
    od;
    over = true
}
