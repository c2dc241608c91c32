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

#include "base/alarms.h"

typedef struct brood__timer_t {
    brood__alarm_t alarm;
    void (*fn)(struct brood__timer_t *timer);
} brood__timer_t;

/* Make sure that the thread runs: what its creation returned. From then on
 * arming cannot fail. */
apr_status_t brood__timers_ready(void);

/* Call fn(timer) at `deadline`, by brood__os_now(), once. The timer must not be
 * armed. As brood__timers_ready(); when that fails it is not armed. */
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
