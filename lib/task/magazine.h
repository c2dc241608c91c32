/* SPDX-License-Identifier: Apache-2.0 */

/*
 * magazine.h: memory for futures, without a lock and without a false share.
 *
 * Each thread has a magazine of up to 64 free futures. A thread that only makes
 * them and a thread that only frees them exchange whole magazines through a
 * locked depot, so the lock is taken once in 64 times (Bonwick and Adams,
 * "Magazines and Vmem", USENIX 2001). New ones are cut from chunks that grow
 * from 4 to 256 KiB and are made resident in one call. The memory stays a
 * future until the library ends: type-stable.
 */

#ifndef BROOD_TASK_MAGAZINE_H
#define BROOD_TASK_MAGAZINE_H

#include "base/fault.h"
#include "task/future.h"

#define BROOD__MAGAZINE 64

typedef struct brood__magazine_t {
    struct brood__magazine_t *next; /* in the depot, under its lock */
    unsigned n;
    brood_future_t *item[BROOD__MAGAZINE];
} brood__magazine_t;

/* True: the calling thread's magazine holds one at least. */
int brood__magazine_refill(void);

/* Put `future` where there is room; never fails. */
void brood__magazine_flush(brood_future_t *future);

/* The line was last written by another CPU: ask for the one after next. */
#define BROOD__MAGAZINE_AHEAD 8

BROOD__INLINE brood_future_t *brood__future_alloc(void)
{
    brood__magazine_t *magazine = brood__self.magazine;
    unsigned n;

    if (brood__fault(BROOD__FAULT_MEMORY))
        return NULL;
    if (BROOD__UNLIKELY(!magazine || !magazine->n)) {
        if (!brood__magazine_refill())
            return NULL;
        magazine = brood__self.magazine;
    }
    n = --magazine->n;
    BROOD__PREFETCH_WRITE(
        magazine
            ->item[n >= BROOD__MAGAZINE_AHEAD ? n - BROOD__MAGAZINE_AHEAD : 0]);
    return magazine->item[n];
}

BROOD__INLINE void brood__future_free(brood_future_t *future)
{
    brood__magazine_t *magazine = brood__self.magazine;

    if (BROOD__UNLIKELY(!magazine || magazine->n == BROOD__MAGAZINE))
        brood__magazine_flush(future);
    else
        magazine->item[magazine->n++] = future;
}

/* A thread ends: its magazine goes to the depot. */
void brood__magazine_exit(brood__self_t *self);

/* The library ends: every future must have been freed. */
void brood__magazines_end(void);

/* Futures in use, as far as the depot can tell when all threads have left
 * their magazines there; for tests. */
size_t brood__futures_live(void);

#endif /* BROOD_TASK_MAGAZINE_H */
