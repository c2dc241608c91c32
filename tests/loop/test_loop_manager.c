/* SPDX-License-Identifier: Apache-2.0 */

/* test_loop_manager.c: a loop's life, settings, and what it refuses. */

#include "loop/looping.h"

#include <stdio.h>

#include <event2/event.h>

#include "base/fault.h"
#include "base/versioned.h"
#include "os/os.h"

static void without_a_manager_nothing_happens(void)
{
    brood_stats_t stats = BROOD_STATS_INIT;
    brood_future_t *future = (brood_future_t *)&stats;
    struct event_base *base = (struct event_base *)&stats;
    char buf[64];

    ASSERT_STATUS(APR_EINVAL, brood_loop_manager_get(NULL, NULL, 0));
    ASSERT_STATUS(APR_EINVAL, brood_loop_manager_start(NULL, NULL));
    ASSERT_STATUS(APR_EINVAL, brood_loop_manager_run(NULL, NULL));
    ASSERT_STATUS(APR_EINVAL, brood_loop_manager_submit(&future, NULL, nothing,
                                                        NULL, NULL));
    CU_ASSERT_PTR_NULL(future);
    ASSERT_STATUS(APR_EINVAL, brood_loop_manager_post(NULL, open_door, NULL));
    ASSERT_STATUS(APR_EINVAL, brood_loop_manager_post(loop, NULL, NULL));
    ASSERT_STATUS(APR_EINVAL,
                  brood_loop_manager_submit(NULL, loop, NULL, NULL, NULL));
    ASSERT_STATUS(APR_EINVAL,
                  brood_loop_manager_stop(NULL, BROOD_STOP_DRAIN, 0));
    ASSERT_STATUS(APR_EINVAL, brood_loop_manager_stop(loop, 17, 0));
    ASSERT_STATUS(APR_EINVAL, brood_loop_manager_event_base(NULL, &base));
    CU_ASSERT_PTR_NULL(base);
    ASSERT_STATUS(APR_EINVAL, brood_loop_manager_event_base(loop, NULL));
    ASSERT_STATUS(APR_EINVAL, brood_loop_manager_current(NULL));
    ASSERT_STATUS(APR_EINVAL, brood_loop_manager_stats(NULL, &stats));
    ASSERT_STATUS(APR_EINVAL, brood_loop_manager_stats(loop, NULL));
    stats.size = 1;
    ASSERT_STATUS(APR_EINVAL, brood_loop_manager_stats(loop, &stats));
    ASSERT_STATUS(APR_EINVAL, brood_loop_manager_each(NULL, NULL));
    CU_ASSERT_STRING_EQUAL(brood_loop_manager_describe(NULL, buf, 64),
                           "<loop manager NULL>");
    CU_ASSERT_FALSE(brood_loop_manager_is_running(NULL));
    CU_ASSERT_PTR_NULL(brood_loop_manager_id(NULL));
    CU_ASSERT_PTR_NULL(brood_loop_manager_task_type(NULL, buf, 64));
    CU_ASSERT_EQUAL(brood_loop_manager_owner_serial(NULL), 0);
    CU_ASSERT_PTR_NULL(brood_loop_manager_retain(NULL));
    CU_ASSERT_PTR_NULL(brood_loop_manager_release(NULL));
}

typedef struct fresh_t {
    apr_status_t submit, post, stop, base, notify;
    int running;
    char text[100];
} fresh_t;

static void unused_notify(brood_future_t *future, void *baton)
{
    (void)future;
    (void)baton;
}

static void *APR_THREAD_FUNC use_before_start(apr_thread_t *self, void *baton)
{
    fresh_t *saw = baton;
    brood_loop_manager_t *fresh;
    struct event_base *base;
    brood_target_t target = BROOD_TARGET_INIT;
    brood_promise_t *promise;
    brood_future_t *future;

    (void)self;
    if (brood_loop_manager_get(&fresh, NULL, BROOD_GET_FORCE_CREATE)
            != APR_SUCCESS
        || brood_promise_make(&promise, &future, NULL) != APR_SUCCESS)
        return NULL;
    target.loop = fresh;
    saw->submit = brood_loop_manager_submit(NULL, fresh, nothing, NULL, NULL);
    saw->post = brood_loop_manager_post(fresh, open_door, NULL);
    saw->stop = brood_loop_manager_stop(fresh, BROOD_STOP_DRAIN, -1);
    saw->base = brood_loop_manager_event_base(fresh, &base);
    saw->notify = brood_future_notify(future, &target, unused_notify, NULL);
    saw->running = brood_loop_manager_is_running(fresh);
    brood_loop_manager_describe(fresh, saw->text, sizeof(saw->text));
    brood_promise_settle(promise, APR_SUCCESS, NULL);
    brood_future_release(future);
    return NULL;
}

