/* SPDX-License-Identifier: Apache-2.0 */

/* test_hook_pairs.c: each task has one pair of hooks with its name, wherever it
 * runs. */

#include "async/fixture.h"

#include <stdio.h>

static struct {
    pthread_mutex_t lock;
    char text[400];
} g_seen = { PTHREAD_MUTEX_INITIALIZER, "" };

static brood_thread_manager_t *g_threads; /* one worker, room for one task */
static brood_loop_manager_t *g_loop;
static brood_affinity_pool_t *g_pool;

static void add(const char *first, const char *name, const char *last)
{
    pthread_mutex_lock(&g_seen.lock);
    strcat(strcat(strcat(g_seen.text, first), name ? name : "-"), last);
    pthread_mutex_unlock(&g_seen.lock);
}

static void before(const char *name, void *unused)
{
    (void)unused;
    add("<", name, " ");
}

static void after(const char *name, void *unused)
{
    (void)unused;
    add("", name, ">");
}

static int saw(const char *text)
{
    int same;

    pthread_mutex_lock(&g_seen.lock);
    same = strcmp(g_seen.text, text) == 0;
    pthread_mutex_unlock(&g_seen.lock);
    return same;
}

static apr_status_t nothing(void *unused, void **value)
{
    (void)unused;
    (void)value;
    return APR_SUCCESS;
}

static apr_status_t fail(void *unused, void **value)
{
    (void)unused;
    (void)value;
    return APR_EGENERAL;
}

static apr_status_t give_way(void *unused, void **value)
{
    (void)unused;
    (void)value;
    return brood_yield();
}

static brood_task_options_t named(const char *name)
{
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;

    options.name = name;
    options.flags = BROOD_TASK_QUIET;
    return options;
}

/* ---- ways to run a task ---------------------------------------------------- */

static brood_future_t *on_threads(brood_task_fn *fn,
                                  const brood_task_options_t *options)
{
    brood_future_t *future = NULL;

    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit(&future, g_threads,
                                                           fn, NULL, options));
    return future;
}

static void on_a_worker(void)
{
    brood_task_options_t options = named("x");

    ASSERT_STATUS(APR_SUCCESS, finish(on_threads(nothing, &options)));
}

static void without_a_name(void)
{
    ASSERT_STATUS(APR_SUCCESS, finish(on_threads(nothing, NULL)));
}

static void failing(void)
{
    brood_task_options_t options = named("x");

    ASSERT_STATUS(APR_EGENERAL, finish(on_threads(fail, &options)));
}

static void urgent(void)
{
    brood_task_options_t options = named("x");

    options.priority = BROOD_PRIORITY_HIGH;
    ASSERT_STATUS(APR_SUCCESS, finish(on_threads(nothing, &options)));
}

static void delayed(void)
{
    brood_task_options_t options = named("x");

    options.delay = 1;
    ASSERT_STATUS(APR_SUCCESS, finish(on_threads(nothing, &options)));
}

static void without_a_future(void)
{
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit(
                                   NULL, g_threads, nothing, NULL, NULL));
}

/* The name goes with the task. */
static void with_a_name_that_goes(void)
{
    static char name[2];
    brood_task_options_t options = named(name);

    strcpy(name, "x");
    ASSERT_STATUS(APR_SUCCESS, finish(on_threads(nothing, &options)));
    strcpy(name, "!");
}

static apr_status_t submit_and_wait(void *unused, void **value)
{
    brood_task_options_t options = named("b");
    brood_future_t *future = NULL;
    apr_status_t rv = brood_thread_manager_submit(&future, g_threads, nothing,
                                                  NULL, &options);

    (void)unused;
    (void)value;
    return rv == APR_SUCCESS ? finish(future) : rv;
}

static void in_place(void)
{
    brood_task_options_t options = named("a");

    ASSERT_STATUS(APR_SUCCESS, finish(on_threads(submit_and_wait, &options)));
}

/* One waits at a door, one is queued; what comes now runs in the caller. */
static void in_the_caller(void)
{
    brood_task_options_t options = named("x");
    turnstile_t arrived;
    door_t hold;
    call_t call = { &arrived, &hold, NULL, APR_SUCCESS, 0, 0, 0 };
    brood_future_t *first = NULL, *queued;

    turnstile_init(&arrived);
    door_init(&hold);
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit(
                                   &first, g_threads, run_call, &call, NULL));
    turnstile_wait(&arrived, 1);
    queued = on_threads(nothing, NULL);
    ASSERT_STATUS(APR_SUCCESS, finish(on_threads(nothing, &options)));
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit(
                                   NULL, g_threads, nothing, NULL, NULL));
    door_open(&hold);
    ASSERT_STATUS(APR_SUCCESS, finish(first));
    ASSERT_STATUS(APR_SUCCESS, finish(queued));
    turnstile_fini(&arrived);
    door_fini(&hold);
}

static void canceled(void)
{
    brood_task_options_t options = named("x");
    brood_future_t *future;

    options.delay = (apr_interval_time_t)3600 * 1000000;
    future = on_threads(nothing, &options);
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(future));
    ASSERT_STATUS(BROOD_ECANCELED, finish(future));
}

static void mapped(void)
{
    brood_task_options_t options = named("x");
    brood_future_t *future = NULL;
    char array[10];

    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_map(&future, g_threads, nothing, array,
                                           10, 1, 1, &options));
    ASSERT_STATUS(APR_SUCCESS, finish(future));
}

static void on_loop(brood_task_fn *fn, const brood_task_options_t *options)
{
    brood_future_t *future = NULL;

    ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_submit(&future, g_loop, fn,
                                                         NULL, options));
    ASSERT_STATUS(APR_SUCCESS, finish(future));
}

