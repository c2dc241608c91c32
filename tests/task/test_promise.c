/* SPDX-License-Identifier: Apache-2.0 */

/* test_promise.c: futures that the program settles itself. */

#include "task/tools.h"

static atomic_int g_freed;

static void freed(void *value)
{
    brood__add((atomic_int *)value, 1, relaxed);
}

/* What a function to call on cancel does, and what it saw. */
typedef struct witness_t {
    int calls;
    pthread_t thread;
    brood_promise_t *settles[2]; /* or NULL */
    brood_future_t *cancels;     /* or NULL */
} witness_t;

static void on_cancel(void *baton)
{
    witness_t *witness = baton;
    size_t i;

    witness->calls++;
    witness->thread = pthread_self();
    if (witness->cancels)
        brood_future_cancel(witness->cancels);
    for (i = 0; i < N_OF(witness->settles); i++)
        if (witness->settles[i])
            brood_promise_settle(witness->settles[i], BROOD_ECANCELED, NULL);
}

static void bad_input_moves_nothing(void)
{
    brood_promise_t *promise = (brood_promise_t *)(void *)&g_freed;
    brood_future_t *future = (brood_future_t *)(void *)&g_freed;
    void *value = NULL;

    ASSERT_STATUS(APR_EINVAL, brood_promise_make(&promise, NULL, NULL));
    CU_ASSERT_PTR_NULL(promise);
    ASSERT_STATUS(APR_EINVAL, brood_promise_make(NULL, &future, NULL));
    CU_ASSERT_PTR_NULL(future);
    ASSERT_STATUS(APR_EINVAL, brood_promise_make(NULL, NULL, NULL));

    brood__store(&g_freed, 0, relaxed);
    ASSERT_STATUS(APR_SUCCESS, brood_promise_make(&promise, &future, freed));
    ASSERT_STATUS(APR_EINVAL, brood_promise_settle(NULL, APR_SUCCESS, NULL));
    ASSERT_STATUS(APR_EINVAL,
                  brood_promise_settle(promise, BROOD_EPENDING, &g_freed));
    CU_ASSERT_EQUAL(brood__load(&g_freed, relaxed), 0);
    ASSERT_STATUS(APR_EINVAL, brood_promise_on_cancel(promise, NULL, NULL));
    ASSERT_STATUS(APR_EINVAL, brood_promise_on_cancel(NULL, on_cancel, NULL));
    ASSERT_STATUS(BROOD_EPENDING, brood_future_result(future, NULL));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_promise_settle(promise, APR_SUCCESS, &g_freed));
    ASSERT_STATUS(APR_SUCCESS, brood_future_result(future, &value));
    CU_ASSERT_PTR_EQUAL(value, &g_freed);
    brood_future_release(future);
    CU_ASSERT_EQUAL(brood__load(&g_freed, relaxed), 1);
    brood_promise_release(NULL);
}

static void a_failed_promises_value_is_freed_at_once(void)
{
    brood_promise_t *promise;
    brood_future_t *future;
    void *value = &future;

    brood__store(&g_freed, 0, relaxed);
    ASSERT_STATUS(APR_SUCCESS, brood_promise_make(&promise, &future, freed));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_promise_settle(promise, APR_EGENERAL, &g_freed));
    CU_ASSERT_EQUAL(brood__load(&g_freed, relaxed), 1);
    ASSERT_STATUS(APR_EGENERAL, brood_future_result(future, &value));
    CU_ASSERT_PTR_NULL(value);
    brood_future_release(future);
    CU_ASSERT_EQUAL(brood__load(&g_freed, relaxed), 1);
}

static void a_promise_that_is_given_up_is_abandoned(void)
{
    pledge_t p = pledge();

    brood_promise_release(p.promise);
    ASSERT_STATUS(BROOD_EABANDONED, brood_future_get(p.future, NULL, -1));
    ASSERT_STATUS(BROOD_EALREADY, brood_future_cancel(p.future));
    brood_future_release(p.future);
}

