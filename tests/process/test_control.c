/* SPDX-License-Identifier: Apache-2.0 */

/* test_control.c: process managers as managers: start, stop, cancel, settings. */

#include "process/tasks.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/compiler.h"
#include "lineage/collector.h"
#include "lineage/node.h"
#include "os/os.h"
#include "process/wire.h"

static brood_process_manager_t *one_worker(void)
{
    brood_process_manager_options_t o = OPTIONS;

    o.max_workers = 1;
    return process_manager(&o);
}

static void ids_and_flags_mean_what_they_mean_elsewhere(void)
{
    const char *const id = test_variant ? "y" : "x";
    brood_process_manager_t *a, *b, *c;
    char line[200];

    ASSERT_STATUS(BROOD_ENOTFOUND,
                  brood_process_manager_get(&a, id, BROOD_GET_STRICT));
    CU_ASSERT_PTR_NULL(a);
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_process_manager_get(&a, id, 0));
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_get(&b, id, 0));
    CU_ASSERT_PTR_EQUAL(a, b);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_process_manager_get(&c, id, BROOD_GET_FORCE_CREATE));
    CU_ASSERT_PTR_NOT_EQUAL(a, c);
    ASSERT_STATUS(APR_EINVAL, brood_process_manager_get(NULL, "x", 0));
    CU_ASSERT_STRING_EQUAL(brood_process_manager_id(a), id);
    CU_ASSERT_EQUAL(brood_process_manager_owner_serial(a),
                    brood_lineage_serial());
    CU_ASSERT_PTR_NOT_NULL(
        strstr(brood_process_manager_describe(a, line, sizeof(line)),
               test_variant ? "<process manager 'y': not started"
                            : "<process manager 'x': not started"));
    CU_ASSERT_STRING_EQUAL(
        brood_process_manager_describe(NULL, line, sizeof(line)),
        "<process manager NULL>");
    CU_ASSERT_PTR_EQUAL(brood_process_manager_retain(c), c);
    CU_ASSERT_PTR_NULL(brood_process_manager_release(c));
}

static void what_was_never_started_says_so(void)
{
    brood_process_manager_t *m;
    brood_future_t *future = (brood_future_t *)&m;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_process_manager_get(&m, "never", 0));
    ASSERT_STATUS(BROOD_ENOTSTARTED, brood_process_manager_submit(
                                         &future, m, "echo", "", 0, NULL));
    CU_ASSERT_PTR_NULL(future);
    ASSERT_STATUS(BROOD_ENOTSTARTED,
                  brood_process_manager_stop(m, BROOD_STOP_DRAIN, -1));
    ASSERT_STATUS(BROOD_ENOTSTARTED, brood_process_manager_kill(m));
    CU_ASSERT_FALSE(brood_process_manager_is_running(m));
}

static void wrong_arguments_change_nothing(void)
{
    brood_process_manager_t *m = one_worker();
    brood_process_manager_options_t o = OPTIONS;
    brood_task_options_t task = BROOD_TASK_OPTIONS_INIT;
    brood_future_t *future;

    ASSERT_STATUS(BROOD_EALREADY, brood_process_manager_start(m, NULL));
    process_stop(m);
    o.max_workers = 1;
    o.min_workers = 2;
    ASSERT_STATUS(APR_EINVAL, brood_process_manager_start(m, &o));
    o = OPTIONS;
    o.size = 3;
    ASSERT_STATUS(APR_EINVAL, brood_process_manager_start(m, &o));
    o = OPTIONS;
    o.module = "relative/path.so";
    ASSERT_STATUS(APR_EINVAL, brood_process_manager_start(m, &o));
    o = OPTIONS;
    o.initializer = "unknown";
    ASSERT_STATUS(BROOD_ENOFUNC, brood_process_manager_start(m, &o));
    o = OPTIONS;
    o.start_method = 7;
    ASSERT_STATUS(APR_EINVAL, brood_process_manager_start(m, &o));
    ASSERT_STATUS(APR_EINVAL, brood_process_manager_start(NULL, NULL));
    ASSERT_STATUS(BROOD_ESTOPPED, brood_process_manager_submit(
                                      &future, m, "echo", "", 0, NULL));

    m = one_worker();
    ASSERT_STATUS(APR_EINVAL,
                  brood_process_manager_submit(&future, m, NULL, "", 0, NULL));
    ASSERT_STATUS(APR_EINVAL, brood_process_manager_submit(&future, m, "echo",
                                                           NULL, 1, NULL));
    ASSERT_STATUS(BROOD_ENOFUNC, brood_process_manager_submit(
                                     &future, m, "unknown", "", 0, NULL));
    task.destroy = free;
    ASSERT_STATUS(APR_EINVAL, brood_process_manager_submit(&future, m, "echo",
                                                           "", 0, &task));
    ASSERT_STATUS(APR_EINVAL,
                  brood_process_manager_stop(m, (brood_stop_e)7, 0));
    process_stop(m);
}