static void as_a_coroutine(void)
{
    brood_task_options_t options = named("x");

    on_loop(give_way, &options);
}

static void as_a_coroutine_without_a_name(void)
{
    on_loop(nothing, NULL);
}

static void as_a_delayed_coroutine(void)
{
    brood_task_options_t options = named("x");

    options.delay = 1;
    on_loop(nothing, &options);
}

static void open_door(void *door)
{
    door_open(door);
}

/* Only the next one is sure to come after the hook. */
static void posted(void)
{
    door_t door;

    door_init(&door);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_loop_manager_post(g_loop, open_door, &door));
    door_wait(&door);
    WAIT_UNTIL(saw("<- ->"));
    door_fini(&door);
}

static void note(brood_future_t *future, void *unused)
{
    (void)future;
    (void)unused;
}

static void notified(const brood_target_t *where)
{
    brood_promise_t *promise = NULL;
    brood_future_t *future = NULL;

    ASSERT_STATUS(APR_SUCCESS, brood_promise_make(&promise, &future, NULL));
    ASSERT_STATUS(APR_SUCCESS, brood_future_notify(future, where, note, NULL));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_promise_settle(promise, APR_SUCCESS, NULL));
    brood_future_release(future);
    WAIT_UNTIL(saw("<- ->"));
}

static void notified_on_threads(void)
{
    const brood_target_t where = { sizeof(where), g_threads, NULL };

    notified(&where);
}

static void notified_on_a_loop(void)
{
    const brood_target_t where = { sizeof(where), NULL, g_loop };

    notified(&where);
}

static void with_context(const char *context)
{
    brood_task_options_t options = named("x");
    brood_future_t *future = NULL;

    ASSERT_STATUS(APR_SUCCESS,
                  brood_affinity_pool_submit(&future, g_pool, context, nothing,
                                             NULL, &options));
    ASSERT_STATUS(APR_SUCCESS, finish(future));
}

/* Its lease ends in between, and another one begins. */
static void in_a_context(void)
{
    with_context("c");
    ASSERT_STATUS(APR_SUCCESS, brood_affinity_pool_release(g_pool, "c"));
    with_context("c");
    ASSERT_STATUS(APR_SUCCESS, brood_affinity_pool_release(g_pool, "c"));
}

static void as_a_general_call(void)
{
    with_context(NULL);
}

static apr_status_t back_and_forth(void *unused, void **value)
{
    brood_task_options_t options = named("b");
    brood_async_options_t o = BROOD_ASYNC_OPTIONS_INIT;
    brood_future_t *future = NULL;
    apr_status_t rv;

    (void)unused;
    (void)value;
    o.pool = g_pool;
    o.task = &options;
    rv = brood_sync_to_async(&future, nothing, NULL, &o);
    return rv == APR_SUCCESS ? finish(future) : rv;
}

static void through_the_bridge(void)
{
    brood_task_options_t options = named("a");

    on_loop(back_and_forth, &options);
}

static void each_way_has_one_pair(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
        const char *expected;
    } rows[] = {
        { "on a worker", on_a_worker, "<x x>" },
        { "without a name", without_a_name, "<- ->" },
        { "failing", failing, "<x x>" },
        { "urgent", urgent, "<x x>" },
        { "delayed", delayed, "<x x>" },
        { "without a future", without_a_future, "<- ->" },
        { "with a name that goes", with_a_name_that_goes, "<x x>" },
        { "in place", in_place, "<a <b b>a>" },
        { "in the caller", in_the_caller, "<- <x x><- ->-><- ->" },
        { "canceled", canceled, "" },
        { "mapped", mapped, "<x x>" },
        { "as a coroutine", as_a_coroutine, "<x x>" },
        { "as a coroutine without a name", as_a_coroutine_without_a_name,
          "<- ->" },
        { "as a delayed coroutine", as_a_delayed_coroutine, "<x x>" },
        { "posted", posted, "<- ->" },
        { "notified on threads", notified_on_threads, "<- ->" },
        { "notified on a loop", notified_on_a_loop, "<- ->" },
        { "in a context", in_a_context, "<x x><x x>" },
        { "as a general call", as_a_general_call, "<x x>" },
        { "through the bridge", through_the_bridge, "<a <b b>a>" },
    };
    char was[500];
    unsigned i;

    g_pool = pool_of(4);
    brood_task_hooks_set(before, after, NULL);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        g_seen.text[0] = '\0';
        rows[i].run();
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_wait_idle(g_threads, -1));
        if (!saw(rows[i].expected)) {
            snprintf(was, sizeof(was), "%s: expected %s, saw %s", rows[i].name,
                     rows[i].expected, g_seen.text);
            CU_FAIL(was);
            printf("# %s\n", was);
        }
    }
    brood_task_hooks_set(NULL, NULL, NULL);
    CU_ASSERT(i == sizeof(rows) / sizeof(rows[0]));
}

static void start_all(void)
{
    brood_thread_manager_options_t o = BROOD_THREAD_MANAGER_OPTIONS_INIT;

    o.max_workers = 1;
    o.max_spares = -1;
    o.capacity = 1;
    o.when_full = BROOD_WHEN_FULL_RUN;
    (void)brood_thread_manager_get(&g_threads, "pairs", 0);
    (void)brood_thread_manager_start(g_threads, &o);
    (void)brood_loop_manager_get(&g_loop, "pairs", 0);
    (void)brood_loop_manager_start(g_loop, NULL);
}

static const test_t tests[] = {
    TEST_KEEPS(each_way_has_one_pair, KEEPS_ALL),
};

HARNESS_MAIN_WARM("hook_pairs", tests, start_all)
