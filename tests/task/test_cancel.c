/* SPDX-License-Identifier: Apache-2.0 */

/* test_cancel.c: asking for the end of a task, by hand and by the clock. */

#include "task/tools.h"

/* A task that waits, twice, and says what it saw. */
typedef struct waiter_task_t {
    door_t begun, again, go;
    brood_future_t *first, *second;
    apr_status_t waits[2];
    int canceled[3];
    apr_status_t returns;
} waiter_task_t;

static apr_status_t waits_twice(void *baton, void **result)
{
    waiter_task_t *self = baton;

    (void)result;
    self->canceled[0] = brood_task_canceled();
    door_open(&self->begun);
    door_wait(&self->go);
    self->waits[0] = brood_future_wait(self->first, -1);
    self->canceled[1] = brood_task_canceled();
    door_open(&self->again);
    self->waits[1] = brood_future_wait(self->second, -1);
    self->canceled[2] = brood_task_canceled();
    return self->returns;
}

static void waiter_task_init(waiter_task_t *self, pledge_t *p)
{
    door_init(&self->begun);
    door_init(&self->again);
    door_init(&self->go);
    p[0] = pledge();
    p[1] = pledge();
    self->first = p[0].future;
    self->second = p[1].future;
    self->returns = BROOD_EINTERRUPTED;
}

static void waiter_task_fini(waiter_task_t *self, pledge_t *p)
{
    int i;

    for (i = 0; i < 2; i++) {
        brood_promise_release(p[i].promise);
        brood_future_release(p[i].future);
    }
    door_fini(&self->begun);
    door_fini(&self->again);
    door_fini(&self->go);
}

/* Its task is asleep in a wait. */
static int sleeps(brood_future_t *task)
{
    return (brood__load(&task->state, acquire) & BROOD__WAITING) != 0;
}

static void a_queued_task_never_runs(void)
{
    brood_thread_manager_t *one = start("one", 1, 0);
    brood_future_t *gate, *queued;
    void *value = &gate;
    job_t first, second;

    job_init(&first);
    job_init(&second);
    gate = job_submit(&first, one);
    queued = job_submit(&second, one);
    door_wait(&first.begun);
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(queued));
    ASSERT_STATUS(BROOD_ECANCELED, brood_future_result(queued, &value));
    CU_ASSERT_PTR_NULL(value);
    ASSERT_STATUS(BROOD_EALREADY, brood_future_cancel(queued));
    CU_ASSERT_EQUAL(job_destroys(&second), 1);
    brood_future_release(queued);
    door_open(&first.go);
    ASSERT_STATUS(APR_SUCCESS, brood_future_wait(gate, -1));
    ASSERT_STATUS(BROOD_EALREADY, brood_future_cancel(gate));
    brood_future_release(gate);
    stop(one);
    CU_ASSERT_EQUAL(job_runs(&second), 0);
    CU_ASSERT_EQUAL(job_destroys(&second), 1);
    job_fini(&first);
    job_fini(&second);
}

static apr_status_t says_canceled(void *baton, void **result)
{
    job_t *job = baton;
    apr_status_t rv = job_run(job, result);

    *result = brood_task_canceled() ? job : NULL;
    return rv;
}

static void a_running_task_decides_how_it_ends(void)
{
    static const struct {
        apr_status_t returns, settles;
    } rows[] = {
        { APR_SUCCESS, APR_SUCCESS },
        { BROOD_ECANCELED, BROOD_ECANCELED },
        { BROOD_EINTERRUPTED, BROOD_ECANCELED },
        { APR_EGENERAL, APR_EGENERAL },
    };
    size_t i;

    for (i = 0; i < N_OF(rows); i++) {
        brood_future_t *future;
        void *value = NULL;
        job_t job;

        job_init(&job);
        job.status = rows[i].returns;
        future = submit(pool(), says_canceled, &job, &job.options);
        door_wait(&job.begun);
        ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(future));
        ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(future));
        door_open(&job.go);
        ASSERT_STATUS(rows[i].settles, brood_future_get(future, &value, -1));
        CU_ASSERT_PTR_EQUAL(value, rows[i].settles ? NULL : &job);
        brood_future_release(future);
        /* the worker may be the last to let go */
        WAIT_UNTIL(job_frees(&job) == 1);
        job_fini(&job);
    }
}

static void without_a_token_a_status_stands(void)
{
    static const apr_status_t rows[] = { BROOD_ECANCELED, BROOD_EINTERRUPTED,
                                         BROOD_EOVERRUN };
    size_t i;

    CU_ASSERT_EQUAL(brood_task_canceled(), 0);
    for (i = 0; i < N_OF(rows); i++) {
        brood_future_t *future = submit(pool(), returns_status,
                                        (void *)&rows[i], NULL);

        ASSERT_STATUS(rows[i], brood_future_get(future, NULL, -1));
        brood_future_release(future);
    }
}

