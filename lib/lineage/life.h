/* SPDX-License-Identifier: Apache-2.0 */

/*
 * life.h: is the library there, and who has a part in its end?
 *
 *     NONE --(1)--> READY --(2)--> ENDING --(3)--> NONE
 *                     \--------------\----(4)--> FORKED
 *
 *   (1) the first brood_initialize()   (3) the same thread, when all has ended
 *   (2) the last brood_terminate()     (4) in a forked child; for ever
 *
 * (1) to (3) happen under the lock of async/init.c, (4) on the child's only
 * thread. While ENDING everything goes on, so that tasks can be drained, but no
 * manager is made.
 */

#ifndef BROOD_LINEAGE_LIFE_H
#define BROOD_LINEAGE_LIFE_H

#include <apr_errno.h>

#include "os/os.h"

enum {
    BROOD__LIFE_NONE,
    BROOD__LIFE_READY,
    BROOD__LIFE_ENDING,
    BROOD__LIFE_FORKED
};

extern atomic_uint brood__life;

apr_status_t brood__life_why_not(void);

/* What every call that returns a status asks first: APR_SUCCESS, APR_EINIT
 * before brood_initialize() and after the last brood_terminate(), or
 * BROOD_EFORKED. */
BROOD__INLINE apr_status_t brood__life_check(void)
{
    /* Relaxed: a program orders its calls after brood_initialize(). */
    if (BROOD__LIKELY(brood__load(&brood__life, relaxed) == BROOD__LIFE_READY
                      && !brood__os_forked()))
        return APR_SUCCESS;
    return brood__life_why_not();
}

/* The library is ready or ending, and this is not a forked child: what every
 * other call asks first. */
BROOD__INLINE int brood__life_on(void)
{
    return brood__life_check() == APR_SUCCESS;
}

/* In a forked child nothing of the library may be touched: its locks may be
 * held by threads that are not there. */
int brood__life_forked(void);

/*
 * What a floor (or an object that is no manager) has to do for the library's
 * end and in forked children. Static storage; each function may be NULL. The
 * one that was added last is asked first.
 */
typedef struct brood__part_t {
    struct brood__part_t *next;
    int added;

    /* The library ends: begin to stop what is no manager, never waiting for
     * tasks: 0: drain, or cancel what is a daemon; then perhaps 1: that took
     * too long, cancel. */
    void (*stop)(int cancel);

    /* Wait until all of that has ended; `deadline` as brood__os_now(), -1: for
     * ever. APR_TIMEUP or APR_SUCCESS. */
    apr_status_t (*wait)(int64_t deadline);

    /* Nothing runs any more, the private threads of the floors below have
     * ended, and every thread's own record was cleaned: give all back. */
    void (*free)(void);

    /* In a forked child, whose locks are of no use: make hot paths refuse. */
    void (*child)(void);
} brood__part_t;

/* Adding again does nothing, so it may stand where the part is first needed. */
void brood__life_add(brood__part_t *part);

/* For async/init.c. */
apr_status_t brood__life_at_fork(void); /* once per process */
void brood__life_stop(int cancel);
apr_status_t brood__life_wait(int64_t deadline);
void brood__life_free(void);

/* Around a fork: called by brood__life_at_fork()'s handlers, in this order.
 * They hold the locks of initialization and of the registry, so that the child
 * sees whole lists. */
extern void (*brood__life_fork_lock)(void);
extern void (*brood__life_fork_unlock)(void);

#endif /* BROOD_LINEAGE_LIFE_H */
