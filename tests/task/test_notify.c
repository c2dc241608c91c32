/* SPDX-License-Identifier: Apache-2.0 */

/* test_notify.c: being told that a future is settled. */

#include <brood/context.h>

#include "task/tools.h"

static brood_context_key_t *g_key;

typedef struct told_t {
    door_t called;
    atomic_int calls;
    brood_future_t *future;
    apr_status_t result;
    void *context;
    pthread_t thread;
} told_t;

static void told_init(told_t *told)
{
    door_init(&told->called);
    atomic_init(&told->calls, 0);
    told->future = NULL;
    told->context = NULL;
}

static void told_fini(told_t *told)
{
    door_fini(&told->called);
}

static void note(brood_future_t *future, void *baton)
{
    told_t *told = baton;

    told->future = future;
    told->result = brood_future_result(future, NULL);
    told->thread = pthread_self();
    told->context = g_key ? brood_context_get(g_key) : NULL;
    brood__add(&told->calls, 1, release);
    door_open(&told->called);
}

static int calls(told_t *told)
{
    return brood__load(&told->calls, acquire);
}

static brood_target_t on(brood_thread_manager_t *manager)
{
    brood_target_t target = BROOD_TARGET_INIT;

    target.threads = manager;
    return target;
}

static void bad_input_registers_nothing(void)
{
    brood_target_t good = on(pool());
    brood_target_t none = on(NULL);
    brood_target_t both = good;
    brood_target_t small = good;
    brood_target_t large = good;
    pledge_t p = pledge();
    told_t told;

    both.loop = (struct brood_loop_manager_t *)(void *)good.threads;
    small.size--;
    large.size++;
    told_init(&told);
    ASSERT_STATUS(APR_EINVAL, brood_future_notify(NULL, &good, note, &told));
    ASSERT_STATUS(APR_EINVAL, brood_future_notify(NULL, NULL, note, &told));
    ASSERT_STATUS(APR_EINVAL,
                  brood_future_notify(p.future, &good, NULL, &told));
    ASSERT_STATUS(APR_EINVAL,
                  brood_future_notify(p.future, &none, note, &told));
    ASSERT_STATUS(APR_EINVAL,
                  brood_future_notify(p.future, &both, note, &told));
    ASSERT_STATUS(APR_EINVAL,
                  brood_future_notify(p.future, &small, note, &told));
    ASSERT_STATUS(APR_EINVAL,
                  brood_future_notify(p.future, &large, note, &told));
    brood_promise_release(p.promise);
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_wait_idle(pool(), -1));
    CU_ASSERT_EQUAL(calls(&told), 0);
    brood_future_release(p.future);
    told_fini(&told);
}

static void here_means_on_the_settling_thread(void)
{
    pledge_t p = pledge();
    told_t told;

    told_init(&told);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_future_notify(p.future, NULL, note, &told));
    CU_ASSERT_EQUAL(calls(&told), 0);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_promise_settle(p.promise, APR_EGENERAL, NULL));
    CU_ASSERT_EQUAL(calls(&told), 1);
    CU_ASSERT(pthread_equal(told.thread, pthread_self()));
    CU_ASSERT_PTR_EQUAL(told.future, p.future);
    ASSERT_STATUS(APR_EGENERAL, told.result);
    ASSERT_STATUS(BROOD_EALREADY,
                  brood_future_notify(p.future, NULL, note, &told));
    CU_ASSERT_EQUAL(calls(&told), 1);
    brood_future_release(p.future);
    told_fini(&told);
}

static void a_target_is_told_before_and_after_it_is_settled(void)
{
    brood_target_t target = on(pool());
    pledge_t p = pledge();
    told_t before, after;

    told_init(&before);
    told_init(&after);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_future_notify(p.future, &target, note, &before));
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_wait_idle(pool(), -1));
    CU_ASSERT_EQUAL(calls(&before), 0);
    ASSERT_STATUS(APR_SUCCESS, brood_promise_settle(p.promise, 0, NULL));
    door_wait(&before.called);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_future_notify(p.future, &target, note, &after));
    door_wait(&after.called);
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_wait_idle(pool(), -1));
    CU_ASSERT_EQUAL(calls(&before), 1);
    CU_ASSERT_EQUAL(calls(&after), 1);
    CU_ASSERT_FALSE(pthread_equal(before.thread, pthread_self()));
    CU_ASSERT_FALSE(pthread_equal(after.thread, pthread_self()));
    ASSERT_STATUS(APR_SUCCESS, before.result);
    ASSERT_STATUS(APR_SUCCESS, after.result);
    brood_future_release(p.future);
    told_fini(&before);
    told_fini(&after);
}