static void before_start_it_refuses(void)
{
    fresh_t saw = { 0, 0, 0, 0, 0, 1, "" };

    on_a_thread(use_before_start, &saw);
    ASSERT_STATUS(BROOD_ENOTSTARTED, saw.submit);
    ASSERT_STATUS(BROOD_ENOTSTARTED, saw.post);
    ASSERT_STATUS(BROOD_ENOTSTARTED, saw.stop);
    ASSERT_STATUS(BROOD_ENOTSTARTED, saw.base);
    ASSERT_STATUS(BROOD_ENOTSTARTED, saw.notify);
    CU_ASSERT_FALSE(saw.running);
    CU_ASSERT_PTR_NOT_NULL(strstr(saw.text, "not started"));
}

static void start_runs_and_stop_stops(void)
{
    atomic_uint ran = 0;
    brood_stats_t before = stats_now(), after;
    struct event_base *base;

    start_loop();
    CU_ASSERT_TRUE(brood_loop_manager_is_running(loop));
    ASSERT_STATUS(BROOD_EALREADY, brood_loop_manager_start(loop, NULL));
    ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_event_base(loop, &base));
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(count_up, &ran)));
    CU_ASSERT_EQUAL(stats_now().workers, 1);
    stop_loop();
    CU_ASSERT_EQUAL(ran, 1);
    after = stats_now();
    CU_ASSERT_EQUAL(after.workers, 0);
    CU_ASSERT_EQUAL(after.started, before.started + 1);
    CU_ASSERT_EQUAL(after.submitted, before.submitted + 1);
    CU_ASSERT_EQUAL(after.completed, before.completed + 1);
    CU_ASSERT_EQUAL(after.queued, 0);
    CU_ASSERT_EQUAL(after.running, 0);

    CU_ASSERT_FALSE(brood_loop_manager_is_running(loop));
    ASSERT_STATUS(BROOD_ESTOPPED,
                  brood_loop_manager_submit(NULL, loop, nothing, NULL, NULL));
    ASSERT_STATUS(BROOD_ESTOPPED,
                  brood_loop_manager_post(loop, open_door, NULL));
    ASSERT_STATUS(BROOD_ESTOPPED, brood_loop_manager_event_base(loop, &base));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_loop_manager_stop(loop, BROOD_STOP_CANCEL, 0));
    CU_ASSERT_EQUAL(stats_now().rejected, before.rejected + 2);
}

static apr_status_t burn_a_little(void *unused, void **value)
{
    int64_t end = brood__os_now() + 3000;

    (void)unused;
    (void)value;
    while (brood__os_now() < end)
        brood__pause();
    return APR_SUCCESS;
}

/* us that the samples of a histogram took at least. */
static uint64_t at_least(const uint64_t *bucket)
{
    uint64_t sum = 0;
    unsigned i;

    for (i = 1; i < BROOD_HISTOGRAM_BUCKETS; i++)
        sum += bucket[i] << (i - 1);
    return sum;
}

static void the_sums_belong_to_the_histograms(void)
{
    brood_stats_t stats;
    unsigned i;

    start_loop();
    for (i = 0; i < 300; i++)
        ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_submit(
                                       NULL, loop, burn_a_little, NULL, NULL));
    stop_loop();
    stats = stats_now();
    CU_ASSERT(at_least(stats.run_time) >= 2);
    CU_ASSERT(stats.run_time_sum >= at_least(stats.run_time));
    CU_ASSERT(at_least(stats.wait_time) >= 2);
    CU_ASSERT(stats.wait_time_sum >= at_least(stats.wait_time));
}

/* What callers know less of is not written, and what nobody knows is refused. */
static void counters_have_one_size(void)
{
    static const struct {
        apr_size_t size;
        apr_status_t expected;
    } rows[] = {
        { 0, APR_EINVAL },
        { BROOD__SIZE_TO(brood_stats_t, run_time), APR_EINVAL },
        { BROOD__SIZE_TO(brood_stats_t, run_time_sum), APR_SUCCESS },
        { sizeof(brood_stats_t), APR_SUCCESS },
        { sizeof(brood_stats_t) + 1, APR_EINVAL },
    };
    unsigned i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        brood_stats_t stats = BROOD_STATS_INIT;

        stats.size = rows[i].size;
        ASSERT_STATUS(rows[i].expected, brood_loop_manager_stats(loop, &stats));
        CU_ASSERT_EQUAL(stats.size, rows[i].size);
    }
}

