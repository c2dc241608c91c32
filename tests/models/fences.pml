/* SPDX-License-Identifier: Apache-2.0 */

/*
 * fences.pml: who pays for the fences of a handshake may change while others are
 * in the middle of one; lib/thread/fence.h for Spin.
 *
 * Two handshakes with words of their own share `kind`, as sleeping and stopping
 * do: a producer publishes and then looks whether its sleeper sleeps; that one
 * says so and then looks at what is there. If both miss the other, what was
 * published stays behind for ever. A third process takes (3) whenever it likes.
 * Memory as in executor.pml: a store reaches memory later, unless its process
 * executes a full fence or somebody raises the barrier.
 *
 *   -DNO_TURNING   a sleeper says FULL before its barrier
 *   -DNO_BARRIER   ... or has none
 *   -DLOOK_EARLY   a producer looks which kind it is before it publishes
 *   -DNO_FENCE     a producer has no fence of its own where it is FULL
 *   -DLATE_FENCE   a sleeper looks which kind it is before its own fence
 */

#define PAIRS  2
#define ROUNDS 2 /* of each sleeper, and of who takes (3) */

mtype = { k_light, k_turning, k_full };

mtype kind = k_light;

/* What is in memory, and what only its writer knows of. */
bool there[PAIRS], late_there[PAIRS];
bool sleeps[PAIRS], late_sleeps[PAIRS];
bool seen[PAIRS]; /* the sleeper saw it, or was told */
byte over;

inline drain_producer(p)
{
    there[p] = late_there[p]
}

inline drain_sleeper(s)
{
    sleeps[s] = late_sleeps[s]
}

inline barrier()
{
    d_step {
        drain_producer(0);
        drain_producer(1);
        drain_sleeper(0);
        drain_sleeper(1)
    }
}

proctype producer(byte me)
{
    mtype found;

#ifdef LOOK_EARLY
    found = kind;
    late_there[me] = true;
#else
    late_there[me] = true;
    found = kind;
#endif
#ifndef NO_FENCE
    if
    :: found != k_light -> drain_producer(me)
    :: else
    fi;
#endif
    if
    :: sleeps[me] -> seen[me] = true
    :: else
    fi;
    over++
}

proctype sleeper(byte me)
{
    mtype found;
    byte round;

    do
    :: round < ROUNDS ->
        round++;
        late_sleeps[me] = true;
#ifdef LATE_FENCE
        found = kind;
        drain_sleeper(me);
#else
        drain_sleeper(me);
        found = kind;
#endif
        if
        :: found == k_light ->
            atomic {
                if
#ifdef NO_TURNING
                :: kind == k_light -> kind = k_full
#else
                :: kind == k_light -> kind = k_turning
#endif
                :: else -> found = k_turning
                fi
            }
#ifndef NO_BARRIER
            barrier();
#endif
            if
            :: found == k_light -> kind = k_full
            :: else
            fi
        :: found == k_turning -> barrier()
        :: found == k_full
        fi;
        /* The last look. */
        if
        :: there[me] -> seen[me] = true
        :: else
        fi;
        if /* awake again, but for the last time */
        :: round < ROUNDS -> late_sleeps[me] = false; drain_sleeper(me)
        :: else
        fi
    :: else -> break
    od;
    over++
}

/* It has found work often. */
proctype consumer()
{
    byte round;

    do
    :: round < ROUNDS ->
        round++;
        if
        :: atomic { kind == k_full -> kind = k_light }
        :: true
        fi
    :: else -> break
    od;
    over++
}

/* Stores reach memory at some time. */
proctype memory()
{
end:
    do
    :: atomic { there[0] != late_there[0] -> drain_producer(0) }
    :: atomic { there[1] != late_there[1] -> drain_producer(1) }
    :: atomic { sleeps[0] != late_sleeps[0] -> drain_sleeper(0) }
    :: atomic { sleeps[1] != late_sleeps[1] -> drain_sleeper(1) }
    od
}

/* Both sleep; neither has missed what was published, nor been missed. */
active proctype end_of_all()
{
    over == 2 * PAIRS + 1;
    assert(seen[0] && seen[1])
}

init {
    atomic {
        run memory();
        run producer(0);
        run producer(1);
        run sleeper(0);
        run sleeper(1);
        run consumer()
    }
}