/* Its workers would run main() as their parent does, and start workers. */
static void without_a_table_nothing_is_started(void)
{
    const uint64_t hash = brood__table.hash;
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_process_manager_get(&m, "bare", 0));
    brood__table.hash = 0; /* as before brood_process_main() */
    ASSERT_STATUS(BROOD_ENOFUNC, brood_process_manager_start(m, NULL));
    ASSERT_STATUS(BROOD_ENOFUNC, brood_process_manager_start(m, &o));
    brood__table.hash = hash;
    CU_ASSERT_FALSE(brood_process_manager_is_running(m));
    ASSERT_STATUS(BROOD_ENOTSTARTED,
                  brood_process_manager_stop(m, BROOD_STOP_DRAIN, -1));
}

static void types_are_exact(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_task_options_t task = BROOD_TASK_OPTIONS_INIT;
    brood_process_manager_t *m;
    brood_future_t *future;
    char buf[20], bytes[200] = "";

    o.max_workers = 1;
    o.task_type = "image";
    m = process_manager(&o);
    ASSERT_STATUS(BROOD_ETASKTYPE, brood_process_manager_submit(
                                       &future, m, "echo", "", 0, NULL));
    task.type = "images";
    ASSERT_STATUS(BROOD_ETASKTYPE, brood_process_manager_submit(
                                       &future, m, "echo", "", 0, &task));
    process_listen_to(BROOD_LOG_INFO); /* before its bytes are copied, too */
    ASSERT_STATUS(BROOD_ETASKTYPE,
                  brood_process_manager_submit(&future, m, "echo", bytes,
                                               sizeof(bytes), &task));
    process_heard("refuses a task of type 'images'");
    task.type = "image";
    ASSERT_STATUS(APR_SUCCESS,
                  process_end(process_submit_with(m, "echo", "x", &task)));
    CU_ASSERT_STRING_EQUAL(brood_process_manager_task_type(m, buf, sizeof(buf)),
                           "image");
    process_stop(m);
    m = one_worker();
    CU_ASSERT_PTR_NULL(brood_process_manager_task_type(m, buf, sizeof(buf)));
    process_expect(m, "echo", "other settings", "other settings");
    process_stop(m);
}

static void a_status_comes_back(void)
{
    brood_process_manager_t *m = one_worker();
    char text[16];

    (void)snprintf(text, sizeof(text), "%d", APR_ENOENT);
    ASSERT_STATUS(APR_ENOENT, process_end(process_submit(m, "fail", text)));
    process_stop(m);
}

