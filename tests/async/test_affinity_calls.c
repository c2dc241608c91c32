/* SPDX-License-Identifier: Apache-2.0 */

/* test_affinity_calls.c: calls of a context: options, ends, and what they wait
 * for. */

#include "async/fixture.h"

/* A context whose thread waits at a door. */
typedef struct held_t {
    turnstile_t arrived;
    door_t hold;
    call_t call;
    brood_future_t *future;
} held_t;

static void hold_context(held_t *held, brood_affinity_pool_t *pool,
                         const char *context)
{
    memset(held, 0, sizeof(*held));
    turnstile_init(&held->arrived);
    door_init(&held->hold);
    held->call.arrived = &held->arrived;
    held->call.hold = &held->hold;
    held->future = submit(pool, context, &held->call);
    turnstile_wait(&held->arrived, 1);
}

static void let_go(held_t *held, apr_status_t expected)
{
    door_open(&held->hold);
    ASSERT_STATUS(expected, finish(held->future));
    turnstile_fini(&held->arrived);
    door_fini(&held->hold);
}

static atomic_int g_destroyed;

static void count_destroy(void *baton)
{
    (void)baton;
    atomic_fetch_add(&g_destroyed, 1);
}

static void a_canceled_call_never_runs(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;
    held_t held;
    call_t call = { 0 }, behind = { 0 };
    brood_future_t *a, *b;

    atomic_store(&g_destroyed, 0);
    options.destroy = count_destroy;
    hold_context(&held, pool, "c");
    a = submit_with(pool, "c", &call, &options);
    b = submit(pool, "c", &behind);
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(a));
    CU_ASSERT_EQUAL(atomic_load(&g_destroyed), 1);
    ASSERT_STATUS(BROOD_ECANCELED, finish(a));
    let_go(&held, APR_SUCCESS);
    ASSERT_STATUS(APR_SUCCESS, finish(b));
    CU_ASSERT_EQUAL(call.thread, 0);
    CU_ASSERT_EQUAL(atomic_load(&g_destroyed), 1);
}

static void a_running_call_sees_that_it_was_canceled(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    held_t held;

    hold_context(&held, pool, "c");
    held.call.status = BROOD_ECANCELED;
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(held.future));
    let_go(&held, BROOD_ECANCELED);
    CU_ASSERT_EQUAL(held.call.canceled, 1);
}

/* False: the delay was over before the second call was submitted. */
static int a_delayed_call_is_overtaken(brood_affinity_pool_t *pool,
                                       apr_interval_time_t delay)
{
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;
    atomic_int order = 0;
    call_t late = { .order = &order }, prompt = { .order = &order };
    brood_future_t *a, *b;
    int64_t begun = brood__os_now();
    int in_time;

    options.delay = delay;
    a = submit_with(pool, "c", &late, &options);
    b = submit(pool, "c", &prompt);
    in_time = brood__os_now() - begun < delay * 1000;
    ASSERT_STATUS(APR_SUCCESS, finish(b));
    ASSERT_STATUS(APR_SUCCESS, finish(a));
    CU_ASSERT_EQUAL(late.thread, prompt.thread);
    if (in_time) {
        CU_ASSERT_EQUAL(prompt.at, 0);
        CU_ASSERT_EQUAL(late.at, 1);
    }
    return in_time;
}

static void timeouts_and_delays_count_for_calls_of_a_context(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;
    apr_interval_time_t delay = 20000;
    held_t held;
    call_t expires = { 0 };
    brood_future_t *a;

    hold_context(&held, pool, "c");
    options.queue_timeout = 1000;
    a = submit_with(pool, "c", &expires, &options);
    ASSERT_STATUS(BROOD_EEXPIRED, finish(a));
    let_go(&held, APR_SUCCESS);
    CU_ASSERT_EQUAL(expires.thread, 0);
    while (!a_delayed_call_is_overtaken(pool, delay))
        delay *= 2;
}

static apr_status_t run_until_canceled(void *baton, void **result)
{
    (void)baton;
    (void)result;
    while (!brood_task_canceled())
        brood_yield();
    return BROOD_ECANCELED;
}

static void a_call_may_overrun(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;
    brood_future_t *future = NULL;

    options.run_timeout = 1000;
    ASSERT_STATUS(APR_SUCCESS, brood_affinity_pool_submit(&future, pool, "c",
                                                          run_until_canceled,
                                                          NULL, &options));
    ASSERT_STATUS(BROOD_EOVERRUN, finish(future));
}

