/* SPDX-License-Identifier: Apache-2.0 */

/*
 * spin.h: when polling for a moment is cheaper than sleeping.
 *
 * Waking a sleeping thread costs microseconds on both sides, a handshake
 * through a shared line a tenth of one. So whoever waits polls first, no longer
 * than a wake-up costs (but see try_again()), and never when more of brood's
 * threads are runnable than there are CPUs: a spinner that holds the CPU of the
 * one it waits for makes things 25 times worse. Patience is learned: after failures a
 * thread polls ever fewer waits, a worker not until a sleep was short.
 *
 * What a wake-up costs is 5 us on one host and 50 on another, and more after a
 * long sleep than after a short one. So it is measured all the time, where it
 * costs a look at the clock beside two system calls: whenever a worker is woken.
 * Polling as long as the other side may take to be woken is the competitive
 * choice: at most twice what the best would cost that knew the future (Karlin
 * et al., "Empirical studies of competitive spinning", SOSP 1991).
 */

#ifndef BROOD_TASK_SPIN_H
#define BROOD_TASK_SPIN_H

#include "base/atomic.h"

/* Threads of brood that run or poll now, in all executors and loops, and other
 * threads that poll. A hint: relaxed. */
typedef struct brood__busy_t {
    atomic_int n BROOD__ALIGNED(BROOD__LINE); /* and nothing else in its line */
} brood__busy_t;
extern brood__busy_t brood__busy;

/* The CPUs; written once, at initialization. */
extern int brood__cpus;

/* What a wake-up costs here, ns, as learned so far. A hint: relaxed. */
extern atomic_llong brood__spin_ns;

BROOD__INLINE int64_t brood__spin_limit(void)
{
    return brood__load(&brood__spin_ns, relaxed);
}

/* Between two polls a moment passes, in which whoever is about to write the line
 * has it to himself. A pause of the CPU takes 3 to 50 ns (on Intel's processors
 * 10 cycles before Skylake, 140 since: Optimization Reference Manual), so how many
 * of them that is follows from what BROOD__SPIN_SAMPLE of them take. */
#define BROOD__SPIN_SAMPLE 64
unsigned brood__spin_pauses(int64_t ns);

/* Let about so much time pass, ns, without a look at anything. */
void brood__spin_wait(int64_t ns);

/* A thread that slept runs `ns` after somebody decided to wake it. */
void brood__spin_learn(int64_t ns);

void brood__spin_init(void);

/* Waits of the calling thread that found all done since it polled last: where
 * there are many, results come faster than they are waited for. */
extern BROOD__THREAD_LOCAL unsigned brood__spin_needless;

/* Not done a moment ago. Poll until done(baton) or a wake-up's time is over,
 * when that may pay. True: done. For threads that are not counted in
 * brood__busy. */
int brood__spin(int (*done)(void *baton), void *baton);

#endif /* BROOD_TASK_SPIN_H */
