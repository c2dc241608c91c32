/* SPDX-License-Identifier: Apache-2.0 *
 * Each of these leaves one step out, and must then be found to be wrong:
 *   -DNO_PATIENCE    settling does not wait while the lock is held
 *   -DNO_THROUGH     a wait that has timed out does not wait for fire()
 *   -DREF_FIRST      the reference goes back before any last listener is told
 */

/*
 * settle.pml: who listens to a future is told once, or has left; and nobody
 * touches a wait that has ended, or a future that is gone. For Spin:
 *
 *     spin -a settle.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -m100000
 *
 * It models the word `state` of lib/task/future.h: settling (future.c), listening
 * and leaving (ring.c), and waits (wait.c). Each exchange of the word is one
 * step, as it is in the code; Spin's memory is sequentially consistent, and
 * there all of them are read-modify-writes of one word.
 *
 * Two threads wait, one of them with a time limit; their waits hold a reference
 * until they have ended, and lie on their stacks. A third listener holds none and
 * looks at the future when it is told.
 */

#define WAITERS 2
#define NOTICE  2 /* the listener that keeps no reference */
#define ALL     3

#define ARMED  0
#define FIRED  1
#define TIMEUP 2

bool settled, locked, listed;
byte refs = 1 + WAITERS; /* the settler's, and of those that wait */
bool freed;
bool inside[ALL];        /* of the ring */
byte sleep[WAITERS];
bool through[WAITERS];
bool gone[WAITERS];      /* the stack frame is */
byte told;               /* the notice, so often */
byte over;               /* processes that are through */

inline lock()
{
    atomic { !locked -> assert(!freed); locked = true }
}

inline release()
{
    atomic {
        assert(!freed && refs > 0);
        refs--;
        freed = refs == 0
    }
}

/* What a listener's fire() does. */
inline fire(w)
{
    if
    :: w == NOTICE ->
        assert(!freed);
        told++
    :: else ->
        assert(!gone[w]); /* reads which sleep it is */
        atomic {
            won = sleep[w] == ARMED;
            if
            :: won -> sleep[w] = FIRED
            :: else
            fi
        }
        if
        :: won -> skip /* a wake-up needs no more than the address */
        :: else ->
            assert(!gone[w]);
            through[w] = true
        fi
    fi
}

active proctype settler()
{
    bool won, saw, last;
    byte w;

    atomic {
#ifndef NO_PATIENCE
        !locked;
#endif
        settled = true;
        saw = listed;
        if
        :: saw -> locked = true
        :: else -> release()
        fi
    }
    if
    :: !saw -> goto done
    :: else
    fi;
    do
    :: w = 0;
        do
        :: w < ALL && !inside[w] -> w++
        :: else -> break
        od;
        if
        :: w == ALL ->
            locked = false;
            release();
            goto done
        :: else
        fi;
        inside[w] = false;
        last = !inside[0] && !inside[1] && !inside[2];
#ifdef REF_FIRST
        if
        :: last ->
#else
        if
        :: last && w != NOTICE ->
#endif
            atomic { locked = false; release() }
            fire(w);
            goto done
        :: else ->
            locked = false;
            fire(w);
            lock()
        fi
    od;
done:
    over++
}

inline listen(w)
{
    lock();
    if
    :: settled -> in = false; locked = false
    :: else ->
        inside[w] = true;
        in = true;
        atomic { listed = true; locked = false }
    fi
}

/* Waiter 1 has a time limit, which may be over at any moment. */
active [WAITERS] proctype waiter()
{
    byte me = _pid - 1;
    bool in;

    listen(me);
    if
    :: !in -> goto out
    :: else
    fi;
    if
    :: sleep[me] == FIRED
    :: me == 1 ->
        atomic {
            if
            :: sleep[me] == ARMED -> sleep[me] = TIMEUP
            :: else
            fi
        }
    fi;
    if
    :: sleep[me] == TIMEUP ->
        lock();
        in = inside[me];
        inside[me] = false;
        locked = false;
#ifndef NO_THROUGH
        in || through[me]
#endif
    :: else
    fi;
out:
    gone[me] = true;
    release();
    over++
}

/* It listens while somebody's reference lets it. */
active proctype notice()
{
    bool in;

    atomic { /* only while the task has not ended: then its own is there */
        if
        :: !settled && !locked -> inside[NOTICE] = true; listed = true; in = true
        :: else
        fi
    }
    if
    :: in -> told == 1
    :: else
    fi;
    over++
}

/* When all has come to an end, all is freed, and the notice was told once. */
active proctype end()
{
    over == WAITERS + 2;
    assert(freed && told <= 1);
    assert(!inside[0] && !inside[1] && !inside[2])
}
