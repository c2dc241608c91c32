/* SPDX-License-Identifier: Apache-2.0 */

/*
 * timer.h: deadlines for what has no loop: delays, timeouts, watchdogs.
 *
 * One private thread sleeps until the nearest deadline, or without a time limit
 * when there is none. It is made with the first timer. Callbacks run on it one
 * at a time, under no lock, and must be short.
 */

#ifndef BROOD_TASK_TIMER_H
#define BROOD_TASK_TIMER_H

#include <apr_errno.h>

#include "base/atomic.h"

typedef struct brood__timer_t {
    int64_t deadline; /* brood__os_now() */
    size_t index;     /* in the heap, from 1; 0: not armed */
    int reserved;     /* a place of brood__timer_reserve() is its own; the
                         owner's to set */
    void (*fn)(struct brood__timer_t *timer);
} brood__timer_t;

/* Make sure that the thread runs and that one more timer will find room, so that
 * arming one that says `reserved` cannot fail; then give that place back. */
apr_status_t brood__timer_reserve(void);
void brood__timer_unreserve(void);

/* Call fn(timer) at `deadline`, once. The timer must not be armed. APR_ENOMEM,
 * or what the creation of the thread returned; then it is not armed. */
apr_status_t brood__timer_arm(brood__timer_t *timer, int64_t deadline,
                              void (*fn)(brood__timer_t *timer));

/* True: it was armed and will not be called. False: it was called, or never
 * armed. Either way it is not armed, and a call under way on the timers' thread
 * has ended (also one that arms the timer again), unless this is that thread. */
int brood__timer_disarm(brood__timer_t *timer);

/* End the thread; no timer may be armed any more. */
void brood__timers_stop(void);

int brood__timers_is_self(void);

#endif /* BROOD_TASK_TIMER_H */
