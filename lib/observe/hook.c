/* SPDX-License-Identifier: Apache-2.0 */

/* hook.c: functions of the program that can be exchanged during calls. */

#include "observe/hook.h"

#define POLL (100 * 1000) /* ns between two looks of a waiting setter */

/* Hooks that run on this thread. */
static BROOD__THREAD_LOCAL unsigned tl_inside;

static unsigned my_stripe(void);
static void publish(brood__hook_t *hook, brood__hook_fn *first,
                    brood__hook_fn *second, void *baton);
static void wait_for_row(brood__hook_row_t *row);

void brood__hook_enter(brood__hook_t *hook, brood__hook_call_t *call)
{
    unsigned row = brood__load(&hook->row, relaxed);
    unsigned before;
    unsigned after;

    brood__lock_none_held();
    call->count = &hook->rows[row].stripe[my_stripe()].n;
    brood__add(call->count, 1, seq_cst); /* (A) */
    tl_inside++;

    after = brood__load(&hook->version, seq_cst); /* (A) */
    do {                                          /* (B) */
        before = after;
        call->first = brood__load(&hook->first, acquire);
        call->second = brood__load(&hook->second, acquire);
        call->baton = brood__load(&hook->baton, acquire);
        after = brood__load(&hook->version, acquire);
    } while ((after != before || (before & 1)) && !brood__os_forked());
    call->version = after;
}

void brood__hook_leave(brood__hook_call_t *call)
{
    tl_inside--;
    brood__sub(call->count, 1, release);
}

void brood__hook_set(brood__hook_t *hook, brood__hook_fn *first,
                     brood__hook_fn *second, void *baton)
{
    unsigned row;

    if (brood__os_forked()) { /* alone, and locks may be held by nobody */
        publish(hook, first, second, baton);
        return;
    }
    brood__lock(&hook->publish);
    publish(hook, first, second, baton);
    brood__unlock(&hook->publish);
    if (tl_inside)
        return;

    brood__lock(&hook->turn);
    row = brood__load(&hook->row, relaxed);
    brood__store(&hook->row, !row, relaxed);
    wait_for_row(&hook->rows[row]);
    brood__store(&hook->row, row, relaxed);
    wait_for_row(&hook->rows[!row]);
    brood__unlock(&hook->turn);
}

/* As in base/alloc.c: thread-local variables lie whole pages apart. */
static unsigned my_stripe(void)
{
    const uint32_t page = (uint32_t)((uintptr_t)&tl_inside >> 12);

    return (page * 2654435769u) >> 29;
}

static void publish(brood__hook_t *hook, brood__hook_fn *first,
                    brood__hook_fn *second, void *baton)
{
    unsigned version = brood__load(&hook->version, relaxed) | 1u;

    brood__swap(&hook->version, version, acq_rel); /* (B) */
    brood__store(&hook->first, first, release);
    brood__store(&hook->second, second, release);
    brood__store(&hook->baton, baton, release);
    brood__store(&hook->version, version + 1, seq_cst); /* (A), (B) */
}

static void wait_for_row(brood__hook_row_t *row)
{
    atomic_uint nobody = 0;
    unsigned i;

    for (i = 0; i < BROOD__HOOK_STRIPES; i++)
        while (brood__load(&row->stripe[i].n, seq_cst)) /* (A) */
            (void)brood__os_park(&nobody, 0, POLL);
}