static void a_promise_outlives_its_readers(void)
{
    brood_promise_t *promise;
    brood_future_t *future;

    brood__store(&g_freed, 0, relaxed);
    ASSERT_STATUS(APR_SUCCESS, brood_promise_make(&promise, &future, freed));
    brood_future_release(future);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_promise_settle(promise, APR_SUCCESS, &g_freed));
    CU_ASSERT_EQUAL(brood__load(&g_freed, relaxed), 1);
}

static void cancel_calls_the_function_once_on_the_canceling_thread(void)
{
    witness_t witness = { 0 };
    pledge_t p = pledge();

    ASSERT_STATUS(APR_SUCCESS,
                  brood_promise_on_cancel(p.promise, on_cancel, &witness));
    ASSERT_STATUS(BROOD_EALREADY,
                  brood_promise_on_cancel(p.promise, on_cancel, &witness));
    CU_ASSERT_EQUAL(witness.calls, 0);
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(p.future));
    CU_ASSERT_EQUAL(witness.calls, 1);
    CU_ASSERT(pthread_equal(witness.thread, pthread_self()));
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(p.future));
    CU_ASSERT_EQUAL(witness.calls, 1);
    ASSERT_STATUS(BROOD_EPENDING, brood_future_result(p.future, NULL));
    ASSERT_STATUS(BROOD_EALREADY,
                  brood_promise_on_cancel(p.promise, on_cancel, &witness));
    ASSERT_STATUS(APR_SUCCESS, brood_promise_settle(p.promise, 0, NULL));
    ASSERT_STATUS(APR_SUCCESS, brood_future_result(p.future, NULL));
    brood_future_release(p.future);
}

static void a_late_function_is_called_at_once(void)
{
    witness_t witness = { 0 };
    pledge_t p = pledge();

    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(p.future));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_promise_on_cancel(p.promise, on_cancel, &witness));
    CU_ASSERT_EQUAL(witness.calls, 1);
    ASSERT_STATUS(BROOD_EALREADY,
                  brood_promise_on_cancel(p.promise, on_cancel, &witness));
    brood_promise_release(p.promise);
    brood_future_release(p.future);
}

static void after_the_end_the_function_is_not_called(void)
{
    witness_t witness = { 0 };
    pledge_t p = pledge();

    ASSERT_STATUS(APR_SUCCESS,
                  brood_promise_on_cancel(p.promise, on_cancel, &witness));
    ASSERT_STATUS(APR_SUCCESS, brood_promise_settle(p.promise, 0, NULL));
    ASSERT_STATUS(BROOD_EALREADY, brood_future_cancel(p.future));
    CU_ASSERT_EQUAL(witness.calls, 0);
    brood_future_release(p.future);
}

static void the_function_may_settle_the_promise(void)
{
    witness_t witness = { 0 };
    pledge_t p = pledge();

    witness.settles[0] = p.promise;
    ASSERT_STATUS(APR_SUCCESS,
                  brood_promise_on_cancel(p.promise, on_cancel, &witness));
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(p.future));
    ASSERT_STATUS(BROOD_ECANCELED, brood_future_result(p.future, NULL));
    brood_future_release(p.future);

    p = pledge(); /* the same when the cancel came first */
    witness.settles[0] = p.promise;
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(p.future));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_promise_on_cancel(p.promise, on_cancel, &witness));
    ASSERT_STATUS(BROOD_ECANCELED, brood_future_result(p.future, NULL));
    brood_future_release(p.future);
    CU_ASSERT_EQUAL(witness.calls, 2);
}

/* One function cancels another promise, whose function settles both. */
static void a_function_within_a_function_may_settle_both_promises(void)
{
    witness_t outer = { 0 }, inner = { 0 };
    pledge_t p = pledge(), q = pledge();

    outer.cancels = q.future;
    inner.settles[0] = q.promise;
    inner.settles[1] = p.promise;
    brood_promise_on_cancel(p.promise, on_cancel, &outer);
    brood_promise_on_cancel(q.promise, on_cancel, &inner);
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(p.future));
    ASSERT_STATUS(BROOD_ECANCELED, brood_future_result(p.future, NULL));
    ASSERT_STATUS(BROOD_ECANCELED, brood_future_result(q.future, NULL));
    brood_future_release(p.future);
    brood_future_release(q.future);
}