static void what_is_not_due_at_the_end_is_canceled(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;
    call_t now = { 0 }, later = { 0 }, never = { 0 };
    brood_future_t *a, *b;

    options.delay = 600 * 1000000LL;
    ASSERT_STATUS(APR_SUCCESS, finish(submit(pool, "c", &now)));
    a = submit_with(pool, "c", &later, &options);
    b = submit_with(pool, "c", &never, &options);
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(b));
    ASSERT_STATUS(BROOD_ECANCELED, finish(b));
    ASSERT_STATUS(APR_SUCCESS, brood_affinity_pool_release(pool, "c"));
    ASSERT_STATUS(BROOD_ECANCELED, finish(a));
    CU_ASSERT_EQUAL(later.thread + never.thread, 0);
}

/* ---- shutdown --------------------------------------------------------------- */

static void draining_runs_what_is_queued(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    held_t held;
    call_t calls[10];
    brood_future_t *futures[10], *refused = NULL;
    int i;

    hold_context(&held, pool, "c");
    for (i = 0; i < 10; i++) {
        calls[i] = (call_t){ 0 };
        futures[i] = submit(pool, i % 2 ? "c" : NULL, &calls[i]);
    }
    ASSERT_STATUS(APR_TIMEUP,
                  brood_affinity_pool_shutdown(pool, BROOD_STOP_DRAIN, 0));
    ASSERT_STATUS(APR_TIMEUP,
                  brood_affinity_pool_shutdown(pool, BROOD_STOP_DRAIN, 1000));
    ASSERT_STATUS(BROOD_ESTOPPED,
                  brood_affinity_pool_submit(&refused, pool, NULL, run_call,
                                             &held.call, NULL));
    ASSERT_STATUS(BROOD_ESTOPPED,
                  brood_affinity_pool_submit(&refused, pool, "c", run_call,
                                             &held.call, NULL));
    CU_ASSERT_PTR_NULL(refused);
    let_go(&held, APR_SUCCESS);
    for (i = 0; i < 10; i++)
        ASSERT_STATUS(APR_SUCCESS, finish(futures[i]));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_affinity_pool_shutdown(pool, BROOD_STOP_DRAIN, -1));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_affinity_pool_shutdown(pool, BROOD_STOP_CANCEL, 0));
    CU_ASSERT_EQUAL(census_of(pool).threads, 0);
}

static void canceling_settles_what_is_queued(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    held_t held;
    call_t calls[4];
    brood_future_t *futures[4];
    int i;

    hold_context(&held, pool, "c");
    held.call.status = BROOD_ECANCELED;
    for (i = 0; i < 4; i++) {
        calls[i] = (call_t){ 0 };
        futures[i] = submit(pool, "c", &calls[i]);
    }
    ASSERT_STATUS(APR_TIMEUP,
                  brood_affinity_pool_shutdown(pool, BROOD_STOP_DRAIN, 0));
    ASSERT_STATUS(APR_TIMEUP,
                  brood_affinity_pool_shutdown(pool, BROOD_STOP_CANCEL, 0));
    for (i = 0; i < 4; i++) {
        ASSERT_STATUS(BROOD_ECANCELED, finish(futures[i]));
        CU_ASSERT_EQUAL(calls[i].thread, 0);
    }
    let_go(&held, BROOD_ECANCELED);
    CU_ASSERT_EQUAL(held.call.canceled, 1);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_affinity_pool_shutdown(pool, BROOD_STOP_CANCEL, -1));
}

typedef struct self_t {
    brood_affinity_pool_t *pool;
    apr_pool_t *memory;
    apr_status_t rv;
} self_t;

static apr_status_t shut_down_own(void *baton, void **result)
{
    self_t *self = baton;

    (void)result;
    self->rv = brood_affinity_pool_shutdown(self->pool, BROOD_STOP_DRAIN, -1);
    return APR_SUCCESS;
}

static void no_thread_of_its_own_may_shut_it_down(void)
{
    static const char *const ids[] = { NULL, "c" };
    self_t self = { pool_of(2), NULL, APR_SUCCESS };
    brood_future_t *future = NULL;
    int i;

    for (i = 0; i < 2; i++) {
        ASSERT_STATUS(APR_SUCCESS,
                      brood_affinity_pool_submit(&future, self.pool, ids[i],
                                                 shut_down_own, &self, NULL));
        ASSERT_STATUS(APR_SUCCESS, finish(future));
        ASSERT_STATUS(BROOD_EDEADLK, self.rv);
    }
}

