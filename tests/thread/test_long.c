/* SPDX-License-Identifier: Apache-2.0 */

/* test_long.c: a task that runs for long is named once, while it still runs. */

#include <pthread.h>
#include <stdio.h>

#include "thread/pool.h"

static turnstile_t g_lines;
static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER; /* guards g_last */
static char g_last[300];

static void hear(int level, const char *line, void *unused)
{
    (void)unused;
    if (level != BROOD_LOG_WARNING || !strstr(line, "runs for longer than"))
        return;
    pthread_mutex_lock(&g_lock);
    snprintf(g_last, sizeof(g_last), "%s", line);
    pthread_mutex_unlock(&g_lock);
    turnstile_pass(&g_lines);
}

static void warn_after(apr_interval_time_t task_warning)
{
    brood_watchdog_options_t options = BROOD_WATCHDOG_OPTIONS_INIT;

    options.task_warning = task_warning;
    ASSERT_STATUS(APR_SUCCESS, brood_watchdog_set(&options));
}

static void begin_to_listen(apr_interval_time_t task_warning)
{
    turnstile_init(&g_lines);
    brood_log_hook_set(hear, NULL);
    warn_after(task_warning);
}

static void end_listening(void)
{
    warn_after(0);
    brood_log_hook_set(NULL, NULL);
    turnstile_fini(&g_lines);
}

/* Until so many lines were heard; so it is over when it was named. */
static apr_status_t run_until_named(void *n, void **value)
{
    (void)value;
    turnstile_wait(&g_lines, *(const unsigned *)n);
    return APR_SUCCESS;
}

static void it_is_named_while_it_runs(void)
{
    static const struct {
        const char *name, *expected;
    } rows[] = {
        { "render", "task 'render' of 'test' runs for longer than 0.002 s" },
        { NULL, "task without a name of 'test' runs for longer than 0.002 s" },
    };
    pool_t *pool;
    unsigned i;

    begin_to_listen(2000);
    pool = pool_of(1, 1);
    for (i = 0; i < COUNT(rows); i++) {
        brood_task_options_t options = task_options();
        unsigned n = i + 1;

        options.name = rows[i].name;
        ASSERT_STATUS(APR_SUCCESS, outcome(submit_with(pool, run_until_named,
                                                       &n, &options)));
        pthread_mutex_lock(&g_lock); /* who watches knows nothing of us */
        CU_ASSERT_STRING_EQUAL(g_last, rows[i].expected);
        pthread_mutex_unlock(&g_lock);
    }
    drain_and_leave(pool);
    end_listening();
}

/* The second task runs at least as long as the first one does after it was
 * named: so the first one would be named again meanwhile. */
static void it_is_named_once(void)
{
    stopper_t stopper;
    pool_t *pool;
    unsigned n;

    begin_to_listen(1000);
    pool = pool_of(2, 2);
    occupy(pool, &stopper);
    turnstile_wait(&g_lines, 1);
    for (n = 2; n < 7; n++)
        ASSERT_STATUS(APR_SUCCESS, outcome(submit(pool, run_until_named, &n)));
    CU_ASSERT_EQUAL(turnstile_passed(&g_lines), 6);
    door_open(&stopper.go);
    drain_and_leave(pool);
    stopper_fini(&stopper);
    end_listening();
}

static void by_default_nobody_watches(void)
{
    stopper_t stopper;
    pool_t *pool;

    begin_to_listen(0);
    pool = pool_of(1, 1);
    occupy(pool, &stopper);
    CU_ASSERT(!pool->executor.watch_armed);
    door_open(&stopper.go);
    drain_and_leave(pool);
    CU_ASSERT_EQUAL(turnstile_passed(&g_lines), 0);
    stopper_fini(&stopper);
    end_listening();
}

static const test_t tests[] = {
    TEST(it_is_named_while_it_runs),
    TEST(it_is_named_once),
    TEST(by_default_nobody_watches),
};

HARNESS_MAIN_WARM("long", tests, warm_up)
