/* SPDX-License-Identifier: Apache-2.0 */

/* test_late.c: tasks with a delay and without a future. */

#include "base/fault.h"
#include "loop/core.h"
#include "loop/looping.h"
#include "os/os.h"
#include "task/magazine.h"

enum { LATES = 300, MS = 1000 };

typedef struct late_t {
    int64_t not_before;
    int early;
    turnstile_t ran;
} late_t;

static brood_task_options_t after(apr_interval_time_t us)
{
    brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;

    o.delay = us;
    return o;
}

static apr_status_t check_time(void *baton, void **result)
{
    late_t *late = baton;

    (void)result;
    late->early |= brood__os_now() < late->not_before;
    turnstile_pass(&late->ran);
    return APR_SUCCESS;
}

static apr_status_t submit_late(void *baton, void **result)
{
    late_t *late = baton;
    brood_task_options_t o = after(2 * MS);

    (void)result;
    late->not_before = brood__os_now() + o.delay * 1000;
    return brood_loop_manager_submit(NULL, loop, check_time, late, &o);
}

/* ---- when they run -------------------------------------------------------- */

static void they_run_when_they_are_due_and_not_before(void)
{
    late_t here = { 0 }, there = { 0 };

    turnstile_init(&here.ran);
    turnstile_init(&there.ran);
    start_loop();
    ASSERT_STATUS(APR_SUCCESS, submit_late(&there, NULL));
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(submit_late, &here)));
    turnstile_wait(&here.ran, 1);
    turnstile_wait(&there.ran, 1);
    stop_loop();
    CU_ASSERT_FALSE(here.early);
    CU_ASSERT_FALSE(there.early);
    turnstile_fini(&here.ran);
    turnstile_fini(&there.ran);
}

static apr_status_t nap_and_count(void *count, void **result)
{
    apr_status_t rv = brood_sleep(MS);

    return rv == APR_SUCCESS ? count_up(count, result) : rv;
}

/* Three kinds at once: none keeps the others away. */
static void they_share_the_loop_with_the_others(void)
{
    brood_task_options_t o = after(1);
    atomic_uint naps = 0, calls = 0, with_future = 0;
    brood_future_t *last = NULL;
    int i;

    start_loop();
    for (i = 0; i < LATES; i++) {
        ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_submit(
                                       NULL, loop, nap_and_count, &naps, &o));
        ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_submit(
                                       NULL, loop, count_up, &calls, NULL));
        brood_future_release(last);
        ASSERT_STATUS(
            APR_SUCCESS,
            brood_loop_manager_submit(&last, loop, count_up, &with_future, &o));
    }
    ASSERT_STATUS(APR_SUCCESS, outcome(last));
    WAIT_UNTIL(brood__load(&naps, relaxed) == LATES);
    WAIT_UNTIL(brood__load(&with_future, relaxed) == LATES);
    stop_loop();
    CU_ASSERT_EQUAL(calls, LATES);
}

typedef struct always_t {
    atomic_uint over, ended;
} always_t;

static apr_status_t come_again(void *baton, void **result)
{
    always_t *always = baton;
    brood_task_options_t o = after(1);

    (void)result;
    if (brood__load(&always->over, relaxed))
        return count_up(&always->ended, result);
    return brood_loop_manager_submit(NULL, loop, come_again, always, &o);
}

static void is_over(evutil_socket_t unused, short what, void *always)
{
    (void)unused;
    (void)what;
    brood__store(&((always_t *)always)->over, 1, relaxed);
}

static apr_status_t have_an_event(void *always, void **result)
{
    static const struct timeval soon = { 0, 20000 };
    struct event_base *base;
    apr_status_t rv = brood_loop_manager_event_base(loop, &base);

    (void)result;
    return rv == APR_SUCCESS
                   && event_base_once(base, -1, EV_TIMEOUT, is_over, always,
                                      &soon)
                          != 0
               ? APR_EGENERAL
               : rv;
}

/* There is always one that is due, so the loop never sleeps. */
static void the_events_of_the_program_run_all_the_same(void)
{
    always_t always = { 0 };
    int i;

    start_loop();
    for (i = 0; i < LATES; i++)
        ASSERT_STATUS(APR_SUCCESS, come_again(&always, NULL));
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(have_an_event, &always)));
    WAIT_UNTIL(brood__load(&always.ended, relaxed) == LATES);
    stop_loop();
}

/* ---- where they stand ------------------------------------------------------ */

static brood_context_key_t *key;
static int mark;

static apr_status_t look_around(void *baton, void **result)
{
    (void)result;
    brood__store((atomic_int *)baton, brood_context_get(key) == &mark ? 1 : -1,
                 relaxed);
    return APR_SUCCESS;
}

static void they_stand_where_they_were_submitted(void)
{
    brood_task_options_t o = after(MS);
    atomic_int found = 0;

    start_loop();
    ASSERT_STATUS(APR_SUCCESS, brood_context_set(key, &mark, NULL));
    ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_submit(
                                   NULL, loop, look_around, &found, &o));
    ASSERT_STATUS(APR_SUCCESS, brood_context_set(key, NULL, NULL));
    WAIT_UNTIL(brood__load(&found, relaxed) != 0);
    stop_loop();
    CU_ASSERT_EQUAL(found, 1);
}

/* ---- when they do not run --------------------------------------------------- */

static apr_status_t submit_many_late(void *count, void **result)
{
    brood_task_options_t o = after(apr_time_from_sec(3600));
    apr_status_t rv = APR_SUCCESS;
    int i;

    (void)result;
    for (i = 0; i < LATES && rv == APR_SUCCESS; i++)
        rv = brood_loop_manager_submit(NULL, loop, count_up, count, &o);
    return rv;
}