static void the_reference_is_kept_until_the_call_is_over(void)
{
    brood_target_t target = on(pool());
    pledge_t p = pledge();
    told_t told;

    told_init(&told);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_future_notify(p.future, &target, note, &told));
    brood_future_release(p.future);
    ASSERT_STATUS(APR_SUCCESS, brood_promise_settle(p.promise, 0, NULL));
    door_wait(&told.called);
    ASSERT_STATUS(APR_SUCCESS, told.result);
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_wait_idle(pool(), -1));
    told_fini(&told);
}

static void it_runs_in_the_callers_context(void)
{
    brood_target_t target = on(pool());
    pledge_t p = pledge();
    int value;
    told_t told, here;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_context_key_make(&g_key, "notify"));
    told_init(&told);
    told_init(&here);
    ASSERT_STATUS(APR_SUCCESS, brood_context_set(g_key, &value, NULL));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_future_notify(p.future, &target, note, &told));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_future_notify(p.future, NULL, note, &here));
    ASSERT_STATUS(APR_SUCCESS, brood_context_set(g_key, NULL, NULL));
    ASSERT_STATUS(APR_SUCCESS, brood_promise_settle(p.promise, 0, NULL));
    door_wait(&told.called);
    CU_ASSERT_PTR_EQUAL(told.context, &value);
    CU_ASSERT_PTR_EQUAL(here.context, &value);
    CU_ASSERT_PTR_NULL(brood_context_get(g_key));
    brood_future_release(p.future);
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_wait_idle(pool(), -1));
    told_fini(&told);
    told_fini(&here);
    g_key = NULL;
}

static void a_target_that_does_not_run_refuses(void)
{
    brood_target_t stopped = on(manager_of("one"));
    brood_target_t never = on(manager_of("never"));
    const size_t live = brood__alloc_live();
    pledge_t p = pledge();
    told_t told;

    told_init(&told);
    ASSERT_STATUS(BROOD_ESTOPPED,
                  brood_future_notify(p.future, &stopped, note, &told));
    ASSERT_STATUS(BROOD_ENOTSTARTED,
                  brood_future_notify(p.future, &never, note, &told));
    brood_promise_release(p.promise);
    brood_future_release(p.future);
    CU_ASSERT_EQUAL(calls(&told), 0);
    CU_ASSERT_EQUAL(brood__alloc_live(), live);
    told_fini(&told);
}

static void a_target_that_stops_calls_it_during_the_stop(void)
{
    static const brood_stop_e hows[] = { BROOD_STOP_DRAIN, BROOD_STOP_CANCEL };
    size_t i;

    for (i = 0; i < N_OF(hows); i++) {
        brood_target_t target = on(start("one", 1, 0));
        pledge_t p = pledge();
        told_t told;

        told_init(&told);
        ASSERT_STATUS(APR_SUCCESS,
                      brood_future_notify(p.future, &target, note, &told));
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_stop(target.threads, hows[i], -1));
        CU_ASSERT_EQUAL(calls(&told), 1);
        ASSERT_STATUS(BROOD_EPENDING, told.result);
        ASSERT_STATUS(APR_SUCCESS, brood_promise_settle(p.promise, 0, NULL));
        CU_ASSERT_EQUAL(calls(&told), 1);
        brood_future_release(p.future);
        told_fini(&told);
    }
}

static void a_canceled_task_is_told_too(void)
{
    brood_thread_manager_t *one = start("one", 1, 0);
    brood_future_t *gate, *queued;
    told_t told;
    job_t job;

    job_init(&job);
    told_init(&told);
    gate = job_submit(&job, one);
    queued = submit(one, returns_baton, NULL, NULL);
    ASSERT_STATUS(APR_SUCCESS, brood_future_notify(queued, NULL, note, &told));
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(queued));
    CU_ASSERT_EQUAL(calls(&told), 1);
    ASSERT_STATUS(BROOD_ECANCELED, told.result);
    door_open(&job.go);
    brood_future_release(gate);
    brood_future_release(queued);
    stop(one);
    told_fini(&told);
    job_fini(&job);
}

/* The stop settles it, under no lock: what is called here may use the manager. */
static void looks_at_the_manager(brood_future_t *future, void *baton)
{
    brood_thread_manager_options_t o = BROOD_THREAD_MANAGER_OPTIONS_INIT;
    told_t *told = baton;

    /* Any of its calls that never block. */
    told->result = brood_thread_manager_start(manager_of("one"), &o);
    told->future = future;
    brood__add(&told->calls, 1, release);
}

