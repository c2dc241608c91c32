/* SPDX-License-Identifier: Apache-2.0 *
 * Each of these leaves one step out, and must then be found to be wrong:
 *   -DNO_OWN         nothing is counted for the sleeper while it enlists
 *   -DNO_COUNT       a sleep that has timed out does not wait for those that count
 *   -DNO_OVER        ... nor for the last one, which finds it ended
 */

/*
 * wait_all.pml: one sleep for several futures ends when all are settled, or when
 * its time is over; and nobody touches it after that. For Spin:
 *
 *     spin -a wait_all.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -m100000
 *
 * It models lib/task/wait_all.c. Enlisting, leaving and settling are one step
 * each, since they are so under the lock of a future: settle.pml. A sleep without
 * a time limit that nobody ends is an end state that Spin finds.
 */

#define FUTURES 3

#define ARMED  0
#define FIRED  1
#define TIMEUP 2

#ifdef NO_OWN
byte left = 0;
#else
byte left = 1;
#endif
bool settled[FUTURES], inside[FUTURES];
byte sleep = ARMED;
bool over;
bool gone; /* the stack frame is */

active[FUTURES] proctype settler()
{
    bool told, won;
    byte was;

    atomic {
        settled[_pid] = true;
        told = inside[_pid];
        inside[_pid] = false
    }
    if
    :: told ->
        atomic {
            assert(!gone);
            was = left;
            left--
        }
    :: else -> skip
    fi;
    if
    :: told && was == 1 ->
        atomic {
            assert(!gone);
            won = sleep == ARMED;
            if
            :: won -> sleep = FIRED
            :: else
            fi
        }
        if
        :: won -> skip /* a wake-up needs no more than the address */
        :: else ->
            assert(!gone);
            over = true
        fi
    :: else -> skip
    fi
}

inline all_are_settled()
{
    atomic {
        i = 0;
        do
        :: i < FUTURES -> assert(settled[i]); i++
        :: else -> break
        od
    }
}

inline take_back()
{
    i = 0;
    do
    :: i < FUTURES ->
        atomic {
            if
            :: inside[i] -> inside[i] = false; taken++
            :: else
            fi;
            i++
        }
    :: else -> break
    od;
#ifndef NO_COUNT
    left == taken;
#endif
#ifndef NO_OVER
    taken || over;
#endif
}

active proctype sleeper()
{
    bool limited, listed;
    byte i, taken, was;

    if
    :: limited = true
    :: limited = false
    fi;
    i = 0;
    do
    :: i < FUTURES ->
        left++;
        atomic {
            listed = !settled[i];
            inside[i] = listed
        }
        if
        :: listed -> skip
        :: else -> left--
        fi;
        i++
    :: else -> break
    od;
#ifndef NO_OWN
    atomic {
        was = left;
        left--
    }
#else
    was = left + 1;
#endif
    if
    :: was == 1 -> all_are_settled()
    :: else ->
        if
        :: sleep == FIRED
        :: atomic { limited && sleep == ARMED -> sleep = TIMEUP }
        fi;
        if
        :: sleep == FIRED -> all_are_settled()
        :: else -> take_back()
        fi
    fi;
    gone = true
}