/* ---- settling waits for a call under way -------------------------------- */

typedef struct slow_t {
    pledge_t pledge;
    door_t in, out;
    atomic_int over, settled_early;
} slow_t;

static void slow_cancel(void *baton)
{
    slow_t *slow = baton;

    door_open(&slow->in);
    door_wait(&slow->out);
    brood__store(&slow->over, 1, release);
}

static void *cancels(void *baton)
{
    brood_future_cancel(((slow_t *)baton)->pledge.future);
    return NULL;
}

static void *settles(void *baton)
{
    slow_t *slow = baton;

    brood_promise_settle(slow->pledge.promise, APR_SUCCESS, NULL);
    brood__store(&slow->settled_early, !brood__load(&slow->over, acquire),
                 relaxed);
    return NULL;
}

static void settling_waits_for_a_call_on_another_thread(void)
{
    pthread_t canceler, settler;
    slow_t slow = { .pledge = pledge() };

    door_init(&slow.in);
    door_init(&slow.out);
    ASSERT_STATUS(APR_SUCCESS, brood_promise_on_cancel(slow.pledge.promise,
                                                       slow_cancel, &slow));
    pthread_create(&canceler, NULL, cancels, &slow);
    door_wait(&slow.in);
    pthread_create(&settler, NULL, settles, &slow);
    ASSERT_STATUS(APR_TIMEUP, brood_future_wait(slow.pledge.future, 10000));
    door_open(&slow.out);
    pthread_join(canceler, NULL);
    pthread_join(settler, NULL);
    CU_ASSERT_EQUAL(brood__load(&slow.settled_early, relaxed), 0);
    ASSERT_STATUS(APR_SUCCESS, brood_future_result(slow.pledge.future, NULL));
    brood_future_release(slow.pledge.future);
    door_fini(&slow.in);
    door_fini(&slow.out);
}

/* ---- memory ------------------------------------------------------------- */

static void without_memory_nothing_is_made(void)
{
    const size_t live = brood__alloc_live();
    brood_promise_t *promise;
    brood_future_t *future;
    apr_status_t rv;
    unsigned n = 0;

    do {
        brood__fault_at(BROOD__FAULT_MEMORY, ++n);
        rv = brood_promise_make(&promise, &future, NULL);
        if (rv != APR_SUCCESS) {
            ASSERT_STATUS(APR_ENOMEM, rv);
            CU_ASSERT_PTR_NULL(promise);
            CU_ASSERT_PTR_NULL(future);
            CU_ASSERT_EQUAL(brood__alloc_live(), live);
        }
    } while (rv != APR_SUCCESS);
    brood__fault_at(BROOD__FAULT_MEMORY, 0);
    CU_ASSERT_EQUAL(n, 3); /* the future, what is beside it, none */
    brood_promise_release(promise);
    brood_future_release(future);
    CU_ASSERT_EQUAL(brood__alloc_live(), live);
}

static void warm_up_promises(void)
{
    pledge_t p;

    must(brood_promise_make(&p.promise, &p.future, NULL));
    brood_promise_release(p.promise);
    brood_future_release(p.future);
}

static const test_t tests[] = {
    TEST(bad_input_moves_nothing),
    TEST(a_failed_promises_value_is_freed_at_once),
    TEST(a_promise_that_is_given_up_is_abandoned),
    TEST(a_promise_outlives_its_readers),
    TEST(cancel_calls_the_function_once_on_the_canceling_thread),
    TEST(a_late_function_is_called_at_once),
    TEST(after_the_end_the_function_is_not_called),
    TEST(the_function_may_settle_the_promise),
    TEST(a_function_within_a_function_may_settle_both_promises),
    TEST_KEEPS(settling_waits_for_a_call_on_another_thread, KEEPS_MEMORY),
    TEST(without_memory_nothing_is_made),
};

HARNESS_MAIN_WARM("promise", tests, warm_up_promises)
