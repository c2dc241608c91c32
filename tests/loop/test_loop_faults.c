/* SPDX-License-Identifier: Apache-2.0 */

/* test_loop_faults.c: a loop that lacks something, loses its owner, or finds
 * itself in a forked child. */

#include "loop/looping.h"

#include "base/fault.h"

static void every_start_may_fail_without_a_trace(void)
{
    static const struct {
        brood__fault_e kind;
        apr_status_t expected;
    } rows[] = {
        { BROOD__FAULT_MEMORY, APR_ENOMEM },
        { BROOD__FAULT_THREAD, APR_EAGAIN },
        { BROOD__FAULT_STACK, APR_ENOMEM },
        { BROOD__FAULT_DESCRIPTOR, APR_EGENERAL },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        apr_status_t rv;
        unsigned n = 0;

        do {
            brood__fault_at(rows[i].kind, ++n);
            rv = brood_loop_manager_start(loop, NULL);
            if (brood__fault_pending(rows[i].kind))
                break;
            if (rv == APR_SUCCESS) /* what failed could be done without */
                stop_loop();
            else
                ASSERT_STATUS(rows[i].expected, rv);
        } while (n < 100);
        brood__fault_at(rows[i].kind, 0);
        CU_ASSERT(n > 1 && n < 100);
        ASSERT_STATUS(APR_SUCCESS, rv);
        stop_loop();
    }
}

static void every_submit_may_fail_without_a_trace(void)
{
    brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;
    brood_task_options_t *options[] = { NULL, &o };
    atomic_uint ran = 0, wanted = 0;
    apr_size_t i;

    o.queue_timeout = 60000000;
    o.name = "named";
    start_loop();
    for (i = 0; i < 2; i++) {
        brood_future_t *future = NULL;
        apr_status_t rv;
        unsigned n = 0;

        do {
            brood__fault_at(BROOD__FAULT_MEMORY, ++n);
            rv = brood_loop_manager_submit(&future, loop, count_up, &ran,
                                           options[i]);
            CU_ASSERT(rv == APR_SUCCESS || (rv == APR_ENOMEM && !future));
        } while (rv == APR_ENOMEM && n < 20);
        brood__fault_at(BROOD__FAULT_MEMORY, 0);
        wanted++;
        ASSERT_STATUS(APR_SUCCESS, outcome(future));
        CU_ASSERT_EQUAL(ran, wanted);
    }
    stop_loop();
}

/* Each thread that ends gives its free futures back, so memory settles at first,
 * and then stays. The harness counts threads and descriptors. */
static void a_thousand_runs_leave_nothing(void)
{
    size_t settled = 0;
    int i;

    for (i = 0; i < 1000; i++) {
        if (i == 500)
            settled = brood__alloc_live();
        start_loop();
        if (i % 2)
            ASSERT_STATUS(APR_SUCCESS, outcome(submit(nothing, NULL)));
        stop_loop();
    }
    CU_ASSERT(brood__alloc_live() <= settled + 1);
}

typedef struct orphan_t {
    brood_loop_manager_t *kept;
    atomic_uint *ran;
    int daemon;
    brood_future_t *future;
} orphan_t;

static void *APR_THREAD_FUNC leave_a_loop(apr_thread_t *self, void *baton)
{
    brood_loop_manager_options_t o = BROOD_LOOP_MANAGER_OPTIONS_INIT;
    orphan_t *orphan = baton;
    brood_loop_manager_t *own;

    (void)self;
    o.daemon = orphan->daemon;
    if (brood_loop_manager_get(&own, NULL, BROOD_GET_FORCE_CREATE)
            == APR_SUCCESS
        && brood_loop_manager_start(own, &o) == APR_SUCCESS) {
        orphan->kept = brood_loop_manager_retain(own);
        brood_loop_manager_submit(&orphan->future, own, count_up, orphan->ran,
                                  NULL);
    }
    return NULL;
}

static int find_kept(brood_loop_manager_t *manager, void *orphan)
{
    return manager == ((orphan_t *)orphan)->kept ? -1 : 0;
}

/* Of a collected loop only the memory is left. */
static void refuses_everything(brood_loop_manager_t *kept)
{
    brood_stats_t stats = BROOD_STATS_INIT;
    struct event_base *base;

    ASSERT_STATUS(BROOD_ESTOPPED,
                  brood_loop_manager_submit(NULL, kept, nothing, NULL, NULL));
    ASSERT_STATUS(BROOD_ESTOPPED,
                  brood_loop_manager_post(kept, open_door, NULL));
    /* Its last tasks may still need it. */
    WAIT_UNTIL(brood_loop_manager_event_base(kept, &base) == BROOD_ESTOPPED);
    ASSERT_STATUS(BROOD_ESTOPPED,
                  brood_loop_manager_stop(kept, BROOD_STOP_DRAIN, -1));
    ASSERT_STATUS(BROOD_ESTOPPED,
                  brood_loop_manager_stop(kept, BROOD_STOP_CANCEL, 0));
    ASSERT_STATUS(BROOD_ESTOPPED, brood_loop_manager_stats(kept, &stats));
}