static void a_cancel_interrupts_the_present_wait_and_no_later_one(void)
{
    brood_future_t *future;
    waiter_task_t task;
    pledge_t p[2];

    waiter_task_init(&task, p);
    future = submit(pool(), waits_twice, &task, NULL);
    door_open(&task.go);
    WAIT_UNTIL(sleeps(future));
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(future));
    door_wait(&task.again);
    brood_promise_settle(p[1].promise, APR_SUCCESS, NULL);
    p[1].promise = NULL;
    ASSERT_STATUS(BROOD_ECANCELED, brood_future_get(future, NULL, -1));
    ASSERT_STATUS(BROOD_EINTERRUPTED, task.waits[0]);
    ASSERT_STATUS(APR_SUCCESS, task.waits[1]);
    CU_ASSERT_EQUAL(task.canceled[0], 0);
    CU_ASSERT_EQUAL(task.canceled[1], 1);
    CU_ASSERT_EQUAL(task.canceled[2], 1);
    /* What it awaited was not canceled. */
    ASSERT_STATUS(BROOD_EPENDING, brood_future_result(p[0].future, NULL));
    brood_future_release(future);
    waiter_task_fini(&task, p);
}

/* Only the first wait was cut short. */
static void second_wait_works(waiter_task_t *task, pledge_t *p,
                              brood_future_t *future)
{
    brood_promise_settle(p[1].promise, APR_SUCCESS, NULL);
    p[1].promise = NULL;
    ASSERT_STATUS(BROOD_ECANCELED, brood_future_get(future, NULL, -1));
    ASSERT_STATUS(BROOD_EINTERRUPTED, task->waits[0]);
    ASSERT_STATUS(APR_SUCCESS, task->waits[1]);
    brood_future_release(future);
    waiter_task_fini(task, p);
}

static void a_cancel_interrupts_the_next_wait_when_there_is_none(void)
{
    brood_future_t *future;
    waiter_task_t task;
    pledge_t p[2];

    waiter_task_init(&task, p);
    future = submit(pool(), waits_twice, &task, NULL);
    door_wait(&task.begun);
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(future));
    door_open(&task.go);
    door_wait(&task.again);
    second_wait_works(&task, p, future);
}

static void a_second_cancel_leaves_the_clean_up_alone(void)
{
    brood_future_t *future;
    waiter_task_t task;
    pledge_t p[2];

    waiter_task_init(&task, p);
    future = submit(pool(), waits_twice, &task, NULL);
    door_open(&task.go);
    WAIT_UNTIL(sleeps(future));
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(future));
    door_wait(&task.again);
    WAIT_UNTIL(sleeps(future));
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(future));
    second_wait_works(&task, p, future);
}

static void a_wait_that_need_not_sleep_keeps_the_interruption(void)
{
    brood_future_t *future;
    waiter_task_t task;
    pledge_t p[2];

    waiter_task_init(&task, p);
    brood_promise_settle(p[0].promise, APR_SUCCESS, NULL);
    p[0].promise = NULL;
    future = submit(pool(), waits_twice, &task, NULL);
    door_wait(&task.begun);
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(future));
    door_open(&task.go);
    ASSERT_STATUS(BROOD_ECANCELED, brood_future_get(future, NULL, -1));
    ASSERT_STATUS(APR_SUCCESS, task.waits[0]);
    ASSERT_STATUS(BROOD_EINTERRUPTED, task.waits[1]);
    brood_future_release(future);
    waiter_task_fini(&task, p);
}

/* ---- by the clock ------------------------------------------------------- */

static void a_run_timeout_raises_the_token(void)
{
    brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;
    brood_future_t *future;
    waiter_task_t task;
    pledge_t p[2];

    o.run_timeout = 1000;
    waiter_task_init(&task, p);
    door_open(&task.go);
    future = submit(pool(), waits_twice, &task, &o);
    door_wait(&task.again);
    brood_promise_settle(p[1].promise, APR_SUCCESS, NULL);
    p[1].promise = NULL;
    ASSERT_STATUS(BROOD_EOVERRUN, brood_future_get(future, NULL, -1));
    ASSERT_STATUS(BROOD_EINTERRUPTED, task.waits[0]);
    ASSERT_STATUS(APR_SUCCESS, task.waits[1]);
    CU_ASSERT_EQUAL(task.canceled[1], 1);
    brood_future_release(future);
    waiter_task_fini(&task, p);
}

static void a_run_timeout_in_time_changes_nothing(void)
{
    brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;
    brood_future_t *future;

    o.run_timeout = o.queue_timeout = apr_time_from_sec(3600);
    future = submit(pool(), returns_baton, &o, &o);
    ASSERT_STATUS(APR_SUCCESS, brood_future_get(future, NULL, -1));
    brood_future_release(future);
}

