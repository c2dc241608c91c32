/* SPDX-License-Identifier: Apache-2.0 */

/*
 * warning.c: a call of a context that runs too long is named, once, while it
 * still runs. (General calls are tasks of the executor, which watches them.)
 *
 * One timer a pool. It is armed by the first call after a quiet time, looks at
 * every lease when it is due, and is armed again for the time when the oldest
 * unreported call becomes due; after a period in which no call ran it stays
 * off. So a call costs one relaxed load, and an idle pool no wake-up.
 */

#include <stdio.h>

#include "async/lease.h"
#include "base/alloc.h"
#include "observe/log.h"

#define AT_ONCE 8 /* long calls that one look reports */

typedef struct long_call_t {
    char call[BROOD__CALL_NAME];
    char context[BROOD__CALL_NAME];
} long_call_t;

static void arm(brood_affinity_pool_t *affinity, int64_t deadline)
    BROOD__REQUIRES(affinity->lock);
static void look(brood__timer_t *timer);
static int look_at(brood__lease_t *lease, int64_t now, int64_t *next,
                   long_call_t *found);

void brood__warning_begin(brood_affinity_pool_t *affinity)
{
    /* Relaxed: a timer that goes off just now looks once more, since it sees
     * `warn_calls` under the lock or leaves `warn_armed` 0 for the next. */
    if (affinity->warn_after < 0 || brood__load(&affinity->warn_armed, relaxed))
        return;
    brood__lock(&affinity->lock);
    if (!brood__load(&affinity->warn_armed, relaxed) && !affinity->warn_over)
        arm(affinity, brood__os_now() + affinity->warn_after);
    brood__unlock(&affinity->lock);
}

void brood__warning_fini(brood_affinity_pool_t *affinity)
{
    brood__lock(&affinity->lock);
    affinity->warn_over = 1;
    brood__unlock(&affinity->lock);
    brood__timer_disarm(&affinity->warn_timer);
}

/* Without memory for a timer nobody is warned; the next call tries again. */
static void arm(brood_affinity_pool_t *affinity, int64_t deadline)
{
    int armed = brood__timer_arm(&affinity->warn_timer, deadline, look)
                == APR_SUCCESS;

    brood__store(&affinity->warn_armed, armed, relaxed);
}

static void look(brood__timer_t *timer)
{
    brood_affinity_pool_t *affinity = BROOD__CONTAINER(
        timer, brood_affinity_pool_t, warn_timer);
    int64_t now = brood__os_now();
    int64_t next = -1;
    long_call_t found[AT_ONCE];
    brood__link_t *link;
    int n = 0, i;

    brood__lock(&affinity->lock);
    brood__store(&affinity->warn_armed, 0, relaxed);
    BROOD__LIST_EACH (&affinity->leases, link)
        if (n < AT_ONCE)
            n += look_at(BROOD__CONTAINER(link, brood__lease_t, link), now,
                         &next, &found[n]);
    if (n == AT_ONCE)
        next = now + affinity->warn_after;
    if (next >= 0 && !affinity->warn_over)
        arm(affinity, next);
    brood__unlock(&affinity->lock);
    for (i = 0; i < n; i++)
        brood__log(BROOD_LOG_WARNING,
                   "call '%s' of context '%s' has run for more than %lld ms",
                   found[i].call, found[i].context,
                   (long long)(affinity->warn_after / 1000000));
}

/* True: it is due and was copied. *next: when to look again. A call that
 * ended not long ago keeps the timer going: more are likely. */
static int look_at(brood__lease_t *lease, int64_t now, int64_t *next,
                   long_call_t *found)
{
    int64_t after = lease->pool->warn_after;
    int64_t again = -1;
    int due = 0;

    brood__lock(&lease->lock);
    if (!lease->running) {
        if (lease->started && now - lease->since < after)
            again = now + after;
    } else if (lease->warned) {
        again = now + after;
    } else if (now - lease->since < after) {
        again = lease->since + after;
    } else {
        due = lease->warned = 1;
        again = now + after;
        snprintf(found->call, sizeof(found->call), "%s",
                 lease->name ? lease->name : "(no name)");
        snprintf(found->context, sizeof(found->context), "%s", lease->id);
    }
    brood__unlock(&lease->lock);
    if (again >= 0 && (*next < 0 || again < *next))
        *next = again;
    return due;
}
