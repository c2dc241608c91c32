/* SPDX-License-Identifier: Apache-2.0 *
 * Each of these leaves one step out, and must then be found to be wrong:
 *   -DNO_FENCE       see above
 *   -DNO_INSIDE      see above
 */

/*
 * loop_wake.pml: a loop that sleeps in libevent is woken for what comes, and
 * nobody touches it after its end. For Spin:
 *
 *     spin -a loop_wake.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -m100000
 *
 * It models lib/loop (core.h, SLEEPING and ENDS), reduced to the words of the
 * handshake. Spin's memory is sequentially consistent, so the fences of (C) are
 * where they are in the code, and a variant without them has to reorder by
 * hand: -DNO_FENCE lets a producer read `need` before it publishes, and the
 * model must then find the lost wake-up. -DNO_INSIDE leaves out the count of
 * those inside, and the model must find the late touch.
 *
 * libevent: an activation marks the event, under libevent's lock; when the loop
 * dispatches it also signals the descriptor. A dispatch that finds the event
 * active, or the descriptor signalled, returns; it clears both.
 */

#define PRODUCERS 2 /* one brings by a lane, one wakes a coroutine */
#define EACH      2 /* things that each brings */

byte queued;      /* in lanes and arrivals, not yet taken */
byte accepted;    /* by all */
byte ran;
byte left; /* producers that are through */
byte need;
byte inside;      /* producers that may still touch the loop */
byte suspended = EACH; /* coroutines that the second one will wake */
bool asked, closed, ended;
bool marked, dispatching, signalled; /* libevent */
bit evlock;                          /* its lock */

inline activate()
{
    assert(!ended);
    atomic { !evlock -> evlock = 1 }
    marked = true;
    if
    :: dispatching -> signalled = true
    :: else
    fi;
    evlock = 0
}

inline notify()
{
    assert(!ended); /* touches the loop */
    if
    :: need ->
        atomic { mine = need; need = 0 }
        if
        :: mine -> activate()
        :: else
        fi
    :: else
    fi;
    mine = 0
}

/* A submit: busy, rare, publish, need, not busy. */
proctype submitter()
{
    byte i, saw;
    byte mine = 0;

    for (i : 1 .. EACH) {
        inside++; /* busy = 1 */
        if
        :: closed -> inside--; break
        :: else
        fi;
        accepted++;
#ifdef NO_FENCE
        saw = need; /* the load overtakes the store */
        queued++;
        if
        :: saw -> notify()
        :: else
        fi;
#else
        queued++;
        notify();
#endif
        inside--
    }
    left++
}

/* A settling thread that wakes coroutines. The loop does not end while they
 * are suspended. */
proctype waker()
{
    byte i;
    byte mine = 0;

    for (i : 1 .. EACH) {
#ifndef NO_INSIDE
        inside++;
#endif
        atomic { suspended--; queued++; accepted++ }
        notify();
#ifndef NO_INSIDE
        inside--
#endif
    }
    left++
}

/* Holds the loop's lock, which the end takes too. It comes at any time, or only
 * when all has run: a lost wake-up would leave everybody waiting then. */
proctype stopper()
{
    byte mine = 0;

    if
    :: true -> skip
    :: true -> (left == PRODUCERS && ran == accepted)
    fi;
    closed = true;
    atomic { inside++; asked = true }
    notify();
    inside--
}

inline dispatch()
{
    atomic { !evlock -> evlock = 1 }
    if
    :: marked -> marked = false; evlock = 0
    :: else ->
        dispatching = true;
        evlock = 0;
        (signalled); /* sleeps here */
        atomic { !evlock -> evlock = 1 }
        dispatching = false;
        signalled = false;
        marked = false;
        evlock = 0
    fi
}

active proctype loop()
{
    byte took;

    run submitter();
    run waker();
    run stopper();
    do
    :: atomic { took = queued; queued = 0 }
       ran = ran + took;
       if
       :: took > 0
       :: took == 0 && asked && suspended == 0 && inside == 0 ->
           /* settled: whoever was inside before has published */
           if
           :: queued == 0 -> break
           :: else
           fi
       :: took == 0 && asked && suspended == 0 && inside > 0 ->
           skip /* yields until they have left */
       :: took == 0 && !(asked && suspended == 0) ->
           need = 1;
           if /* the last look */
           :: queued == 0 && !(asked && suspended == 0) -> dispatch()
           :: else
           fi;
           need = 0
       fi
    od;
    ended = true;
    assert(queued == 0 && ran == accepted)
}
