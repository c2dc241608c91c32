/* SPDX-License-Identifier: Apache-2.0 */

/*
 * late.c: tasks that are not due yet, and that nobody has a future of.
 *
 * Nobody can cancel such a task, so it needs no state: one line of memory,
 * where a future and what belongs to its options are three. It travels to the
 * loop among the arrivals when it is submitted on another thread, waits in
 * `delays`, is moved to `late` when it is due, and from there becomes a call
 * like those of the lanes.
 */

#include <string.h>

#include "loop/core.h"
#include "task/magazine.h"

_Static_assert(sizeof(brood__late_t) <= BROOD__LINE, "one line");

brood__late_t *brood__late_make(brood_task_fn *fn, void *baton, int64_t delay)
{
    brood__late_t *late = brood__magazine_take(BROOD__LINES);

    if (!late)
        return NULL;
    memset(&late->time, 0, sizeof(late->time));
    late->time.alarm.deadline = (brood__os_now() + delay) | BROOD__LATE;
    late->fn = fn;
    late->baton = baton;
    return late;
}

void brood__late_unmake(brood__late_t *late)
{
    brood__magazine_give(BROOD__LINES, late);
}

void brood__late_put(brood_loop_manager_t *loop, brood__late_t *late)
{
    late->scope = brood__self.now.scope;
    brood__purse_spend(&brood__self.purse, late->scope);
    if (brood__loop_here == loop) {
        BROOD__COUNT(loop->by_itself, 1);
        brood__late_set(loop, late);
        return;
    }
    brood__add(&loop->by_errand, 1, relaxed);
    brood__loop_arrive(loop, &late->time.way.link, BROOD__ARRIVES_LATE);
    brood__loop_notify(loop);
}

void brood__late_set(brood_loop_manager_t *loop, brood__late_t *late)
{
    loop->n_delayed++;
    brood__alarms_add(&loop->delays, &late->time.alarm,
                      late->time.alarm.deadline);
}

void brood__late_due(brood_loop_manager_t *loop, brood__late_t *late)
{
    loop->n_delayed--;
    brood__list_append(&loop->late, &late->time.way.link);
}

void brood__late_cancel(brood_loop_manager_t *loop, brood__late_t *late)
{
    loop->n_delayed--;
    BROOD__COUNT(loop->begun, 1);
    BROOD__COUNT(loop->canceled, 1);
    brood__purse_earn(&brood__self.purse, late->scope);
    brood__late_unmake(late);
}

unsigned brood__late_take(brood_loop_manager_t *loop)
{
    brood__link_t *link;
    unsigned n = 0;

    while (n < BROOD__BATCH && (link = brood__list_pop(&loop->late))) {
        brood__late_t *late = BROOD__CONTAINER(link, brood__late_t,
                                               time.way.link);
        brood__call_t call = { late->fn, late->baton, late->scope };

        loop->calls[n++] = call;
        brood__late_unmake(late);
    }
    return n;
}
