/* SPDX-License-Identifier: Apache-2.0 */

/* test_faults.c: memory and threads run out at every place of a submit: nothing
 * is queued, nothing is lost, and later it works. */

#include <stdlib.h>

#include "task/magazine.h"
#include "task/tools.h"

typedef struct row_t {
    const char *what;
    brood__fault_e kind;
    brood_task_options_t options;
    int wanted;   /* a future is */
    size_t keeps; /* blocks that stay: heap of timers; worker, lane, block */
    brood_thread_manager_t *manager;
} row_t;

/* Returns how many submits were refused before one was not. */
static unsigned walk(const row_t *row, job_t *job)
{
    const size_t live = brood__alloc_live();
    const size_t futures = brood__futures_live();
    brood_future_t *future;
    unsigned n = 0;
    apr_status_t rv;

    do {
        future = (brood_future_t *)(void *)job;
        brood__fault_at(row->kind, ++n);
        rv = brood_thread_manager_submit(row->wanted ? &future : NULL,
                                         row->manager, job_run, job,
                                         &row->options);
        brood__fault_at(row->kind, 0);
        if (rv != APR_SUCCESS) {
            if (row->kind == BROOD__FAULT_MEMORY)
                ASSERT_STATUS(APR_ENOMEM, rv);
            CU_ASSERT(brood__alloc_live() - live <= row->keeps);
            CU_ASSERT_EQUAL(brood__futures_live(), futures);
            if (row->wanted)
                CU_ASSERT_PTR_NULL(future);
        }
    } while (rv != APR_SUCCESS && n < 20);
    ASSERT_STATUS(APR_SUCCESS, rv);
    if (row->wanted && rv == APR_SUCCESS) {
        ASSERT_STATUS(APR_SUCCESS, brood_future_get(future, NULL, -1));
        brood_future_release(future);
    }
    return n - 1;
}

static void a_refused_task_was_never_queued(void)
{
    brood_thread_manager_options_t o = BROOD_THREAD_MANAGER_OPTIONS_INIT;
    brood_thread_manager_t *lazy = manager_of("lazy");
    const brood_task_options_t none = BROOD_TASK_OPTIONS_INIT;
    row_t rows[] = {
        { "plain", BROOD__FAULT_MEMORY, none, 0, 0, pool() },
        { "with a future", BROOD__FAULT_MEMORY, none, 1, 0, pool() },
        { "with options", BROOD__FAULT_MEMORY, none, 1, 0, pool() },
        { "with options, unwanted", BROOD__FAULT_MEMORY, none, 0, 0, pool() },
        { "with a timer", BROOD__FAULT_MEMORY, none, 1, 1, pool() },
        { "with the first thread", BROOD__FAULT_THREAD, none, 1, 3, lazy },
        { "urgent, first thread", BROOD__FAULT_THREAD, none, 1, 3, lazy },
    };
    job_t job;
    size_t i;

    o.min_workers = -1;
    o.max_workers = 2;
    job_init(&job);
    door_open(&job.go);
    for (i = 2; i < 5; i++) {
        rows[i].options.destroy = job_destroyed;
        rows[i].options.free_value = job_freed;
    }
    rows[4].options.queue_timeout = apr_time_from_sec(3600);
    rows[6].options.priority = BROOD_PRIORITY_HIGH;
    for (i = 0; i < N_OF(rows); i++) {
        unsigned refused;

        if (rows[i].manager == lazy)
            ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_start(lazy, &o));
        refused = walk(&rows[i], &job);
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_wait_idle(rows[i].manager, -1));
        printf("# %s: %u ways to fail\n", rows[i].what, refused);
        if (rows[i].manager == lazy)
            stop(lazy);
        CU_ASSERT_EQUAL(job_runs(&job), (int)i + 1);
    }
    CU_ASSERT_EQUAL(job_destroys(&job), 3);
    CU_ASSERT_EQUAL(job_frees(&job), 3);
    job_fini(&job);
}

/* The timers' thread is made with the first task that needs it. */
static void without_the_timers_thread_a_timeout_is_refused(void)
{
    const size_t live = brood__alloc_live();
    brood_future_t *future = NULL;
    apr_status_t rv;
    job_t job;

    brood__timers_stop();
    job_init(&job);
    job.options.run_timeout = 1;
    brood__fault_at(BROOD__FAULT_THREAD, 1);
    rv = brood_thread_manager_submit(&future, pool(), job_run, &job,
                                     &job.options);
    ASSERT_STATUS(APR_EAGAIN, rv); /* and not that memory ran out */
    CU_ASSERT_FALSE(brood__fault_pending(BROOD__FAULT_THREAD));
    brood__fault_at(BROOD__FAULT_THREAD, 0);
    CU_ASSERT_PTR_NULL(future);
    brood__timers_stop(); /* its heap was made */
    CU_ASSERT(brood__alloc_live() <= live);
    CU_ASSERT_EQUAL(job_runs(&job) + job_destroys(&job), 0);
    job_fini(&job);
}

static const test_t tests[] = {
    TEST_KEEPS(a_refused_task_was_never_queued, KEEPS_ALL),
    TEST_KEEPS(without_the_timers_thread_a_timeout_is_refused, KEEPS_ALL),
};

HARNESS_MAIN_WARM("faults", tests, warm_up)
