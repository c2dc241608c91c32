/* SPDX-License-Identifier: Apache-2.0 */

/* test_choose.c: short tasks share a worker, and are not lost behind a long one. */

#include "process/tasks.h"

#include <stdio.h>

enum { BEFORE = 300, BEHIND = 20, ROUNDS = 20, UNREAD = 5000 };

static brood_process_manager_t *two_workers(void)
{
    brood_process_manager_options_t o = OPTIONS;

    o.max_workers = o.min_workers = 2;
    return process_manager(&o);
}

static void submit_empty(brood_process_manager_t *m, brood_future_t **futures,
                         unsigned n)
{
    while (n--)
        *futures++ = process_submit(m, "empty", "");
}

static void end_all(brood_future_t **futures, unsigned n)
{
    while (n--)
        ASSERT_STATUS(APR_SUCCESS, process_end(*futures++));
}

/* The long one looks like those before it, and what follows is put behind it. */
static void one_round(brood_process_manager_t *m, int wait_first)
{
    brood_future_t *before[BEFORE], *after[BEHIND], *last;
    file_door_t door;
    char go[220];

    file_door_init(&door, "long");
    (void)snprintf(go, sizeof(go), "%s.go", door.path);
    submit_empty(m, before, BEFORE);
    if (wait_first)
        end_all(before, BEFORE);
    last = process_submit(m, "hold", door.path);
    submit_empty(m, after, BEHIND);
    if (!wait_first)
        end_all(before, BEFORE);
    end_all(after, BEHIND);
    file_door_open(go);
    ASSERT_STATUS(APR_SUCCESS, process_end(last));
    file_door_fini(&door);
}

static void what_waits_behind_a_long_task_moves_to_who_is_idle(void)
{
    brood_process_manager_t *m = two_workers();
    unsigned i, rounds = test_rounds(ROUNDS);

    for (i = 0; i < rounds; i++)
        one_round(m, i & 1);
    process_stop(m);
}

static void pass(brood_future_t *future, void *turnstile)
{
    (void)future;
    turnstile_pass(turnstile);
}

/* Only the supervisor reads them. */
static void a_flood_that_nobody_waits_for_is_worked_off(void)
{
    static brood_future_t *futures[UNREAD];
    brood_process_manager_t *m = two_workers();
    turnstile_t turnstile;
    unsigned i;

    turnstile_init(&turnstile);
    submit_empty(m, futures, UNREAD);
    for (i = 0; i < UNREAD; i++)
        if (brood_future_notify(futures[i], NULL, pass, &turnstile)
            == BROOD_EALREADY)
            turnstile_pass(&turnstile);
    turnstile_wait(&turnstile, UNREAD);
    end_all(futures, UNREAD);
    turnstile_fini(&turnstile);
    process_stop(m);
}

static const test_t tests[] = {
    TEST_KEEPS(what_waits_behind_a_long_task_moves_to_who_is_idle,
               KEEPS_MEMORY),
    TEST_KEEPS(a_flood_that_nobody_waits_for_is_worked_off, KEEPS_MEMORY),
};

PROCESS_MAIN("choose", tests)
