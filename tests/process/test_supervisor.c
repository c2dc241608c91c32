/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_supervisor.c: what happens between the supervisor's look and its sleep.
 *
 * The supervisor is compiled here once more, with a door before it arms the
 * workers for its sleep; it comes before that of the core's archive.
 */

#include "process/core.h"

static int arm_behind_the_door(brood_process_manager_t *m, int on);

#define brood__tend_arm arm_behind_the_door
#include "process/supervisor.c"
#undef brood__tend_arm

#include "process/tasks.h"

static atomic_int g_closed; /* the door is to be closed */
static turnstile_t g_before;
static door_t g_door;

/* The first task is answered, and that was read. Then the worker does not ring
 * for the next one: as it is when its ring was heard. */
static int is_quiet(brood_process_manager_t *m)
{
    brood__link_t *link;
    int quiet = 0;

    brood__lock(&m->lock);
    BROOD__LIST_EACH (&m->children, link) {
        brood__child_t *child = BROOD__CONTAINER(link, brood__child_t, link);

        quiet = child->served == 1 && !child->n_out;
        if (quiet)
            brood__child_disarm(child);
    }
    brood__unlock(&m->lock);
    return quiet;
}

/* Only when it is about to sleep until somebody wakes it. */
static int arm_behind_the_door(brood_process_manager_t *m, int on)
{
    if (on && brood__load(&g_closed, acquire) && is_quiet(m)) {
        brood__store(&g_closed, 0, relaxed);
        turnstile_pass(&g_before);
        door_wait(&g_door);
    }
    return brood__tend_arm(m, on);
}

/* A thread reads the last result of a worker that is then used up. The
 * supervisor has looked before, and finds nothing that it has not read. */
static void who_reads_the_last_result_has_the_worker_replaced(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;
    brood_future_t *first, *last;

    turnstile_init(&g_before);
    door_init(&g_door);
    o.max_workers = 1;
    o.max_tasks_per_worker = 2;
    m = process_manager(&o);
    brood__store(&g_closed, 1, release);
    first = process_submit(m, "echo", "x");
    turnstile_wait(&g_before, 1);
    ASSERT_STATUS(APR_SUCCESS, process_end(first));
    last = process_submit(m, "echo", "y");
    WAIT_UNTIL(brood__process_poll(last));
    ASSERT_STATUS(APR_SUCCESS, process_end(last));
    door_open(&g_door);

    process_expect(m, "echo", "z", "z"); /* by the next worker, if it comes */
    process_stop(m);
    door_fini(&g_door);
    turnstile_fini(&g_before);
}

static const test_t tests[] = {
    TEST_KEEPS(who_reads_the_last_result_has_the_worker_replaced, KEEPS_MEMORY),
};

PROCESS_MAIN("supervisor", tests)
