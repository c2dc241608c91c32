/* SPDX-License-Identifier: Apache-2.0 */

/* test_watch.c: what blocks a loop is named while it does, and who waits long. */

#include "loop/core.h"
#include "loop/looping.h"

#include <event2/event.h>

/* The log, as far as a test asks for it. */
static turnstile_t lines;
static char last[400];
static const char *wanted;
static atomic_int n_matches;

static void hear(int level, const char *line, void *unused)
{
    (void)level;
    (void)unused;
    if (!strstr(line, wanted))
        return;
    strncpy(last, line, sizeof(last) - 1);
    brood__add(&n_matches, 1, relaxed);
    turnstile_pass(&lines);
}

static void begin_to_listen(const char *part)
{
    wanted = part;
    last[0] = '\0';
    n_matches = 0;
    turnstile_init(&lines);
    brood_log_hook_set(hear, NULL);
}

static void end_listening(void)
{
    brood_log_hook_set(NULL, NULL);
    turnstile_fini(&lines);
}

static void start_watched(apr_interval_time_t block_warning)
{
    brood_loop_manager_options_t o = BROOD_LOOP_MANAGER_OPTIONS_INIT;

    o.block_warning = block_warning;
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_loop_manager_start(loop, &o));
}

/* Blocks until the log has told of it. */
static void block_until_named(void *unused)
{
    (void)unused;
    turnstile_wait(&lines, 1);
}

static apr_status_t block_task(void *unused, void **result)
{
    (void)result;
    block_until_named(unused);
    return APR_SUCCESS;
}

static apr_status_t block_later(void *unused, void **result)
{
    brood_sleep(1000);
    return block_task(unused, result);
}

/* A loop that gets no CPU for so long is blocked too, by whatever it was at:
 * that line comes as well, or instead. Then try again. */
static void a_blocking_task_is_named(void)
{
    static brood_task_fn *const fns[] = { block_task, block_later };
    brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;
    apr_size_t i;

    o.name = "the culprit";
    for (i = 0; i < 2; i++) {
        do {
            begin_to_listen("blocked");
            start_watched(5000);
            brood_loop_manager_submit(NULL, loop, fns[i], NULL, &o);
            stop_loop();
            end_listening();
        } while (n_matches != 1 || !strstr(last, "task the culprit"));
        CU_ASSERT_PTR_NOT_NULL(strstr(last, "'test'"));
    }
}

static void a_blocking_post_is_told(void)
{
    begin_to_listen("function");
    start_watched(5000);
    brood_loop_manager_post(loop, block_until_named, NULL);
    stop_loop();
    CU_ASSERT_PTR_NOT_NULL(strstr(last, "blocked"));
    end_listening();
}

static void call_handler_soon(void *unused);

/* No timer may look any more when it begins; the loop arms it anew between this
 * call and the next. */
static void block_handler(evutil_socket_t fd, short what, void *unused)
{
    (void)fd;
    (void)what;
    WAIT_UNTIL(turnstile_passed(&lines)
               || !brood__load(&loop->watch.on, relaxed));
    if (!turnstile_passed(&lines))
        call_handler_soon(unused);
}

static void call_handler_soon(void *unused)
{
    static const struct timeval soon = { 0, 1000 };
    struct event_base *base;

    brood_loop_manager_event_base(loop, &base);
    event_base_once(base, -1, EV_TIMEOUT, block_handler, unused, &soon);
}

static void a_blocking_handler_is_told(void)
{
    begin_to_listen("an event handler");
    start_watched(200000); /* so that the timer still looks when it begins */
    brood_loop_manager_post(loop, call_handler_soon, NULL);
    turnstile_wait(&lines, 1);
    stop_loop();
    end_listening();
}

/* How many lines come of a loop that mostly sleeps, in all for longer than
 * `block_warning`. */
