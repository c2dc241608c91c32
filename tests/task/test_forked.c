/* SPDX-License-Identifier: Apache-2.0 */

/* test_forked.c: in a forked child every call says so, and none hangs. */

#include "task/tools.h"

typedef struct legacy_t {
    brood_promise_t *promise;
    brood_future_t *pending, *settled, *failed, *queued;
    brood_thread_manager_t *pool;
} legacy_t;

static void never(void *baton)
{
    (void)baton;
    abort();
}

static void never_told(brood_future_t *future, void *baton)
{
    (void)future;
    (void)baton;
    abort();
}

/* Returns how many calls said something else. */
static int call_all(void *baton)
{
    legacy_t *legacy = baton;
    brood_target_t target = BROOD_TARGET_INIT;
    brood_future_t *made;
    brood_promise_t *promise;
    apr_size_t index;
    void *value;
    unsigned i;
    int bad = 0;

    target.threads = legacy->pool;
    for (i = 0; i < 2; i++) {
        brood_future_t *future = i ? legacy->settled : legacy->pending;

        bad += brood_future_wait(future, -1) != BROOD_EFORKED;
        bad += brood_future_get(future, &value, -1) != BROOD_EFORKED;
        bad += brood_future_result(future, &value) != BROOD_EFORKED;
        bad += brood_future_take(future, &value) != BROOD_EFORKED;
        bad += brood_future_cancel(future) != BROOD_EFORKED;
        bad += brood_future_wait_all(&future, 1, -1) != BROOD_EFORKED;
        bad += brood_future_wait_any(&future, 1, &index, -1) != BROOD_EFORKED;
        bad += brood_future_all(&made, &future, 1) != BROOD_EFORKED;
        bad += brood_future_notify(future, NULL, never_told, NULL)
               != BROOD_EFORKED;
        bad += brood_future_notify(future, &target, never_told, NULL)
               != BROOD_EFORKED;
    }
    bad += brood_promise_make(&promise, &made, NULL) != BROOD_EFORKED;
    bad += brood_promise_on_cancel(legacy->promise, never, NULL)
           != BROOD_EFORKED;
    bad += brood_promise_settle(legacy->promise, APR_SUCCESS, NULL)
           != BROOD_EFORKED;
    brood_promise_release(legacy->promise);
    bad += brood_future_result(legacy->pending, NULL) != BROOD_EFORKED;
    bad += brood_future_cancel(legacy->queued) != BROOD_EFORKED;
    bad += brood_task_canceled() != 0;
    bad += brood_thread_manager_retain(legacy->pool) != NULL;
    bad += brood_thread_manager_id(legacy->pool) != NULL;
    bad += brood_thread_manager_is_running(legacy->pool) != 0;
    /* What they would need may be locked for ever. */
    brood_future_release(legacy->settled);
    brood_future_release(legacy->failed);
    brood_future_release(legacy->queued);
    return bad;
}

static void every_call_says_so(void)
{
    brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;
    apr_status_t failure = APR_EGENERAL;
    pledge_t p = pledge();
    legacy_t legacy;
    void *value;
    job_t job;

    TEST_NEEDS_FORK();
    job_init(&job);
    legacy.pool = pool();
    legacy.promise = p.promise;
    legacy.pending = p.future;
    o.free_value = never;
    legacy.settled = submit(pool(), returns_baton, &o, &o);
    legacy.failed = submit(pool(), returns_status, &failure, NULL);
    job.options.delay = apr_time_from_sec(3600);
    legacy.queued = job_submit(&job, pool());
    ASSERT_STATUS(APR_SUCCESS, brood_future_wait(legacy.settled, -1));
    ASSERT_STATUS(APR_SUCCESS, brood_future_wait(legacy.failed, -1));
    CU_ASSERT_EQUAL(test_in_child(call_all, &legacy), 0);

    /* The parent goes on as if nothing had been. */
    ASSERT_STATUS(BROOD_EPENDING, brood_future_result(p.future, NULL));
    ASSERT_STATUS(APR_SUCCESS, brood_future_take(legacy.settled, &value));
    ASSERT_STATUS(failure, brood_future_result(legacy.failed, NULL));
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(legacy.queued));
    CU_ASSERT_EQUAL(job_destroys(&job), 1);
    brood_promise_release(p.promise);
    brood_future_release(legacy.settled);
    brood_future_release(legacy.failed);
    brood_future_release(legacy.queued);
    brood_future_release(p.future);
    job_fini(&job);
}

static const test_t tests[] = {
    TEST_KEEPS(every_call_says_so, KEEPS_ALL),
};

HARNESS_MAIN_WARM("forked", tests, warm_up)
