/* SPDX-License-Identifier: Apache-2.0 */

/*
 * turn.c: what a loop does next.
 *
 * A turn resumes coroutines, runs errands, and runs one batch of calls; each
 * kind gets its share, so none starves another. How many of them fit between
 * two looks at the clock is learned from how long the last ones took: looking
 * costs as much as two tasks, asking libevent as much as twenty.
 */

#include "loop/core.h"

#define SLICE     20000 /* ns between two looks at the clock */
#define MAX_QUOTA 256

static void look(brood_loop_manager_t *loop);
static void take_yielded(brood_loop_manager_t *loop);
static unsigned resume_ready(brood_loop_manager_t *loop);
static unsigned run_errands(brood_loop_manager_t *loop);
static unsigned run_batch(brood_loop_manager_t *loop);
static int get_runner(brood_loop_manager_t *loop);

void brood__loop_turn(brood_loop_manager_t *loop)
{
    /* Acquire: what its asker did before, we see (J). */
    unsigned asked = brood__load(&loop->asked, acquire);
    unsigned used = 0;

    if (BROOD__UNLIKELY(asked != loop->obeyed))
        brood__loop_obey(loop, asked);
    brood__loop_take_arrivals(loop);
    if (loop->n_yielded && loop->at == loop->n)
        take_yielded(loop);
    if (loop->n_ready)
        used += resume_ready(loop);
    if (!brood__list_empty(&loop->errands))
        used += run_errands(loop);
    used += run_batch(loop);

    loop->used += used;
    if (loop->used >= loop->quota)
        look(loop);
    if (!used && !loop->n_ready && !loop->n_yielded
        && brood__list_empty(&loop->errands) && loop->at == loop->n)
        brood__loop_idle(loop);
}

void brood__loop_expire(brood_loop_manager_t *loop)
{
    brood__alarm_t *alarm;

    brood__loop_due(loop);
    while ((alarm = brood__alarms_due(&loop->alarms, loop->now))) {
        brood__coroutine_t *coroutine = BROOD__CONTAINER(
            alarm, brood__coroutine_t, alarm);

        /* Else somebody was faster, and his wake() is on its way. */
        if (brood__sleep_try(coroutine->sleep, BROOD__SLEEP_TIMEUP))
            brood__coroutine_ready(loop, coroutine);
    }
}

static void look(brood_loop_manager_t *loop)
{
    int64_t now = brood__os_now();
    int64_t each = (now - loop->now) / loop->used;

    loop->quota = each <= SLICE / MAX_QUOTA ? MAX_QUOTA
                  : each >= SLICE           ? 1
                                            : (unsigned)(SLICE / each);
    loop->used = 0;
    loop->now = now;
    brood__loop_share(loop);
    brood__loop_expire(loop);
}

/* The batch that was there when they yielded has begun. */
static void take_yielded(brood_loop_manager_t *loop)
{
    brood__list_splice(&loop->ready, &loop->yielded);
    loop->n_ready += loop->n_yielded;
    loop->n_yielded = 0;
}

/* Those that are there now. */
static unsigned resume_ready(brood_loop_manager_t *loop)
{
    unsigned n = loop->n_ready < loop->quota ? loop->n_ready : loop->quota;
    unsigned i;

    for (i = 0; i < n; i++) {
        brood__coroutine_t *coroutine = BROOD__CONTAINER(
            brood__list_pop(&loop->ready), brood__coroutine_t, link);

        loop->n_ready--;
        brood__watch_beat(loop, coroutine->fn);
        brood__coroutine_enter(loop, coroutine); /* (1) of coroutine.h */
    }
    return n;
}

static unsigned run_errands(brood_loop_manager_t *loop)
{
    brood__link_t *link;
    unsigned n = 0;

    while (n < loop->quota && get_runner(loop)
           && (link = brood__list_pop(&loop->errands))) {
        brood__errand_t *errand = BROOD__CONTAINER(link, brood__errand_t, link);
        brood__call_t call = { brood__loop_future_mark, errand->future,
                               errand->scope };

        n++;
        if (errand->future) {
            loop->single = call;
            brood__coroutine_enter(loop, brood__spares_take(&loop->spares));
        } else {
            brood__loop_run_errand(loop, errand);
        }
    }
    return n;
}

/* From the lanes and of those that are due in turn. */
static unsigned take_batch(brood_loop_manager_t *loop)
{
    unsigned n = 0;

    loop->late_next = !loop->late_next && !brood__list_empty(&loop->late);
    if (!loop->late_next)
        n = brood__inbox_take(&loop->inbox, loop->calls, &loop->lane_turn);
    if (n == BROOD__BATCH)
        brood__fences_calm(&loop->inbox.fences, &loop->calm);
    return n ? n : brood__late_take(loop);
}

static unsigned run_batch(brood_loop_manager_t *loop)
{
    unsigned first, share;

    if (loop->at == loop->n) {
        loop->at = 0;
        loop->n = take_batch(loop);
        if (!loop->n)
            return 0;
    }
    first = loop->at;
    share = loop->n - first;
    loop->until = first + (share < loop->quota ? share : loop->quota);
    while (loop->at < loop->until && !brood__loop_told(loop)) {
        brood__call_t *call = &loop->calls[loop->at];

        if (brood__loop_is_post(call->fn)) {
            loop->at++;
            brood__loop_run_post(loop, call);
        } else if (get_runner(loop)) {
            brood__coroutine_enter(loop, brood__spares_take(&loop->spares));
        } else {
            take_yielded(loop); /* one of them may end and leave its stack */
            break;
        }
    }
    loop->until = 0; /* outside of this nobody goes on with the batch */
    return loop->at - first;
}

/* Without one we wait for a coroutine to end. There is one that can: a task
 * suspends only when there is a spare. */
static int get_runner(brood_loop_manager_t *loop)
{
    return BROOD__LIKELY(loop->spares.first != NULL)
           || brood__spares_ready(loop) == APR_SUCCESS;
}
