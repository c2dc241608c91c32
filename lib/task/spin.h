/* SPDX-License-Identifier: Apache-2.0 */

/*
 * spin.h: when polling for a moment is cheaper than sleeping.
 *
 * Waking a sleeping thread costs microseconds on both sides, a handshake
 * through a shared line a tenth of one. So whoever waits polls first, never
 * longer than a wake-up costs, and never when more of brood's threads are
 * runnable than there are CPUs: a spinner that holds the CPU of the one it
 * waits for makes things 25 times worse. Patience is learned: after failures a
 * thread polls only every few waits.
 */

#ifndef BROOD_TASK_SPIN_H
#define BROOD_TASK_SPIN_H

#include "base/atomic.h"

/* Threads of brood that run or poll now, in all executors and loops, and other
 * threads that poll. A hint: relaxed. */
extern atomic_int brood__busy;

/* What a wake-up costs here, ns; and the CPUs. Written once, at
 * initialization. */
extern int64_t brood__spin_ns;
extern int brood__cpus;

void brood__spin_init(void);

/* Poll until done(baton) or a wake-up's time is over, when that may pay. True:
 * done. For threads that are not counted in brood__busy. */
int brood__spin(int (*done)(void *baton), void *baton);

#endif /* BROOD_TASK_SPIN_H */