static apr_status_t clear_own(void *baton, void **result)
{
    (void)result;
    apr_pool_destroy(((self_t *)baton)->memory);
    return APR_SUCCESS;
}

static void a_pool_cleared_by_its_own_call_is_ended_by_the_collector(void)
{
    static const char *const ids[] = { NULL, "c" };
    int i;

    for (i = 0; i < 2; i++) {
        brood_affinity_pool_options_t options =
            BROOD_AFFINITY_POOL_OPTIONS_INIT;
        self_t self = { NULL, NULL, APR_SUCCESS };
        brood_future_t *future = NULL;

        options.max_threads = 2;
        apr_pool_create_unmanaged_ex(&self.memory, NULL, NULL);
        ASSERT_STATUS(APR_SUCCESS, brood_affinity_pool_create(
                                       &self.pool, &options, self.memory));
        ASSERT_STATUS(APR_SUCCESS,
                      brood_affinity_pool_submit(&future, self.pool, ids[i],
                                                 clear_own, &self, NULL));
        ASSERT_STATUS(APR_SUCCESS, finish(future));
    }
}

/* ---- what a call waits for --------------------------------------------------- */

typedef struct waiter_t {
    brood_affinity_pool_t *pool;
    call_t inner;
    brood_future_t *other;
    int thread;
    int timed;
    apr_status_t rv;
} waiter_t;

static apr_status_t await_own(void *baton, void **result)
{
    waiter_t *self = baton;
    brood_future_t *future = NULL;

    (void)result;
    self->thread = this_thread();
    self->rv = brood_affinity_pool_submit(&future, self->pool, "c", run_call,
                                          &self->inner, NULL);
    return self->rv == APR_SUCCESS ? finish(future) : self->rv;
}

static apr_status_t await_other(void *baton, void **result)
{
    waiter_t *self = baton;

    (void)result;
    self->rv = brood_future_wait(self->other, self->timed ? 1000 : -1);
    return APR_SUCCESS;
}

static apr_status_t await_general(void *baton, void **result)
{
    waiter_t *self = baton;
    brood_future_t *future = NULL;

    (void)result;
    self->thread = this_thread();
    self->rv = brood_affinity_pool_submit(&future, self->pool, NULL, run_call,
                                          &self->inner, NULL);
    return self->rv == APR_SUCCESS ? finish(future) : self->rv;
}

static void a_call_runs_in_place_what_it_submitted_and_awaits(void)
{
    waiter_t self = { .pool = pool_of(2) };
    brood_future_t *future = NULL;

    ASSERT_STATUS(APR_SUCCESS,
                  brood_affinity_pool_submit(&future, self.pool, "c", await_own,
                                             &self, NULL));
    ASSERT_STATUS(APR_SUCCESS, finish(future));
    ASSERT_STATUS(APR_SUCCESS, self.rv);
    CU_ASSERT_EQUAL(self.inner.thread, self.thread);
}

static void awaiting_what_is_queued_behind_is_a_deadlock(void)
{
    waiter_t self = { .pool = pool_of(2) };
    held_t held;
    call_t between = { 0 }, awaited = { 0 };
    brood_future_t *a, *b, *c;
    int i;

    for (i = 0; i < 2; i++) {
        self.timed = i;
        hold_context(&held, self.pool, "c");
        ASSERT_STATUS(APR_SUCCESS,
                      brood_affinity_pool_submit(&a, self.pool, "c",
                                                 await_other, &self, NULL));
        b = submit(self.pool, "c", &between);
        c = submit(self.pool, "c", &awaited);
        self.other = c;
        let_go(&held, APR_SUCCESS);
        ASSERT_STATUS(APR_SUCCESS, finish(a));
        ASSERT_STATUS(i ? APR_TIMEUP : BROOD_EDEADLK, self.rv);
        ASSERT_STATUS(APR_SUCCESS, finish(b));
        ASSERT_STATUS(APR_SUCCESS, finish(c));
    }
}

