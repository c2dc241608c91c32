/* SPDX-License-Identifier: Apache-2.0 *
 * Each of these leaves one step out, and must then be found to be wrong:
 *   -DNO_LOCK_CHECK  a wait is published while the lock is held
 *   -DNO_PATIENCE    a wait ends while the lock is held
 *   -DNO_FENCE       a task looks for circles before it publishes its wait
 */

/*
 * token.pml: a task whose end is asked for is interrupted once, at this wait or
 * at the next; nobody looks at a wait that has ended; and of two tasks that wait
 * for each other one notices. For Spin:
 *
 *     spin -a token.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -m100000
 *
 * It models lib/task/sleep.c (publish, withdraw, break_circle) against
 * raise_token() of future.c, and against whoever looks at a wait under the lock.
 */

#define ROUNDS 3

#define ARMED       0
#define FIRED       1
#define INTERRUPTED 2

/* The word `state`, and u.wait. */
bool locked, waiting, interrupt;
byte wait;

byte sleep[ROUNDS];
bool gone[ROUNDS]; /* the stack frame of that wait */
byte cuts;         /* waits that were cut short */

inline lock()
{
    atomic { !locked -> locked = true }
}

/* The last of its waits ends by nothing but the interruption. */
active proctype task()
{
    byte i;
    bool cut;

    for (i : 0 .. ROUNDS - 1) {
        if
        :: cuts -> break
        :: else
        fi;
        atomic {
#ifndef NO_LOCK_CHECK
            !locked;
#endif
            cut = interrupt;
            if
            :: interrupt -> interrupt = false
            :: else -> waiting = true; wait = i
            fi
        }
        if
        :: cut -> gone[i] = true; cuts++
        :: else ->
            if
            :: i < ROUNDS - 1 ->
                atomic {
                    if
                    :: sleep[i] == ARMED -> sleep[i] = FIRED
                    :: else
                    fi
                }
            :: sleep[i] == INTERRUPTED
            fi;
            atomic {
                waiting = false;
                if
                :: sleep[i] == INTERRUPTED -> interrupt = false; cuts++
                :: else
                fi
            }
#ifndef NO_PATIENCE
            !locked;
#endif
            gone[i] = true
        fi
    }
    assert(cuts == 1)
}

active proctype raiser()
{
    bool saw;

    lock();
    saw = waiting; /* what the exchange that took the lock has seen, or later */
    interrupt = true;
    if
    :: saw ->
        assert(!gone[wait]);
        atomic {
            if
            :: sleep[wait] == ARMED -> sleep[wait] = INTERRUPTED
            :: else
            fi
        }
    :: else
    fi;
    locked = false
}

/* Somebody who looks for circles. */
active proctype looker()
{
    lock();
    if
    :: waiting -> assert(!gone[wait])
    :: else
    fi;
    locked = false
}

/* ---- circles -------------------------------------------------------------- */

bool published[2];
byte left;
bool found;

active [2] proctype closes()
{
    byte me = _pid & 1;
    bool saw;

#ifdef NO_FENCE
    saw = published[1 - me]; /* the load overtakes the store */
    published[me] = true;
#else
    published[me] = true;
    saw = published[1 - me];
#endif
    if
    :: saw -> found = true
    :: else
    fi;
    atomic {
        left++;
        assert(left < 2 || found)
    }
}
