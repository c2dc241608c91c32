/* SPDX-License-Identifier: Apache-2.0 */

/*
 * sleep.c: when a loop has nothing to do. The handshake with those that bring
 * something is in core.h.
 *
 * Before it sleeps a loop polls its mailbox for at most as long as a wake-up
 * costs, if no more of brood's threads are busy than there are CPUs. A loop
 * whose work comes from sockets would wait there in vain, so after a failure it
 * lets 1, 2, 4, ... naps pass before it tries again. One success makes it
 * patient anew, and so does a nap that polling would have spared.
 */

#include "lineage/self.h"
#include "loop/core.h"
#include "task/spin.h"

#define PER_LOOK  32   /* polls between two looks at the clock */
#define MAX_PAUSE 8192 /* naps between two tries */

#define POLL 50000 /* ns between two questions to libevent */

/* us; longer sleeps are several. */
#define LONGEST INT64_C(86400000000)

static int64_t next_limit(brood_loop_manager_t *loop);
static int64_t sooner(int64_t a, int64_t b);
static int wait_a_moment(brood_loop_manager_t *loop, int64_t limit);
static void nap(brood_loop_manager_t *loop, int64_t limit);
static void dispatch(brood_loop_manager_t *loop, int64_t limit);

int brood__loop_some(brood_loop_manager_t *loop)
{
    return brood__load(&loop->arrivals, relaxed) || brood__loop_told(loop)
           || brood__inbox_some(&loop->inbox);
}

void brood__loop_idle(brood_loop_manager_t *loop)
{
    int64_t limit;

    if (loop->stopping && brood__loop_end_step(loop))
        return;
    loop->now = brood__os_now();
    loop->used = 0;
    brood__loop_expire(loop);
    if (loop->n_ready || !brood__list_empty(&loop->errands)
        || !brood__list_empty(&loop->late) || brood__loop_some(loop)) {
        brood__loop_share(loop);
        return;
    }

    limit = next_limit(loop);
    brood__self_rest();
    brood__store(&loop->idle, 1, relaxed);
    if (!wait_a_moment(loop, limit)) {
        brood__sub(&brood__busy.n, 1, relaxed);
        nap(loop, limit);
        brood__add(&brood__busy.n, 1, relaxed);
    }
    brood__store(&loop->idle, 0, relaxed);
    brood__loop_share(loop);
    brood__loop_expire(loop);
}

void brood__loop_share(brood_loop_manager_t *loop)
{
    if (loop->now - loop->polled >= POLL)
        brood__loop_poll(loop);
}

void brood__loop_poll(brood_loop_manager_t *loop)
{
    brood__watch_beat(loop, NULL);
    (void)event_base_loop(loop->evbase,
                          EVLOOP_NONBLOCK | EVLOOP_NO_EXIT_ON_EMPTY);
    brood__loop_stand(loop);
    loop->now = loop->polled = brood__os_now();
}

void brood__loop_stand(brood_loop_manager_t *loop)
{
    brood__frame_t *now = &brood__self.now;

    if (BROOD__UNLIKELY(now->flags || now->attached || now->at_end)) {
        brood__frame_clean();
        *now = loop->frame;
    }
}

void brood__loop_on_wake(evutil_socket_t unused, short what, void *loop)
{
    (void)unused;
    (void)what;
    (void)loop;
}

void brood__loop_on_tick(evutil_socket_t unused, short what, void *loop)
{
    (void)unused;
    (void)what;
    ((brood_loop_manager_t *)loop)->ticking = 0;
}

/* When to be awake at the latest; -1: never. */
static int64_t next_limit(brood_loop_manager_t *loop)
{
    int64_t limit = sooner(brood__alarms_next(&loop->alarms),
                           brood__alarms_next(&loop->delays));

    limit = sooner(limit, brood__watch_waits(loop));
    return sooner(limit, brood__spares_trim(loop));
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < 0 ? b : b < 0 || a < b ? a : b;
}

static int wait_a_moment(brood_loop_manager_t *loop, int64_t limit)
{
    int64_t spin = loop->set.spin ? loop->set.spin : brood__spin_limit();
    int64_t end = sooner(limit, loop->now + spin);
    int found = 0, i;

    if (spin <= 0 || brood__cpus < 2
        || brood__load(&brood__busy.n, relaxed) > brood__cpus) /* with us */
        return 0;
    if (loop->spin_rest) {
        loop->spin_rest--;
        return 0;
    }
    do {
        for (i = 0; i < PER_LOOK && !found; i++) {
            brood__pause();
            found = brood__loop_some(loop);
        }
    } while (!found && (loop->now = brood__os_now()) < end);

    if (found) {
        loop->spin_pause = 0;
        brood__fences_calm(&loop->inbox.fences, &loop->calm);
    } else if (loop->spin_pause < MAX_PAUSE) {
        loop->spin_pause = 2 * loop->spin_pause + 1;
    }
    loop->spin_rest = loop->spin_pause;
    return found;
}

static void nap(brood_loop_manager_t *loop, int64_t limit)
{
    const int64_t begun = loop->now;

    loop->calm = 0;
    brood__store(&loop->inbox.need, 1, relaxed);
    brood__inbox_tidy(&loop->inbox); /* contains the heavy fence of (C) */
    if (!brood__loop_some(loop))     /* the last look */
        dispatch(loop, limit);
    else
        loop->now = brood__os_now();
    /* Who has swapped it to 0 already activates the event once more: the next
     * dispatch returns at once. */
    brood__store(&loop->inbox.need, 0, relaxed);
    if (loop->spin_rest && loop->now - begun < brood__spin_limit()
        && brood__loop_some(loop))
        loop->spin_rest = loop->spin_pause = 0;
}

static void dispatch(brood_loop_manager_t *loop, int64_t limit)
{
    int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;
    struct timeval in;
    int64_t us;

    if (limit >= 0) {
        us = (limit - brood__os_now() + 999) / 1000;
        us = us > 0 ? us : 0;
        us = us < LONGEST ? us : LONGEST;
        in.tv_sec = (int)(us / 1000000);
        in.tv_usec = (int)(us % 1000000);
        loop->ticking = evtimer_add(&loop->tick, &in) == 0;
        if (!loop->ticking) /* no memory: do not oversleep */
            flags |= EVLOOP_NONBLOCK;
    } else if (loop->ticking) {
        loop->ticking = 0;
        (void)event_del(&loop->tick);
    }
    brood__watch_asleep(loop);
    if (event_base_loop(loop->evbase, flags) != 0)
        brood__os_yield(); /* the backend has failed; it said so itself */
    brood__watch_awake(loop);
    brood__loop_stand(loop);
    loop->now = loop->polled = brood__os_now();
}