static void a_queue_timeout_expires_a_queued_task(void)
{
    brood_thread_manager_t *one = start("one", 1, 0);
    brood_future_t *gate, *queued;
    job_t first, second;

    job_init(&first);
    job_init(&second);
    second.options.queue_timeout = 1000;
    gate = job_submit(&first, one);
    door_wait(&first.begun);
    queued = job_submit(&second, one);
    ASSERT_STATUS(BROOD_EEXPIRED, brood_future_get(queued, NULL, -1));
    CU_ASSERT_EQUAL(job_destroys(&second), 1);
    door_open(&first.go);
    ASSERT_STATUS(APR_SUCCESS, brood_future_wait(gate, -1));
    stop(one);
    CU_ASSERT_EQUAL(job_runs(&second), 0);
    brood_future_release(gate);
    brood_future_release(queued);
    job_fini(&first);
    job_fini(&second);
}

static door_t g_fence; /* opened by a timer that is due last */

static void open_fence(brood__timer_t *timer)
{
    (void)timer;
    door_open(&g_fence);
}

static apr_status_t asks(void *baton, void **result)
{
    (void)result;
    *(int *)baton = brood_task_canceled();
    return APR_SUCCESS;
}

/* The timer fires between the claim and the run. */
static void a_queue_timeout_never_touches_a_running_task(void)
{
    static const brood__home_ops_t ops = { .noun = "test" };
    brood__home_t home = { &ops };
    brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;
    brood__timer_t fence = { 0 };
    brood_future_t *future;
    int canceled = -1;

    o.queue_timeout = 1;
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__self_ready());
    future = brood__future_make(&home, asks, &canceled, &o);
    CU_ASSERT_PTR_NOT_NULL_FATAL(future);
    future->scope = brood__self.now.scope;
    CU_ASSERT(brood__future_claim(future, 0));
    door_init(&g_fence);
    brood__future_queued(future);
    ASSERT_STATUS(APR_SUCCESS, brood__timer_arm(&fence, brood__os_now() + 10000,
                                                open_fence));
    door_wait(&g_fence);
    ASSERT_STATUS(APR_SUCCESS, brood__future_run(future, future->scope));
    CU_ASSERT_EQUAL(canceled, 0);
    ASSERT_STATUS(APR_SUCCESS, brood_future_result(future, NULL));
    brood_future_release(future);
    brood__timer_disarm(&fence);
    door_fini(&g_fence);
}

static void a_delayed_task_runs_later_or_is_canceled(void)
{
    brood_future_t *future;
    int64_t begun = brood__os_now();
    job_t job;

    job_init(&job);
    door_open(&job.go);
    job.options.delay = 3000;
    future = job_submit(&job, pool());
    ASSERT_STATUS(APR_SUCCESS, brood_future_get(future, NULL, -1));
    CU_ASSERT(brood__os_now() - begun >= 3000000);
    brood_future_release(future);

    job.options.delay = apr_time_from_sec(3600);
    future = job_submit(&job, pool());
    ASSERT_STATUS(APR_TIMEUP, brood_future_wait(future, 1000));
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(future));
    ASSERT_STATUS(BROOD_ECANCELED, brood_future_get(future, NULL, -1));
    brood_future_release(future);
    CU_ASSERT_EQUAL(job_runs(&job), 1);
    CU_ASSERT_EQUAL(job_destroys(&job), 2);
    job_fini(&job);
}

/* Its time is over after the cancel, however long that took: by hand. */
static void a_cancel_before_an_overrun_stays_a_cancel(void)
{
    brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;
    brood_future_t *future;
    waiter_task_t task;
    pledge_t p[2];

    o.run_timeout = apr_time_from_sec(3600);
    waiter_task_init(&task, p);
    future = submit(pool(), waits_twice, &task, &o);
    door_wait(&task.begun);
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(future));
    (void)brood__future_end(future, BROOD_EOVERRUN, BROOD__OVERRAN);
    door_open(&task.go);
    door_wait(&task.again);
    brood_promise_settle(p[1].promise, APR_SUCCESS, NULL);
    p[1].promise = NULL;
    ASSERT_STATUS(BROOD_ECANCELED, brood_future_get(future, NULL, -1));
    ASSERT_STATUS(APR_SUCCESS, task.waits[1]);
    brood_future_release(future);
    waiter_task_fini(&task, p);
}

static const test_t tests[] = {
    TEST_KEEPS(a_queued_task_never_runs, KEEPS_MEMORY),
    TEST_KEEPS(a_running_task_decides_how_it_ends, KEEPS_MEMORY),
    TEST(without_a_token_a_status_stands),
    TEST_KEEPS(a_cancel_interrupts_the_present_wait_and_no_later_one,
               KEEPS_MEMORY),
    TEST(a_cancel_interrupts_the_next_wait_when_there_is_none),
    TEST(a_second_cancel_leaves_the_clean_up_alone),
    TEST(a_wait_that_need_not_sleep_keeps_the_interruption),
    TEST_KEEPS(a_run_timeout_raises_the_token, KEEPS_ALL),
    TEST(a_run_timeout_in_time_changes_nothing),
    TEST(a_queue_timeout_expires_a_queued_task),
    TEST(a_queue_timeout_never_touches_a_running_task),
    TEST(a_delayed_task_runs_later_or_is_canceled),
    TEST(a_cancel_before_an_overrun_stays_a_cancel),
};

HARNESS_MAIN_WARM("cancel", tests, warm_up)
