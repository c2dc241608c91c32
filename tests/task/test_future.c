/* SPDX-License-Identifier: Apache-2.0 */

/* test_future.c: who owns a result, who may read it, and when it goes. */

#include <string.h>

#include <brood/observe.h>

#include "task/magazine.h"
#include "task/tools.h"

static const apr_status_t failure = APR_EGENERAL;

/* What the hook for unread failures was told. */
static atomic_int g_unread;
static apr_status_t g_unread_status;
static char g_unread_name[32];

static void unread(apr_status_t status, const char *name, void *baton)
{
    (void)baton;
    g_unread_status = status;
    strncpy(g_unread_name, name ? name : "", sizeof(g_unread_name) - 1);
    brood__add(&g_unread, 1, release);
}

static void listen_to_unread(void)
{
    brood__store(&g_unread, 0, relaxed);
    g_unread_name[0] = '\0';
    brood_unobserved_hook_set(unread, NULL);
}

/* Until the workers have dropped what they held. */
static int unread_after_idle(void)
{
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_wait_idle(pool(), -1));
    brood_unobserved_hook_set(NULL, NULL);
    return brood__load(&g_unread, acquire);
}

static void null_is_refused_or_accepted_as_documented(void)
{
    brood_future_t *none = NULL;
    void *value = &none;
    apr_size_t index = 7;
    pledge_t p = pledge();

    ASSERT_STATUS(APR_EINVAL, brood_future_wait(NULL, 0));
    ASSERT_STATUS(APR_EINVAL, brood_future_result(NULL, &value));
    CU_ASSERT_PTR_NULL(value);
    value = &none;
    ASSERT_STATUS(APR_EINVAL, brood_future_get(NULL, &value, -1));
    CU_ASSERT_PTR_NULL(value);
    value = &none;
    ASSERT_STATUS(APR_EINVAL, brood_future_take(NULL, &value));
    CU_ASSERT_PTR_NULL(value);
    ASSERT_STATUS(APR_EINVAL, brood_future_take(p.future, NULL));
    ASSERT_STATUS(APR_EINVAL, brood_future_cancel(NULL));
    ASSERT_STATUS(APR_EINVAL, brood_future_wait_all(NULL, 1, 0));
    ASSERT_STATUS(APR_EINVAL, brood_future_wait_all(&none, 1, 0));
    ASSERT_STATUS(APR_SUCCESS, brood_future_wait_all(NULL, 0, -1));
    ASSERT_STATUS(APR_EINVAL, brood_future_wait_any(NULL, 1, &index, 0));
    ASSERT_STATUS(APR_EINVAL, brood_future_wait_any(&none, 1, &index, 0));
    ASSERT_STATUS(APR_EINVAL, brood_future_wait_any(&p.future, 0, &index, 0));
    ASSERT_STATUS(APR_EINVAL, brood_future_wait_any(&p.future, 1, NULL, 0));
    CU_ASSERT_EQUAL(index, 7);
    CU_ASSERT_PTR_NULL(brood_future_retain(NULL));
    CU_ASSERT_PTR_NULL(brood_future_release(NULL));
    brood_promise_release(p.promise);
    brood_future_release(p.future);
}

static void an_unsettled_future_is_pending(void)
{
    pledge_t p = pledge();
    void *value = &p;

    ASSERT_STATUS(BROOD_EPENDING, brood_future_result(p.future, &value));
    CU_ASSERT_PTR_NULL(value);
    value = &p;
    ASSERT_STATUS(BROOD_EPENDING, brood_future_take(p.future, &value));
    CU_ASSERT_PTR_NULL(value);
    value = &p;
    ASSERT_STATUS(APR_TIMEUP, brood_future_get(p.future, &value, 0));
    CU_ASSERT_PTR_NULL(value);
    brood_promise_release(p.promise);
    ASSERT_STATUS(BROOD_EABANDONED, brood_future_result(p.future, NULL));
    brood_future_release(p.future);
}