static void a_loop_goes_with_its_owner(void)
{
    int daemon;

    for (daemon = 0; daemon < 2; daemon++) {
        atomic_uint ran = 0;
        orphan_t orphan = { NULL, &ran, daemon, NULL };
        apr_status_t rv;

        on_a_thread(leave_a_loop, &orphan);
        CU_ASSERT_PTR_NOT_NULL_FATAL(orphan.kept);
        rv = outcome(orphan.future);
        CU_ASSERT(rv == APR_SUCCESS || (daemon && rv == BROOD_ECANCELED));
        WAIT_UNTIL(!brood_loop_manager_is_running(orphan.kept));
        CU_ASSERT_EQUAL(ran, rv == APR_SUCCESS);
        ASSERT_STATUS(
            BROOD_ESTOPPED,
            brood_loop_manager_submit(NULL, orphan.kept, nothing, NULL, NULL));
        WAIT_UNTIL(brood_loop_manager_start(orphan.kept, NULL)
                   == BROOD_ESTOPPED);
        brood_loop_manager_each(find_kept, &orphan);
        refuses_everything(orphan.kept);
        brood_loop_manager_release(orphan.kept);
    }
}

static void *APR_THREAD_FUNC leave_an_idle_loop(apr_thread_t *self, void *kept)
{
    brood_loop_manager_t *own = NULL;

    (void)self;
    (void)brood_loop_manager_get(&own, NULL, BROOD_GET_FORCE_CREATE);
    *(brood_loop_manager_t **)kept = brood_loop_manager_retain(own);
    return NULL;
}

/* Never started, and nobody can any more. */
static void a_loop_that_never_ran_goes_too(void)
{
    brood_loop_manager_t *kept = NULL;

    on_a_thread(leave_an_idle_loop, &kept);
    CU_ASSERT_PTR_NOT_NULL_FATAL(kept);
    WAIT_UNTIL(brood_loop_manager_start(kept, NULL) == BROOD_ESTOPPED);
    refuses_everything(kept);
    brood_loop_manager_release(kept);
}

static int use_in_child(void *baton)
{
    brood_loop_manager_t *here;
    struct event_base *base;
    brood_stats_t stats = BROOD_STATS_INIT;

    (void)baton;
    return brood_loop_manager_get(&here, NULL, 0) != BROOD_EFORKED
           || brood_loop_manager_start(loop, NULL) != BROOD_EFORKED
           || brood_loop_manager_run(loop, NULL) != BROOD_EFORKED
           || brood_loop_manager_submit(NULL, loop, nothing, NULL, NULL)
                  != BROOD_EFORKED
           || brood_loop_manager_post(loop, open_door, NULL) != BROOD_EFORKED
           || brood_loop_manager_stop(loop, BROOD_STOP_DRAIN, -1)
                  != BROOD_EFORKED
           || brood_loop_manager_event_base(loop, &base) != BROOD_EFORKED
           || brood_loop_manager_stats(loop, &stats) != BROOD_EFORKED
           || brood_loop_manager_current(&here) != BROOD_EFORKED
           || brood_sleep(1000) != BROOD_EFORKED
           || brood_yield() != BROOD_EFORKED
           || brood_await_fd(0, BROOD_AWAIT_READ, 0) != BROOD_EFORKED
           || brood_loop_manager_is_running(loop)
           || brood_loop_manager_id(loop);
}

static void a_forked_child_is_refused(void)
{
    TEST_NEEDS_FORK();
    start_loop();
    CU_ASSERT_EQUAL(test_in_child(use_in_child, NULL), 0);
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(nothing, NULL)));
    stop_loop();
}

static const test_t tests[] = {
    TEST_KEEPS(every_start_may_fail_without_a_trace, KEEPS_MEMORY),
    TEST_KEEPS(every_submit_may_fail_without_a_trace, KEEPS_MEMORY),
    TEST_KEEPS(a_thousand_runs_leave_nothing, KEEPS_MEMORY),
    TEST_KEEPS(a_loop_goes_with_its_owner, KEEPS_MEMORY),
    TEST_KEEPS(a_loop_that_never_ran_goes_too, KEEPS_MEMORY),
    TEST_KEEPS(a_forked_child_is_refused, KEEPS_MEMORY),
};

HARNESS_MAIN_WARM("loop_faults", tests, warm_up)
