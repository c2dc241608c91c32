/* SPDX-License-Identifier: Apache-2.0 */

/*
 * magazine.h: memory for futures, and for what those with options need besides,
 * without a lock and without a false share.
 *
 * Each thread has a magazine of up to 49 free ones of each kind. A thread that
 * only makes them and a thread that only frees them exchange whole loads through
 * a locked depot, so the lock is taken once in 49 times (Bonwick and Adams,
 * "Magazines and Vmem", USENIX 2001). A load that lies in the depot is written
 * down in the free items themselves, so freeing needs no memory. New ones are cut
 * from chunks that grow from 4 to 256 KiB and are made resident in one call. The
 * memory stays of its kind until the library ends: type-stable.
 */

#ifndef BROOD_TASK_MAGAZINE_H
#define BROOD_TASK_MAGAZINE_H

#include "base/fault.h"
#include "task/future.h"

/* Pointers that a free item has room for beside what late looks read of it, and
 * a square of them: seven items name all of a load. */
#define BROOD__MAGAZINE_ROW 7
#define BROOD__MAGAZINE     (BROOD__MAGAZINE_ROW * BROOD__MAGAZINE_ROW)

typedef struct brood__magazine_t {
    struct brood__magazine_t *next; /* of those without a thread */
    unsigned n;
    void *item[BROOD__MAGAZINE];
} brood__magazine_t;

/* Kinds of items; indices of brood__self.magazines. LINES are for whoever needs
 * one cache line. */
enum { BROOD__FUTURES, BROOD__EXTRAS, BROOD__LINES };

/* True: the calling thread's magazine holds one at least. */
int brood__magazine_refill(unsigned kind);

/* Put `item` where there is room; never fails. */
void brood__magazine_flush(unsigned kind, void *item);

/* The line was last written by another CPU: ask for it that many takes before. */
#define BROOD__MAGAZINE_AHEAD 8

BROOD__INLINE void *brood__magazine_take(unsigned kind)
{
    brood__magazine_t *magazine = brood__self.magazines[kind];
    char *ahead;
    unsigned n;

    if (brood__fault(BROOD__FAULT_MEMORY))
        return NULL;
    if (BROOD__UNLIKELY(!magazine || !magazine->n)) {
        if (!brood__magazine_refill(kind))
            return NULL;
        magazine = brood__self.magazines[kind];
    }
    n = --magazine->n;
    ahead =
        magazine
            ->item[n >= BROOD__MAGAZINE_AHEAD ? n - BROOD__MAGAZINE_AHEAD : 0];
    BROOD__PREFETCH_WRITE(ahead);
    if (kind == BROOD__EXTRAS) /* of which two lines are always written */
        BROOD__PREFETCH_WRITE(ahead + sizeof(brood_future_t));
    return magazine->item[n];
}

BROOD__INLINE void brood__magazine_give(unsigned kind, void *item)
{
    brood__magazine_t *magazine = brood__self.magazines[kind];

    if (BROOD__UNLIKELY(!magazine || magazine->n == BROOD__MAGAZINE))
        brood__magazine_flush(kind, item);
    else
        magazine->item[magazine->n++] = item;
}

BROOD__INLINE brood_future_t *brood__future_alloc(void)
{
    return brood__magazine_take(BROOD__FUTURES);
}

BROOD__INLINE void brood__future_free(brood_future_t *future)
{
    brood__magazine_give(BROOD__FUTURES, future);
}

/* A thread ends: its magazines go to the depot. */
void brood__magazine_exit(brood__self_t *self);

/* The library ends: every item must have been freed. */
void brood__magazines_end(void);

/* Items in use, as far as the depot can tell when all threads have left their
 * magazines there; for tests. */
size_t brood__magazines_live(unsigned kind);

BROOD__INLINE size_t brood__futures_live(void)
{
    return brood__magazines_live(BROOD__FUTURES);
}

#endif /* BROOD_TASK_MAGAZINE_H */
