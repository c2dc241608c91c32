/* SPDX-License-Identifier: Apache-2.0 */

/* test_choose.c: short tasks share a worker, and are not lost behind a long one. */

#include "process/core.h"
#include "process/tasks.h"

#include <stdio.h>

enum { BEFORE = 300, BEHIND = 20, ROUNDS = 20, UNREAD = 5000, WINDOW = 8 };

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

static uint64_t workers(brood_process_manager_t *m)
{
    brood_stats_t stats = BROOD_STATS_INIT;

    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_stats(m, &stats));
    return stats.workers;
}

/* One worker does them all, until the others have been idle for too long. */
static void flood_one(brood_process_manager_t *m, brood_future_t **window)
{
    unsigned n = 0;

    submit_empty(m, window, WINDOW);
    do {
        ASSERT_STATUS(APR_SUCCESS, process_end(window[n % WINDOW]));
        window[n % WINDOW] = process_submit(m, "empty", "");
    } while (++n < BEFORE || (workers(m) > 1 && n < UNREAD * 10));
}

/* The one that is left looks quick when the long task comes. */
static void what_waits_behind_a_long_task_gets_a_new_worker(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;
    brood_future_t *window[WINDOW], *last, *after;
    file_door_t door;
    char go[220];

    o.max_workers = 2;
    o.min_workers = 1;
    o.idle_timeout = 1000;
    m = process_manager(&o);
    file_door_init(&door, "long");
    (void)snprintf(go, sizeof(go), "%s.go", door.path);
    flood_one(m, window);
    last = process_submit(m, "hold", door.path);
    after = process_submit(m, "empty", "");
    end_all(window, WINDOW);
    end_all(&after, 1);
    file_door_open(go);
    ASSERT_STATUS(APR_SUCCESS, process_end(last));
    file_door_fini(&door);
    process_stop(m);
}

/* Its payload is copied when it is known that it cannot be borrowed, and that is
 * when it goes to the worker. Where systems cannot seal memory all are like this. */
static void a_worker_whose_memory_is_not_sealed_gets_its_task(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;
    brood__link_t *link;
    char text[200];

    o.max_workers = 1;
    m = process_manager(&o);
    process_expect(m, "echo", "first", "first");
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    brood__lock(&m->lock);
    BROOD__LIST_EACH (&m->children, link)
        BROOD__CONTAINER(link, brood__child_t, link)->sealed = 0;
    brood__unlock(&m->lock);
    process_expect(m, "echo", text, text);
    process_stop(m);
}

static const test_t tests[] = {
    TEST_KEEPS(what_waits_behind_a_long_task_moves_to_who_is_idle,
               KEEPS_MEMORY),
    TEST_KEEPS(what_waits_behind_a_long_task_gets_a_new_worker, KEEPS_MEMORY),
    TEST_KEEPS(a_worker_whose_memory_is_not_sealed_gets_its_task, KEEPS_MEMORY),
    TEST_KEEPS(a_flood_that_nobody_waits_for_is_worked_off, KEEPS_MEMORY),
};

PROCESS_MAIN("choose", tests)