static void a_queued_task_that_is_canceled_never_runs(void)
{
    brood_process_manager_t *m = one_worker();
    brood_stats_t stats = BROOD_STATS_INIT;
    brood_future_t *first, *second, *third;
    file_door_t door, never;

    file_door_init(&door, "first");
    file_door_init(&never, "never");
    first = process_submit(m, "obey", door.path);
    second = process_submit(m, "hold", never.path);
    third = process_submit(m, "hold", never.path);
    WAIT_UNTIL(file_door_is_open(door.path));
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(second));
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(third));
    ASSERT_STATUS(BROOD_ECANCELED, process_end(second));
    ASSERT_STATUS(BROOD_ECANCELED, process_end(third));
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(first));
    ASSERT_STATUS(BROOD_ECANCELED, process_end(first));
    process_expect(m, "echo", "x", "x");
    CU_ASSERT_FALSE(file_door_is_open(never.path));
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_stats(m, &stats));
    CU_ASSERT_EQUAL(stats.queued, 0);
    CU_ASSERT_EQUAL(stats.running, 0);
    file_door_fini(&door);
    process_stop(m);
}

static void a_token_interrupts_a_wait_in_the_worker(void)
{
    brood_process_manager_t *m = one_worker();
    brood_future_t *future;
    file_door_t door;

    file_door_init(&door, "wait");
    future = process_submit(m, "await_never", door.path);
    WAIT_UNTIL(file_door_is_open(door.path));
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(future));
    ASSERT_STATUS(BROOD_ECANCELED, process_end(future));
    file_door_fini(&door);
    process_stop(m);
}

static void a_drain_runs_all_and_a_cancel_none(void)
{
    enum { N = 50 };
    brood_process_manager_t *m = one_worker();
    brood_task_options_t later = BROOD_TASK_OPTIONS_INIT;
    brood_future_t *futures[N], *delayed, *first;
    file_door_t door;
    int i;

    later.delay = 3600 * (apr_interval_time_t)1000000;
    delayed = process_submit_with(m, "echo", "x", &later);
    for (i = 0; i < N; i++)
        futures[i] = process_submit(m, "echo", "x");
    process_stop(m);
    for (i = 0; i < N; i++)
        ASSERT_STATUS(APR_SUCCESS, process_end(futures[i]));
    ASSERT_STATUS(BROOD_ECANCELED, process_end(delayed));

    file_door_init(&door, "cancel");
    m = one_worker();
    first = process_submit(m, "obey", door.path);
    WAIT_UNTIL(file_door_is_open(door.path));
    for (i = 0; i < N; i++)
        futures[i] = process_submit(m, "echo", "x");
    ASSERT_STATUS(APR_SUCCESS,
                  brood_process_manager_stop(m, BROOD_STOP_CANCEL, -1));
    ASSERT_STATUS(BROOD_ECANCELED, process_end(first));
    for (i = 0; i < N; i++)
        ASSERT_STATUS(BROOD_ECANCELED, process_end(futures[i]));
    file_door_fini(&door);
}

static void a_kill_ends_what_does_not_listen(void)
{
    brood_process_manager_t *m = one_worker();
    brood_future_t *future;
    file_door_t door;

    file_door_init(&door, "kill");
    future = process_submit(m, "ignore_term", door.path);
    WAIT_UNTIL(file_door_is_open(door.path));
    ASSERT_STATUS(APR_TIMEUP,
                  brood_process_manager_stop(m, BROOD_STOP_CANCEL, 10000));
    ASSERT_STATUS(BROOD_EPENDING, brood_process_manager_start(m, NULL));
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_kill(m));
    ASSERT_STATUS(BROOD_ECANCELED, process_end(future));
    process_stop(m);
    file_door_fini(&door);
}

static void delays_and_timeouts_of_the_queue_work(void)
{
    brood_process_manager_t *m = one_worker();
    brood_task_options_t task = BROOD_TASK_OPTIONS_INIT;
    brood_future_t *first, *late;
    file_door_t door;

    task.delay = 1000;
    ASSERT_STATUS(APR_SUCCESS,
                  process_end(process_submit_with(m, "echo", "x", &task)));
    file_door_init(&door, "busy");
    first = process_submit(m, "obey", door.path);
    WAIT_UNTIL(file_door_is_open(door.path));
    task.delay = 0;
    task.queue_timeout = 1000;
    late = process_submit_with(m, "echo", "x", &task);
    ASSERT_STATUS(BROOD_EEXPIRED, process_end(late));
    task.queue_timeout = 0;
    task.delay = 3600 * (apr_interval_time_t)1000000;
    late = process_submit_with(m, "echo", "x", &task);
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(late));
    ASSERT_STATUS(BROOD_ECANCELED, process_end(late));
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(first));
    ASSERT_STATUS(BROOD_ECANCELED, process_end(first));
    file_door_fini(&door);
    process_stop(m);
}