static void a_general_call_never_runs_on_a_contexts_thread(void)
{
    waiter_t self = { .pool = pool_of(2) };
    brood_future_t *future = NULL;
    int i;

    for (i = 0; i < 50; i++) {
        ASSERT_STATUS(APR_SUCCESS,
                      brood_affinity_pool_submit(&future, self.pool, "c",
                                                 await_general, &self, NULL));
        ASSERT_STATUS(APR_SUCCESS, finish(future));
        CU_ASSERT(self.inner.thread != self.thread);
    }
}

/* ---- bad input ---------------------------------------------------------------- */

static void bad_options_make_no_pool(void)
{
    static const struct {
        int max, reserved, level, size;
    } rows[] = {
        { -1, 0, 0, 0 },  { 5000, 0, 0, 0 }, { 4, 4, 0, 0 }, { 4, -1, 0, 0 },
        { 4, 0, 101, 0 }, { 1, 1, 0, 0 },    { 4, 0, 0, 1 }, { 4, 0, 0, -8 },
    };
    brood_affinity_pool_options_t options;
    brood_affinity_pool_t *pool;
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        options =
            (brood_affinity_pool_options_t)BROOD_AFFINITY_POOL_OPTIONS_INIT;
        options.size += (apr_size_t)rows[i].size;
        options.max_threads = rows[i].max;
        options.reserved_general = rows[i].reserved;
        options.general_threads_free_level = rows[i].level;
        pool = (brood_affinity_pool_t *)&options;
        ASSERT_STATUS(APR_EINVAL,
                      brood_affinity_pool_create(&pool, &options, test_pool));
        CU_ASSERT_PTR_NULL(pool);
    }
    ASSERT_STATUS(APR_EINVAL,
                  brood_affinity_pool_create(NULL, NULL, test_pool));
    ASSERT_STATUS(APR_EINVAL, brood_affinity_pool_create(&pool, NULL, NULL));
}

static void bad_input_changes_nothing(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;
    brood_future_t *future = (brood_future_t *)&options;
    call_t call = { 0 };

    ASSERT_STATUS(APR_EINVAL, brood_affinity_pool_submit(
                                  &future, NULL, "c", run_call, &call, NULL));
    CU_ASSERT_PTR_NULL(future);
    ASSERT_STATUS(APR_EINVAL, brood_affinity_pool_submit(&future, pool, "c",
                                                         NULL, &call, NULL));
    options.flags = 0x100;
    ASSERT_STATUS(APR_EINVAL,
                  brood_affinity_pool_submit(&future, pool, "c", run_call,
                                             &call, &options));
    ASSERT_STATUS(APR_EINVAL,
                  brood_affinity_pool_submit(&future, pool, NULL, run_call,
                                             &call, &options));
    ASSERT_STATUS(APR_EINVAL, brood_affinity_pool_release(NULL, "c"));
    ASSERT_STATUS(APR_EINVAL, brood_affinity_pool_release(pool, NULL));
    ASSERT_STATUS(APR_EINVAL,
                  brood_affinity_pool_shutdown(NULL, BROOD_STOP_DRAIN, 0));
    ASSERT_STATUS(APR_EINVAL,
                  brood_affinity_pool_shutdown(pool, (brood_stop_e)7, 0));
    ASSERT_STATUS(APR_EINVAL,
                  brood_affinity_pool_each(NULL, count_thread, NULL));
    ASSERT_STATUS(APR_EINVAL, brood_affinity_pool_each(pool, NULL, NULL));
    CU_ASSERT_EQUAL(census_of(pool).threads, 0);
    ASSERT_STATUS(APR_SUCCESS, finish(submit(pool, "c", &call)));
}

static const test_t tests[] = {
    TEST(a_canceled_call_never_runs),
    TEST(a_running_call_sees_that_it_was_canceled),
    TEST(timeouts_and_delays_count_for_calls_of_a_context),
    TEST(a_call_may_overrun),
    TEST(what_is_not_due_at_the_end_is_canceled),
    TEST(draining_runs_what_is_queued),
    TEST(canceling_settles_what_is_queued),
    TEST(no_thread_of_its_own_may_shut_it_down),
    TEST(a_pool_cleared_by_its_own_call_is_ended_by_the_collector),
    TEST(a_call_runs_in_place_what_it_submitted_and_awaits),
    TEST(awaiting_what_is_queued_behind_is_a_deadlock),
    TEST(a_general_call_never_runs_on_a_contexts_thread),
    TEST(bad_options_make_no_pool),
    TEST(bad_input_changes_nothing),
};

HARNESS_MAIN_WARM("affinity_calls", tests, warm_up)