static void bad_settings_change_nothing(void)
{
    brood_loop_manager_options_t good = BROOD_LOOP_MANAGER_OPTIONS_INIT;
    brood_loop_manager_options_t bad = BROOD_LOOP_MANAGER_OPTIONS_INIT;
    char type[20];

    good.task_type = "good";
    ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_start(loop, &good));
    stop_loop();
    bad.task_type = "bad";
    bad.size--;
    ASSERT_STATUS(APR_EINVAL, brood_loop_manager_start(loop, &bad));
    bad.size += 2;
    ASSERT_STATUS(APR_EINVAL, brood_loop_manager_start(loop, &bad));
    bad.size--;
    bad.stack_size = (size_t)-1;
    ASSERT_STATUS(APR_EINVAL, brood_loop_manager_start(loop, &bad));
    bad.stack_size = 0;
    brood__fault_at(BROOD__FAULT_STACK, 1);
    ASSERT_STATUS(APR_ENOMEM, brood_loop_manager_start(loop, &bad));
    brood__fault_at(BROOD__FAULT_STACK, 0);
    CU_ASSERT_STRING_EQUAL(
        brood_loop_manager_task_type(loop, type, sizeof(type)), "good");
    CU_ASSERT_FALSE(brood_loop_manager_is_running(loop));
    start_loop();
    CU_ASSERT_PTR_NULL(brood_loop_manager_task_type(loop, type, sizeof(type)));
    stop_loop();
}

static void a_type_protects(void)
{
    brood_loop_manager_options_t o = BROOD_LOOP_MANAGER_OPTIONS_INIT;
    brood_task_options_t task = BROOD_TASK_OPTIONS_INIT;
    char text[100];
    int i;

    for (i = 0; i < 2; i++) {
        o.task_type = i ? "" : "render";
        ASSERT_STATUS_FATAL(APR_SUCCESS, brood_loop_manager_start(loop, &o));
        o.task_type = "other";
        ASSERT_STATUS(BROOD_EALREADY, brood_loop_manager_start(loop, &o));
        task.type = i ? "" : "render";
        ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_submit(
                                       NULL, loop, nothing, NULL, &task));
        task.type = "other";
        ASSERT_STATUS(BROOD_ETASKTYPE, brood_loop_manager_submit(
                                           NULL, loop, nothing, NULL, &task));
        ASSERT_STATUS(BROOD_ETASKTYPE, brood_loop_manager_submit(
                                           NULL, loop, nothing, NULL, NULL));
        ASSERT_STATUS(BROOD_ETASKTYPE,
                      brood_loop_manager_post(loop, open_door, NULL));
        brood_loop_manager_describe(loop, text, sizeof(text));
        CU_ASSERT_PTR_NOT_NULL(
            strstr(text, i ? "running, type ''" : "running, type 'render'"));
        stop_loop();
        ASSERT_STATUS(BROOD_ESTOPPED, brood_loop_manager_submit(
                                          NULL, loop, nothing, NULL, &task));
    }
    task.type = "anything";
    start_loop();
    ASSERT_STATUS(APR_SUCCESS,
                  brood_loop_manager_submit(NULL, loop, nothing, NULL, &task));
    stop_loop();
}

/* What the hooks and handlers saw, in order. */
static char story[200];

static void say(const char *what)
{
    strncat(story, what, sizeof(story) - strlen(story) - 1);
}

static apr_status_t from_hook(void *baton, void **result)
{
    (void)result;
    say(baton);
    return APR_SUCCESS;
}

static void on_start(struct event_base *base, void *baton)
{
    brood_loop_manager_t *here = NULL;

    say(base && baton == story ? "start " : "? ");
    brood_loop_manager_current(&here);
    say(here == loop ? "" : "elsewhere ");
    if (brood_loop_manager_submit(NULL, here, from_hook, (void *)"task ", NULL)
        != APR_SUCCESS)
        say("refused ");
}

static void on_stop(struct event_base *base, void *baton)
{
    say(base && baton == story ? "stop " : "? ");
    if (brood_loop_manager_submit(NULL, loop, nothing, NULL, NULL)
        == BROOD_ESTOPPED)
        say("(refused) ");
}

static void on_exit_hook(struct event_base *base, void *baton)
{
    say(base && baton == story ? "exit" : "?");
}