static void a_worker_is_replaced_after_its_share(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;
    long first, i;

    o.max_workers = 1;
    o.max_tasks_per_worker = 3;
    m = process_manager(&o);
    first = process_number(m, "pid", NULL);
    for (i = 0; i < 2; i++)
        CU_ASSERT_EQUAL(process_number(m, "pid", NULL), first);
    for (i = 0; i < 20; i++)
        CU_ASSERT_NOT_EQUAL(process_number(m, "pid", NULL), first);
    process_stop(m);
}

static void a_worker_that_has_grown_is_replaced(void)
{
    brood_process_manager_options_t o = OPTIONS;
    const int sanitized = BROOD__ASAN || BROOD__TSAN; /* they take a lot */
    brood_process_manager_t *m;
    long first;

    o.max_workers = 1;
    o.max_rss = (apr_size_t)(sanitized ? 600 : 60) << 20;
    m = process_manager(&o);
    first = process_number(m, "pid", NULL);
    CU_ASSERT_EQUAL(process_number(m, "pid", NULL), first);
    ASSERT_STATUS(APR_SUCCESS, process_end(process_submit(
                                   m, "leak", sanitized ? "700" : "90")));
    CU_ASSERT_NOT_EQUAL(process_number(m, "pid", NULL), first);
    process_stop(m);
}

static void idle_workers_leave(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_stats_t stats = BROOD_STATS_INIT;
    brood_process_manager_t *m;

    o.max_workers = 3;
    o.min_workers = 3;
    m = process_manager(&o);
    do
        (void)brood_process_manager_stats(m, &stats);
    while (stats.idle < 3);
    process_stop(m);

    o.min_workers = -1;
    o.idle_timeout = 1000;
    m = process_manager(&o);
    process_expect(m, "echo", "x", "x");
    do
        (void)brood_process_manager_stats(m, &stats);
    while (stats.workers);
    process_expect(m, "echo", "back", "back");
    process_stop(m);
}

static void a_failing_initializer_is_a_crash(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;
    brood_future_t *future = NULL;

    o.max_workers = 1;
    o.restart_backoff = 1;
    o.crash_limit = 2;
    o.initializer = "fail";
    o.initializer_data = "70002";
    o.initializer_size = 5;
    m = process_manager(&o);
    if (brood_process_manager_submit(&future, m, "echo", "x", 1, NULL)
        == APR_SUCCESS)
        ASSERT_STATUS(BROOD_ECRASHLOOP, process_end(future));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_process_manager_stop(m, BROOD_STOP_DRAIN, -1));
    o.initializer_data = "0";
    o.initializer_size = 1;
    m = process_manager(&o);
    process_expect(m, "echo", "x", "x");
    process_stop(m);
}

enum { SOME = 5 };

static brood_future_t *g_some[SOME];

static void *submit_some(void *manager)
{
    int i;

    for (i = 0; i < SOME; i++)
        if (brood_process_manager_submit(&g_some[i], manager, "await_never",
                                         NULL, 0, NULL)
            != APR_SUCCESS)
            return manager;
    return NULL;
}

static void *kill_it(void *manager)
{
    return brood_process_manager_kill(manager) == APR_SUCCESS ? NULL : manager;
}

static void in_a_thread(void *(*step)(void *), void *manager)
{
    void *failed = manager;
    pthread_t thread;

    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, step, manager), 0);
    CU_ASSERT_EQUAL_FATAL(pthread_join(thread, &failed), 0);
    CU_ASSERT_PTR_NULL(failed);
}

/* What the tasks of one thread owe to the family tree is paid by another, which
 * brood has never seen: the first one's node goes. */