static void a_stop_cancels_what_is_not_due(void)
{
    const size_t live = brood__magazines_live(BROOD__LINES);
    const uint64_t canceled = stats_now().canceled;
    atomic_uint count = 0;

    start_loop();
    ASSERT_STATUS(APR_SUCCESS, submit_many_late(&count, NULL));
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(submit_many_late, &count)));
    CU_ASSERT_EQUAL(stats_now().queued, 2 * LATES);
    stop_loop();
    CU_ASSERT_EQUAL(count, 0);
    CU_ASSERT_EQUAL(stats_now().canceled, canceled + 2 * LATES);
    CU_ASSERT_EQUAL(stats_now().queued, 0);
    CU_ASSERT_EQUAL(brood__magazines_live(BROOD__LINES), live);
}

/* They are due, or nearly, when the loop learns of the stop: each has run, or
 * counts as canceled. */
static void none_is_lost_between_due_and_run(void)
{
    brood_task_options_t o = after(1);
    brood_stats_t before = stats_now(), stats;
    atomic_uint count = 0;
    holdup_t holdup;
    int i;

    start_loop();
    hold_loop(&holdup);
    for (i = 0; i < LATES; i++)
        ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_submit(
                                       NULL, loop, count_up, &count, &o));
    ASSERT_STATUS(APR_TIMEUP,
                  brood_loop_manager_stop(loop, BROOD_STOP_CANCEL, 0));
    door_open(&holdup.door);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_loop_manager_stop(loop, BROOD_STOP_CANCEL, -1));
    stats = stats_now();
    CU_ASSERT_EQUAL(count + (stats.canceled - before.canceled), LATES);
    CU_ASSERT_EQUAL(stats.submitted - before.submitted,
                    stats.completed - before.completed + stats.canceled
                        - before.canceled);
    holdup_fini(&holdup);
}

static void a_refused_one_leaves_nothing(void)
{
    const size_t live = brood__magazines_live(BROOD__LINES);
    brood_task_options_t o = after(MS);
    unsigned n = 0;
    apr_status_t rv;

    ASSERT_STATUS(BROOD_ESTOPPED,
                  brood_loop_manager_submit(NULL, loop, nothing, NULL, &o));
    start_loop();
    o.delay = apr_time_from_sec(3600);
    do {
        brood__fault_at(BROOD__FAULT_MEMORY, ++n);
        rv = brood_loop_manager_submit(NULL, loop, nothing, NULL, &o);
        CU_ASSERT(rv == APR_SUCCESS || rv == APR_ENOMEM);
    } while (rv == APR_ENOMEM && n < 20);
    brood__fault_at(BROOD__FAULT_MEMORY, 0);
    CU_ASSERT(n > 1);
    CU_ASSERT_EQUAL(brood__magazines_live(BROOD__LINES), live + 1);
    stop_loop();
    CU_ASSERT_EQUAL(brood__magazines_live(BROOD__LINES), live);
}

/* In the lanes the highest bit of a function says that this is a post. Where a
 * task's may have it too, the task has a future; it is never called here. */
static void one_that_looks_like_a_post_is_no_call(void)
{
    brood_task_fn *fn = (brood_task_fn *)((uintptr_t)nothing | BROOD__POST_BIT);
    const size_t live = brood__magazines_live(BROOD__LINES);
    const uint64_t canceled = stats_now().canceled;
    brood_task_options_t o = after(apr_time_from_sec(3600));

    start_loop();
    ASSERT_STATUS(APR_SUCCESS,
                  brood_loop_manager_submit(NULL, loop, fn, NULL, &o));
    CU_ASSERT_EQUAL(brood__magazines_live(BROOD__LINES), live);
    stop_loop();
    CU_ASSERT_EQUAL(stats_now().canceled, canceled + 1);
}

/* As many of them as any test has, so that all memory is there. */
static void warm_up_late(void)
{
    atomic_uint count = 0;

    warm_up();
    must(brood_context_key_make(&key, "late"));
    must(brood_loop_manager_start(loop, NULL));
    must(submit_many_late(&count, NULL));
    must(brood_loop_manager_submit(NULL, loop, submit_many_late, &count, NULL));
    must(brood_loop_manager_stop(loop, BROOD_STOP_DRAIN, -1));
    crowd(submit_here);
}

static void time_and_again_nothing_is_lost(void);

static const test_t tests[] = {
    TEST_KEEPS(they_run_when_they_are_due_and_not_before, KEEPS_MEMORY),
    TEST_KEEPS(they_share_the_loop_with_the_others, KEEPS_MEMORY),
    TEST_KEEPS(the_events_of_the_program_run_all_the_same, KEEPS_MEMORY),
    TEST_KEEPS(they_stand_where_they_were_submitted, KEEPS_MEMORY),
    TEST_KEEPS(a_stop_cancels_what_is_not_due, KEEPS_MEMORY),
    TEST_KEEPS(none_is_lost_between_due_and_run, KEEPS_MEMORY),
    TEST_KEEPS(a_refused_one_leaves_nothing, KEEPS_MEMORY),
    TEST_KEEPS(one_that_looks_like_a_post_is_no_call, KEEPS_MEMORY),
    TEST_KEEPS(time_and_again_nothing_is_lost, KEEPS_MEMORY),
};

static void time_and_again_nothing_is_lost(void)
{
    repeat(tests, sizeof(tests) / sizeof(tests[0]));
}

HARNESS_MAIN_WARM("late", tests, warm_up_late)