static void a_value_is_read_as_often_as_wanted_and_dies_with_the_future(void)
{
    brood_future_t *future, *other;
    void *value = NULL;
    job_t job;

    job_init(&job);
    door_open(&job.go);
    future = job_submit(&job, pool());
    other = brood_future_retain(future);
    CU_ASSERT_PTR_EQUAL(other, future);
    ASSERT_STATUS(APR_SUCCESS, brood_future_get(future, &value, -1));
    CU_ASSERT_PTR_EQUAL(value, &job);
    value = NULL;
    ASSERT_STATUS(APR_SUCCESS, brood_future_result(future, &value));
    CU_ASSERT_PTR_EQUAL(value, &job);
    ASSERT_STATUS(APR_SUCCESS, brood_future_result(future, NULL));
    CU_ASSERT_PTR_NULL(brood_future_release(future));
    CU_ASSERT_EQUAL(job_frees(&job), 0);
    ASSERT_STATUS(APR_SUCCESS, brood_future_result(other, &value));
    brood_future_release(other);
    WAIT_UNTIL(job_frees(&job) == 1); /* the worker may be the last */
    CU_ASSERT_EQUAL(job_destroys(&job), 1);
    CU_ASSERT_EQUAL(job_runs(&job), 1);
    job_fini(&job);
}

static void the_value_of_a_failed_task_is_freed_at_once(void)
{
    brood_future_t *future;
    void *value = &future;
    job_t job;

    job_init(&job);
    job.status = failure;
    door_open(&job.go);
    future = job_submit(&job, pool());
    ASSERT_STATUS(APR_SUCCESS, brood_future_wait(future, -1));
    CU_ASSERT_EQUAL(job_frees(&job), 1);
    ASSERT_STATUS(failure, brood_future_result(future, &value));
    CU_ASSERT_PTR_NULL(value);
    value = &future;
    ASSERT_STATUS(failure, brood_future_get(future, &value, -1));
    CU_ASSERT_PTR_NULL(value);
    value = &future;
    ASSERT_STATUS(failure, brood_future_take(future, &value));
    CU_ASSERT_PTR_NULL(value);
    brood_future_release(future);
    CU_ASSERT_EQUAL(job_frees(&job), 1);
    CU_ASSERT_EQUAL(job_destroys(&job), 1);
    job_fini(&job);
}

static void a_value_is_taken_once(void)
{
    brood_future_t *future;
    void *value = NULL;
    job_t job;

    job_init(&job);
    door_open(&job.go);
    future = job_submit(&job, pool());
    ASSERT_STATUS(APR_SUCCESS, brood_future_wait(future, -1));
    ASSERT_STATUS(APR_SUCCESS, brood_future_take(future, &value));
    CU_ASSERT_PTR_EQUAL(value, &job);
    ASSERT_STATUS(BROOD_EALREADY, brood_future_take(future, &value));
    CU_ASSERT_PTR_NULL(value);
    brood_future_release(future);
    CU_ASSERT_EQUAL(job_frees(&job), 0);
    job_fini(&job);
}

static void a_task_goes_on_when_its_future_is_released(void)
{
    job_t job;

    job_init(&job);
    brood_future_release(job_submit(&job, pool()));
    door_wait(&job.begun);
    door_open(&job.go);
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_wait_idle(pool(), -1));
    CU_ASSERT_EQUAL(job_runs(&job), 1);
    CU_ASSERT_EQUAL(job_frees(&job), 1);
    CU_ASSERT_EQUAL(job_destroys(&job), 1);
    job_fini(&job);
}