static int lines_of_a_quiet_run(apr_interval_time_t block_warning)
{
    int i;

    begin_to_listen("");
    start_watched(block_warning);
    for (i = 0; i < 20; i++) {
        ASSERT_STATUS(APR_SUCCESS, outcome(submit(nothing, NULL)));
        apr_sleep(block_warning > 0 ? block_warning * 3 / 10 : 0);
    }
    stop_loop();
    end_listening();
    return n_matches;
}

static void nobody_is_named_in_vain(void)
{
    apr_interval_time_t block_warning = 5000;

    /* Unless a loop that is awake gets no CPU for so long. */
    while (lines_of_a_quiet_run(block_warning))
        block_warning *= 2;
    CU_ASSERT_EQUAL(lines_of_a_quiet_run(-1), 0);
}

static void a_long_wait_is_named_once(void)
{
    brood_watchdog_options_t w = BROOD_WATCHDOG_OPTIONS_INIT;
    brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;
    brood_promise_t *promise;
    brood_future_t *future;

    begin_to_listen("waits for longer");
    w.wait_warning = 3000;
    ASSERT_STATUS(APR_SUCCESS, brood_watchdog_set(&w));
    ASSERT_STATUS(APR_SUCCESS, brood_promise_make(&promise, &future, NULL));
    start_loop();
    o.name = "patience";
    ASSERT_STATUS(APR_SUCCESS,
                  brood_loop_manager_submit(NULL, loop, await_it, future, &o));
    turnstile_wait(&lines, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(last, "task patience"));
    ASSERT_STATUS(APR_TIMEUP,
                  brood_loop_manager_stop(loop, BROOD_STOP_DRAIN, 10000));
    CU_ASSERT_EQUAL(n_matches, 1);
    brood_promise_settle(promise, APR_SUCCESS, NULL);
    stop_loop();
    ASSERT_STATUS(APR_SUCCESS, brood_watchdog_set(NULL));
    brood_future_release(future);
    end_listening();
}

/* ---- the program's hooks around tasks ---------------------------------------- */

static atomic_uint n_before, n_after, n_names;

static void before(const char *name, void *unused)
{
    (void)unused;
    brood__add(&n_before, 1, relaxed);
    if (name && !strcmp(name, "hooked"))
        brood__add(&n_names, 1, relaxed);
}

static void after(const char *name, void *unused)
{
    (void)unused;
    brood__add(&n_after, 1, relaxed);
    if (name && !strcmp(name, "hooked"))
        brood__add(&n_names, 1, relaxed);
}

static void open_nothing(void *unused)
{
    (void)unused;
}

static void hooks_run_around_each_task(void)
{
    brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;

    n_before = n_after = n_names = 0;
    start_loop();
    brood_task_hooks_set(before, after, NULL);
    o.name = "hooked";
    brood_loop_manager_submit(NULL, loop, nothing, NULL, &o);
    brood_loop_manager_submit(NULL, loop, nothing, NULL, NULL);
    brood_loop_manager_post(loop, open_nothing, NULL);
    stop_loop();
    brood_task_hooks_set(NULL, NULL, NULL);
    CU_ASSERT_EQUAL(n_before, 3);
    CU_ASSERT_EQUAL(n_after, 3);
    CU_ASSERT_EQUAL(n_names, 2);
}

static const test_t tests[] = {
    TEST_KEEPS(a_blocking_task_is_named, KEEPS_MEMORY),
    TEST_KEEPS(a_blocking_post_is_told, KEEPS_MEMORY),
    TEST_KEEPS(a_blocking_handler_is_told, KEEPS_MEMORY),
    TEST_KEEPS(nobody_is_named_in_vain, KEEPS_MEMORY),
    TEST_KEEPS(a_long_wait_is_named_once, KEEPS_MEMORY),
    TEST_KEEPS(hooks_run_around_each_task, KEEPS_MEMORY),
};

HARNESS_MAIN_WARM("watch", tests, warm_up)