static void a_task_that_a_stop_cancels_is_told_under_no_lock(void)
{
    brood_thread_manager_t *one = start("one", 1, 0);
    brood_future_t *gate, *queued[2];
    brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;
    told_t told;
    job_t job;
    int i;

    job_init(&job);
    told_init(&told);
    gate = job_submit(&job, one);
    door_wait(&job.begun);
    queued[0] = submit(one, returns_baton, NULL, NULL);
    o.delay = apr_time_from_sec(3600);
    queued[1] = submit(one, returns_baton, NULL, &o);
    for (i = 0; i < 2; i++)
        ASSERT_STATUS(
            APR_SUCCESS,
            brood_future_notify(queued[i], NULL, looks_at_the_manager, &told));
    ASSERT_STATUS(APR_TIMEUP,
                  brood_thread_manager_stop(one, BROOD_STOP_CANCEL, 0));
    CU_ASSERT_EQUAL(calls(&told), 2);
    ASSERT_STATUS(BROOD_EPENDING, told.result);
    door_open(&job.go);
    brood_future_release(gate);
    for (i = 0; i < 2; i++)
        brood_future_release(queued[i]);
    stop(one);
    told_fini(&told);
    job_fini(&job);
}

static void settle_another(brood_future_t *future, void *baton)
{
    (void)future;
    brood_promise_settle(baton, APR_SUCCESS, NULL);
}

/* What is called here may settle, listen, and drop the last reference. */
static void calls_may_lead_to_calls(void)
{
    pledge_t p = pledge(), q = pledge();
    told_t told;

    told_init(&told);
    ASSERT_STATUS(APR_SUCCESS, brood_future_notify(p.future, NULL,
                                                   settle_another, q.promise));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_future_notify(q.future, NULL, note, &told));
    brood_future_release(p.future);
    brood_future_release(q.future);
    ASSERT_STATUS(APR_SUCCESS, brood_promise_settle(p.promise, 0, NULL));
    CU_ASSERT_EQUAL(calls(&told), 1);
    told_fini(&told);
}

static void without_memory_nothing_is_registered(void)
{
    brood_target_t target = on(pool());
    pledge_t p = pledge();
    const size_t live = brood__alloc_live();
    apr_status_t rv;
    unsigned n = 0;
    told_t told;

    told_init(&told);
    do {
        brood__fault_at(BROOD__FAULT_MEMORY, ++n);
        rv = brood_future_notify(p.future, n % 2 ? &target : NULL, note, &told);
        if (rv != APR_SUCCESS) {
            ASSERT_STATUS(APR_ENOMEM, rv);
            CU_ASSERT_EQUAL(brood__alloc_live(), live);
        }
    } while (rv != APR_SUCCESS && n < 10);
    brood__fault_at(BROOD__FAULT_MEMORY, 0);
    CU_ASSERT_EQUAL(n, 2);
    brood_promise_release(p.promise);
    door_wait(&told.called);
    brood_future_release(p.future);
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_wait_idle(pool(), -1));
    CU_ASSERT_EQUAL(calls(&told), 1);
    told_fini(&told);
}

/* A target without threads needs one for the call. */
static void a_call_waits_for_a_thread_that_could_not_be_made(void)
{
    brood_thread_manager_options_t o = BROOD_THREAD_MANAGER_OPTIONS_INIT;
    brood_thread_manager_t *lazy = manager_of("lazy");
    brood_target_t target = on(lazy);
    pledge_t p = pledge();
    told_t told;

    o.min_workers = -1;
    o.max_workers = 1;
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_thread_manager_start(lazy, &o));
    told_init(&told);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_future_notify(p.future, &target, note, &told));
    brood__fault_at(BROOD__FAULT_THREAD, 1);
    ASSERT_STATUS(APR_SUCCESS, brood_promise_settle(p.promise, 0, NULL));
    CU_ASSERT_FALSE(brood__fault_pending(BROOD__FAULT_THREAD));
    brood__fault_at(BROOD__FAULT_THREAD, 0);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_stop(lazy, BROOD_STOP_DRAIN, -1));
    CU_ASSERT_EQUAL(calls(&told), 1);
    brood_future_release(p.future);
    told_fini(&told);
}

static const test_t tests[] = {
    TEST(bad_input_registers_nothing),
    TEST(here_means_on_the_settling_thread),
    TEST(a_target_is_told_before_and_after_it_is_settled),
    TEST(the_reference_is_kept_until_the_call_is_over),
    TEST_KEEPS(it_runs_in_the_callers_context, KEEPS_MEMORY),
    TEST_KEEPS(a_target_that_does_not_run_refuses, KEEPS_MEMORY),
    TEST_KEEPS(a_target_that_stops_calls_it_during_the_stop, KEEPS_MEMORY),
    TEST_KEEPS(a_canceled_task_is_told_too, KEEPS_MEMORY),
    TEST_KEEPS(a_task_that_a_stop_cancels_is_told_under_no_lock, KEEPS_ALL),
    TEST(calls_may_lead_to_calls),
    TEST(without_memory_nothing_is_registered),
    TEST_KEEPS(a_call_waits_for_a_thread_that_could_not_be_made, KEEPS_ALL),
};

HARNESS_MAIN_WARM("notify", tests, warm_up)