static void destroy_is_called_once_also_for_what_never_ran(void)
{
    brood_thread_manager_t *one = start("one", 1, 0);
    brood_future_t *gate, *queued, *delayed;
    job_t first, second, third;

    job_init(&first);
    job_init(&second);
    job_init(&third);
    third.options.delay = apr_time_from_sec(3600);
    gate = job_submit(&first, one);
    queued = job_submit(&second, one);
    delayed = job_submit(&third, one);
    door_wait(&first.begun);
    ASSERT_STATUS(APR_TIMEUP,
                  brood_thread_manager_stop(one, BROOD_STOP_CANCEL, 0));
    ASSERT_STATUS(BROOD_ECANCELED, brood_future_get(queued, NULL, -1));
    ASSERT_STATUS(BROOD_ECANCELED, brood_future_get(delayed, NULL, -1));
    CU_ASSERT_EQUAL(job_destroys(&first), 0);
    door_open(&first.go);
    ASSERT_STATUS(APR_SUCCESS, brood_future_get(gate, NULL, -1));
    stop(one);
    CU_ASSERT_EQUAL(job_runs(&second) + job_runs(&third), 0);
    CU_ASSERT_EQUAL(job_destroys(&first), 1);
    CU_ASSERT_EQUAL(job_destroys(&second), 1);
    CU_ASSERT_EQUAL(job_destroys(&third), 1);
    CU_ASSERT_EQUAL(job_frees(&second) + job_frees(&third), 0);
    brood_future_release(gate);
    brood_future_release(queued);
    brood_future_release(delayed);
    job_fini(&first);
    job_fini(&second);
    job_fini(&third);
}

static void destroy_is_not_called_for_a_refused_task(void)
{
    brood_thread_manager_t *one = manager_of("one"); /* it is stopped */
    const size_t live = brood__alloc_live();
    brood_future_t *future = (brood_future_t *)(void *)&one;
    job_t job;

    job_init(&job);
    job.options.queue_timeout = apr_time_from_sec(3600);
    ASSERT_STATUS(
        BROOD_ESTOPPED,
        brood_thread_manager_submit(&future, one, job_run, &job, &job.options));
    CU_ASSERT_PTR_NULL(future);
    job.options.flags = 0x80;
    ASSERT_STATUS(APR_EINVAL,
                  brood_thread_manager_submit(&future, pool(), job_run, &job,
                                              &job.options));
    CU_ASSERT_EQUAL(job_destroys(&job) + job_runs(&job), 0);
    CU_ASSERT_EQUAL(brood__alloc_live(), live);
    job_fini(&job);
}

/* ---- failures that nobody read ------------------------------------------ */

typedef struct unread_row_t {
    const char *what;
    apr_status_t status;
    int quiet, wanted, read; /* 1: result, 2: get, 3: take, 4: wait only */
    int reports;
} unread_row_t;

static void read_it(brood_future_t *future, int how)
{
    void *value;

    ASSERT_STATUS(APR_SUCCESS, brood_future_wait(future, -1));
    if (how == 1)
        (void)brood_future_result(future, NULL);
    else if (how == 2)
        (void)brood_future_get(future, &value, -1);
    else if (how == 3)
        (void)brood_future_take(future, &value);
}

static void a_failure_that_nobody_read_is_reported_once(void)
{
    static const unread_row_t rows[] = {
        { "not wanted", APR_EGENERAL, 0, 0, 0, 1 },
        { "unread", APR_EGENERAL, 0, 1, 0, 1 },
        { "waited for only", APR_EGENERAL, 0, 1, 4, 1 },
        { "result", APR_EGENERAL, 0, 1, 1, 0 },
        { "get", APR_EGENERAL, 0, 1, 2, 0 },
        { "take", APR_EGENERAL, 0, 1, 3, 0 },
        { "quiet", APR_EGENERAL, 1, 1, 0, 0 },
        { "quiet and not wanted", APR_EGENERAL, 1, 0, 0, 0 },
        { "canceled", BROOD_ECANCELED, 0, 1, 0, 0 },
        { "a success", APR_SUCCESS, 0, 1, 0, 0 },
    };
    size_t i;

    for (i = 0; i < N_OF(rows); i++) {
        brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;
        apr_status_t status = rows[i].status;
        brood_future_t *future = NULL;
        int reports;

        o.name = rows[i].what;
        o.flags = rows[i].quiet ? BROOD_TASK_QUIET : 0;
        listen_to_unread();
        ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit(
                                       rows[i].wanted ? &future : NULL, pool(),
                                       returns_status, &status, &o));
        if (future && rows[i].read)
            read_it(future, rows[i].read);
        brood_future_release(future);
        reports = unread_after_idle();
        if (reports != rows[i].reports)
            printf("# %s: %d reports\n", rows[i].what, reports);
        CU_ASSERT_EQUAL(reports, rows[i].reports);
        if (reports) {
            CU_ASSERT_EQUAL(g_unread_status, status);
            CU_ASSERT_STRING_EQUAL(g_unread_name, rows[i].what);
        }
    }
}