static void a_foreign_thread_may_kill(void)
{
    int i, j;

    for (i = 0; i < 3; i++) {
        const size_t before = brood__node_count();
        brood_process_manager_t *m = process_manager(NULL);

        in_a_thread(submit_some, m);
        in_a_thread(kill_it, m);
        process_stop(m);
        for (j = 0; j < SOME; j++)
            ASSERT_STATUS(BROOD_ECANCELED, process_end(g_some[j]));
        WAIT_UNTIL(brood__node_count() <= before);
    }
}

/* One more than there are CPUs, which is the usual number. */
static void the_least_is_at_most_the_most(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_stats_t stats = BROOD_STATS_INIT;
    brood_process_manager_t *m;

    o.min_workers = (int)brood__os_cpus() + 1;
    m = process_manager(&o);
    do
        ASSERT_STATUS(APR_SUCCESS, brood_process_manager_stats(m, &stats));
    while (stats.idle < (uint64_t)o.min_workers);
    process_expect(m, "echo", "x", "x");
    process_stop(m);
}

static void *get_and_keep(void *to)
{
    brood_process_manager_t **m = to;

    if (brood_process_manager_get(m, "orphan", 0) != APR_SUCCESS)
        return to;
    (void)brood_process_manager_retain(*m);
    return NULL;
}

/* Its owner's thread ends, so it is collected; who has kept it is told. */
static void one_whose_owner_is_gone_refuses_everything(void)
{
    brood_stats_t stats = BROOD_STATS_INIT;
    brood_process_manager_t *m = NULL;
    brood_future_t *future;

    in_a_thread(get_and_keep, &m);
    (void)brood__collector_wait(-1);
    ASSERT_STATUS(BROOD_ESTOPPED, brood_process_manager_start(m, NULL));
    ASSERT_STATUS(BROOD_ESTOPPED, brood_process_manager_submit(
                                      &future, m, "echo", "", 0, NULL));
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_stats(m, &stats));
    CU_ASSERT_FALSE(brood_process_manager_is_running(m));
    CU_ASSERT_PTR_NULL(brood_process_manager_release(m));
}

static const test_t tests[] = {
    TEST_KEEPS(ids_and_flags_mean_what_they_mean_elsewhere, KEEPS_MEMORY),
    TEST_KEEPS(what_was_never_started_says_so, KEEPS_MEMORY),
    TEST_KEEPS(wrong_arguments_change_nothing, KEEPS_MEMORY),
    TEST_KEEPS(without_a_table_nothing_is_started, KEEPS_MEMORY),
    TEST_KEEPS(types_are_exact, KEEPS_MEMORY),
    TEST_KEEPS(a_status_comes_back, KEEPS_MEMORY),
    TEST_KEEPS(a_queued_task_that_is_canceled_never_runs, KEEPS_MEMORY),
    TEST_KEEPS(a_token_interrupts_a_wait_in_the_worker, KEEPS_MEMORY),
    TEST_KEEPS(a_drain_runs_all_and_a_cancel_none, KEEPS_MEMORY),
    TEST_KEEPS(a_kill_ends_what_does_not_listen, KEEPS_MEMORY),
    TEST_KEEPS(a_foreign_thread_may_kill, KEEPS_MEMORY),
    TEST_KEEPS(delays_and_timeouts_of_the_queue_work, KEEPS_MEMORY),
    TEST_KEEPS(a_worker_is_replaced_after_its_share, KEEPS_MEMORY),
    TEST_KEEPS(a_worker_that_has_grown_is_replaced, KEEPS_MEMORY),
    TEST_KEEPS(idle_workers_leave, KEEPS_MEMORY),
    TEST_KEEPS(a_failing_initializer_is_a_crash, KEEPS_MEMORY),
    TEST_KEEPS(the_least_is_at_most_the_most, KEEPS_MEMORY),
    TEST_KEEPS(one_whose_owner_is_gone_refuses_everything, KEEPS_MEMORY),
};

PROCESS_MAIN("control", tests)