static void hooks_run_in_order(void)
{
    brood_loop_manager_options_t o = BROOD_LOOP_MANAGER_OPTIONS_INIT;
    brood_loop_manager_t *here = loop;

    story[0] = '\0';
    o.on_start = on_start;
    o.on_stop = on_stop;
    o.on_exit = on_exit_hook;
    o.hook_baton = story;
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_loop_manager_start(loop, &o));
    ASSERT_STATUS(BROOD_ENOTFOUND, brood_loop_manager_current(&here));
    CU_ASSERT_PTR_NULL(here);
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(nothing, NULL)));
    stop_loop();
    CU_ASSERT_STRING_EQUAL(story, "start task stop (refused) exit");
}

static void stop_from_a_hook(struct event_base *base, void *baton)
{
    (void)base;
    *(apr_status_t *)baton = brood_loop_manager_stop(loop, BROOD_STOP_DRAIN, 0);
}

static void a_start_may_be_stopped_at_once(void)
{
    brood_loop_manager_options_t o = BROOD_LOOP_MANAGER_OPTIONS_INIT;
    apr_status_t rv = -1;

    o.on_start = stop_from_a_hook;
    o.hook_baton = &rv;
    ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_start(loop, &o));
    ASSERT_STATUS(APR_TIMEUP, rv);
    stop_loop();
    CU_ASSERT_FALSE(brood_loop_manager_is_running(loop));
}

static apr_status_t stop_self(void *baton, void **result)
{
    apr_status_t *rv = baton;

    (void)result;
    rv[0] = brood_loop_manager_stop(loop, BROOD_STOP_DRAIN, -1);
    rv[1] = brood_loop_manager_stop(loop, BROOD_STOP_DRAIN, 0);
    rv[2] = brood_loop_manager_run(loop, NULL);
    rv[3] = brood_loop_manager_start(loop, NULL);
    return APR_SUCCESS;
}

static void it_runs_on_the_callers_thread(void)
{
    brood_loop_manager_options_t o = BROOD_LOOP_MANAGER_OPTIONS_INIT;
    uint64_t serial = brood_lineage_serial();
    int round;

    for (round = 0; round < 2; round++) {
        apr_status_t rv = -1;

        o.on_start = stop_from_a_hook;
        o.hook_baton = &rv;
        ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_run(loop, &o));
        ASSERT_STATUS(APR_TIMEUP, rv);
        CU_ASSERT_EQUAL(brood_lineage_serial(), serial);
    }
}

static void from_inside_it_cannot_be_waited_for(void)
{
    apr_status_t rv[4] = { 0, 0, 0, 0 };

    start_loop();
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(stop_self, rv)));
    ASSERT_STATUS(BROOD_EDEADLK, rv[0]);
    ASSERT_STATUS(APR_TIMEUP, rv[1]);
    ASSERT_STATUS(BROOD_EDEADLK, rv[2]);
    ASSERT_STATUS(BROOD_EPENDING, rv[3]);
    stop_loop();
}

static int find_test(brood_loop_manager_t *manager, void *found)
{
    *(int *)found += manager == loop;
    return 0;
}

static void it_is_found_and_shown(void)
{
    brood_loop_manager_t *same = NULL;
    char text[100], want[100];
    int found = 0;

    ASSERT_STATUS(APR_SUCCESS,
                  brood_loop_manager_get(&same, "test", BROOD_GET_STRICT));
    CU_ASSERT_PTR_EQUAL(same, loop);
    CU_ASSERT_STRING_EQUAL(brood_loop_manager_id(loop), "test");
    CU_ASSERT_EQUAL(brood_loop_manager_owner_serial(loop),
                    brood_lineage_serial());
    ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_each(find_test, &found));
    CU_ASSERT_EQUAL(found, 1);
    snprintf(want, sizeof(want), "<loop manager 'test': stopped, owner #%lu>",
             (unsigned long)brood_lineage_serial());
    CU_ASSERT_STRING_EQUAL(brood_loop_manager_describe(loop, text, 100), want);
}

/* Some keep memory: futures and slots that the next task will use. */
static const test_t tests[] = {
    TEST(without_a_manager_nothing_happens),
    TEST_KEEPS(before_start_it_refuses, KEEPS_MEMORY),
    TEST(start_runs_and_stop_stops),
    TEST_KEEPS(the_sums_belong_to_the_histograms, KEEPS_MEMORY),
    TEST(counters_have_one_size),
    TEST(bad_settings_change_nothing),
    TEST(a_type_protects),
    TEST(hooks_run_in_order),
    TEST(a_start_may_be_stopped_at_once),
    TEST(it_runs_on_the_callers_thread),
    TEST(from_inside_it_cannot_be_waited_for),
    TEST(it_is_found_and_shown),
};

HARNESS_MAIN_WARM("loop_manager", tests, warm_up)