static void a_promise_is_never_reported(void)
{
    pledge_t p = pledge();

    listen_to_unread();
    ASSERT_STATUS(APR_SUCCESS, brood_promise_settle(p.promise, failure, NULL));
    brood_future_release(p.future);
    p = pledge();
    brood_promise_release(p.promise);
    brood_future_release(p.future);
    CU_ASSERT_EQUAL(unread_after_idle(), 0);
}

/* ---- what a future costs ------------------------------------------------ */

static void a_future_and_its_task_are_one_allocation(void)
{
    brood_future_t *future;
    size_t live, futures;
    door_t door;

    door_init(&door);
    live = brood__alloc_live();
    futures = brood__futures_live();
    future = submit(pool(), waits_at_door, &door, NULL);
    CU_ASSERT_EQUAL(brood__alloc_live(), live); /* of the magazine */
    CU_ASSERT_EQUAL(brood__futures_live(), futures + 1);
    door_open(&door);
    ASSERT_STATUS(APR_SUCCESS, brood_future_wait(future, -1));
    brood_future_release(future);
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_wait_idle(pool(), -1));
    door_fini(&door);
}

static void a_task_whose_result_nobody_wants_has_no_future(void)
{
    size_t live, futures;
    door_t door;

    door_init(&door);
    live = brood__alloc_live();
    futures = brood__futures_live();
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit(
                                   NULL, pool(), waits_at_door, &door, NULL));
    CU_ASSERT_EQUAL(brood__alloc_live(), live);
    CU_ASSERT_EQUAL(brood__futures_live(), futures);
    door_open(&door);
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_wait_idle(pool(), -1));
    door_fini(&door);
}

static void options_are_one_more_allocation(void)
{
    brood_future_t *future;
    size_t live, extras;
    job_t job;

    job_init(&job);
    live = brood__alloc_live();
    extras = brood__magazines_live(BROOD__EXTRAS);
    future = job_submit(&job, pool());
    CU_ASSERT_EQUAL(brood__alloc_live(), live); /* of the magazine */
    CU_ASSERT_EQUAL(brood__magazines_live(BROOD__EXTRAS), extras + 1);
    door_open(&job.go);
    brood_future_release(future);
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_wait_idle(pool(), -1));
    CU_ASSERT_EQUAL(brood__alloc_live(), live);
    job_fini(&job);
}

static const test_t tests[] = {
    TEST(null_is_refused_or_accepted_as_documented),
    TEST(an_unsettled_future_is_pending),
    TEST(a_value_is_read_as_often_as_wanted_and_dies_with_the_future),
    TEST(the_value_of_a_failed_task_is_freed_at_once),
    TEST(a_value_is_taken_once),
    TEST_KEEPS(a_task_goes_on_when_its_future_is_released, KEEPS_MEMORY),
    TEST_KEEPS(destroy_is_called_once_also_for_what_never_ran, KEEPS_ALL),
    TEST(destroy_is_not_called_for_a_refused_task),
    TEST(a_failure_that_nobody_read_is_reported_once),
    TEST(a_promise_is_never_reported),
    TEST(a_future_and_its_task_are_one_allocation),
    TEST(a_task_whose_result_nobody_wants_has_no_future),
    TEST(options_are_one_more_allocation),
};

HARNESS_MAIN_WARM("future", tests, warm_up)
