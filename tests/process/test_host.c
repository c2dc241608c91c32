/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_host.c: hosts in a bad state. Each is this program, started anew with the
 * scenario's name.
 */

#include "process/tasks.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "base/atomic.h"
#include "os/process.h"
#include "process/tasks_platform.h"

#define NOT_HERE 77 /* what a scenario needs cannot be had */

#define CHECK(ok)                                                              \
    do {                                                                       \
        if (!(ok))                                                             \
            return failed(__LINE__);                                           \
    } while (0)

static int g_method; /* of a scenario */

static int failed(int line)
{
    fprintf(stderr, "test_host.c:%d\n", line);
    return 1;
}

static int echoes(brood_process_manager_t *m, size_t len)
{
    brood_future_t *future = NULL;
    char *bytes = malloc(len + 1);
    void *value = NULL;
    int right;

    if (!bytes)
        return 0;
    memset(bytes, 'x', len);
    right = brood_process_manager_submit(&future, m, "echo", bytes, len, NULL)
                == APR_SUCCESS
            && brood_future_get(future, &value, -1) == APR_SUCCESS
            && brood_buffer_size(value) == len
            && memcmp(brood_buffer_data(value), bytes, len) == 0;
    (void)brood_future_release(future);
    free(bytes);
    return right;
}

static apr_status_t start(brood_process_manager_t **m, const char *id, int n)
{
    brood_process_manager_options_t o = OPTIONS;
    apr_status_t rv = brood_process_manager_get(m, id, 0);

    o.max_workers = o.min_workers = n;
    o.start_method = g_method;
    o.crash_limit = -1; /* some find nothing to start a worker with */
    return rv == APR_SUCCESS ? brood_process_manager_start(*m, &o) : rv;
}

static int stop(brood_process_manager_t *m)
{
    return brood_process_manager_stop(m, BROOD_STOP_DRAIN, -1) == APR_SUCCESS;
}

/* So that a worker which is yet to come is not forbidden. */
static int all_come(brood_process_manager_t *m, unsigned n)
{
    brood_stats_t stats = BROOD_STATS_INIT;

    WAIT_UNTIL(brood_process_manager_stats(m, &stats) != APR_SUCCESS
               || stats.idle == n);
    return stats.idle == n;
}

/* ---- scenarios -------------------------------------------------------------- */

/* Then the first descriptors of the host are brood's own. */
static int standard_descriptors_closed(void)
{
    brood_process_manager_t *m;

    process_close_standard();
    CHECK(brood_initialize() == APR_SUCCESS);
    CHECK(start(&m, NULL, 2) == APR_SUCCESS);
    CHECK(echoes(m, 10) && echoes(m, 100000) && echoes(m, 2000000));
    CHECK(stop(m));
    brood_terminate();
    return 0;
}

/* As many as there are descriptors for; who comes too late is told. */
static int more_managers_than_descriptors(void)
{
    enum { N = 200 };
    brood_process_manager_t *m[N];
    char id[16];
    int i, n;

    if (!process_most_descriptors(400))
        return NOT_HERE;
    CHECK(brood_initialize() == APR_SUCCESS);
    for (n = 0; n < N; n++) {
        apr_status_t rv;

        (void)snprintf(id, sizeof(id), "m%d", n);
        rv = start(&m[n], id, 1);
        if (rv != APR_SUCCESS) {
            CHECK(APR_STATUS_IS_EMFILE(rv) || rv == EMFILE);
            break;
        }
    }
    CHECK(n > 10 && n < N);
    for (i = 0; i < n; i++)
        CHECK(echoes(m[i], 10) && echoes(m[i], 100000));
    for (i = 0; i < n; i++)
        CHECK(stop(m[i]));
    CHECK(start(&m[n], id, 1) == APR_SUCCESS && echoes(m[n], 2000000));
    CHECK(stop(m[n]));
    brood_terminate();
    return 0;
}

static int many_managers(void)
{
    enum { N = 200 };
    const unsigned rounds = test_rounds(N), n = rounds < N ? rounds : N;
    brood_process_manager_t *m[N];
    char id[16];
    unsigned i;

    if (!process_least_descriptors(4096))
        return NOT_HERE;
    CHECK(brood_initialize() == APR_SUCCESS);
    for (i = 0; i < n; i++) {
        (void)snprintf(id, sizeof(id), "m%u", i);
        CHECK(start(&m[i], id, 1) == APR_SUCCESS);
    }
    for (i = 0; i < n; i++)
        CHECK(echoes(m[i], 10));
    for (i = 0; i < n; i += 2)
        CHECK(brood_process_manager_kill(m[i]) == APR_SUCCESS);
    for (i = 0; i < n; i++)
        CHECK(stop(m[i]));
    brood_terminate();
    return 0;
}

/* A host that leaves without a word. */
static int ends_without_stopping(void)
{
    brood_process_manager_t *m;

    CHECK(brood_initialize() == APR_SUCCESS);
    CHECK(start(&m, NULL, 2) == APR_SUCCESS);
    CHECK(brood_process_manager_submit(NULL, m, "ignore_term", "/no/where", 9,
                                       NULL)
          == APR_SUCCESS);
    exit(0);
}

static int terminates_without_stopping(void)
{
    brood_process_manager_t *m;

    CHECK(brood_initialize() == APR_SUCCESS);
    CHECK(start(&m, NULL, 2) == APR_SUCCESS);
    CHECK(echoes(m, 10));
    brood_terminate();
    return 0;
}

static atomic_int g_go_on;

static void *start_and_stop(void *baton)
{
    brood_process_manager_t *m = baton;
    brood_process_manager_options_t o = OPTIONS;

    o.max_workers = o.min_workers = 2;
    o.start_method = g_method;
    while (brood__load(&g_go_on, relaxed)) {
        (void)brood_process_manager_start(m, &o);
        (void)brood_process_manager_submit(NULL, m, "echo", "x", 1, NULL);
        (void)brood_process_manager_kill(m);
        (void)brood_process_manager_stop(m, BROOD_STOP_CANCEL, 0);
    }
    return NULL;
}

/* Nobody waits for anything, and all at once. */
static int started_and_stopped_by_all(void)
{
    enum { N = 4 };
    brood_process_manager_t *m;
    pthread_t threads[N];
    unsigned i, rounds = test_rounds(200);

    CHECK(brood_initialize() == APR_SUCCESS);
    CHECK(brood_process_manager_get(&m, NULL, 0) == APR_SUCCESS);
    brood__store(&g_go_on, 1, relaxed);
    for (i = 0; i < N; i++)
        CHECK(pthread_create(&threads[i], NULL, start_and_stop, m) == 0);
    for (i = 0; i < rounds; i++) {
        (void)brood_process_manager_start(m, NULL);
        (void)brood_process_manager_stop(m, BROOD_STOP_DRAIN, 100);
    }
    brood__store(&g_go_on, 0, relaxed);
    for (i = 0; i < N; i++)
        (void)pthread_join(threads[i], NULL);
    CHECK(brood_process_manager_stop(m, BROOD_STOP_CANCEL, -1) == APR_SUCCESS);
    CHECK(start(&m, NULL, 2) == APR_SUCCESS);
    CHECK(echoes(m, 10) && stop(m));
    brood_terminate();
    return 0;
}

/* All signals blocked: the workers' are not. */
static int signals_blocked(void)
{
    brood_task_options_t timed = BROOD_TASK_OPTIONS_INIT;
    brood_process_manager_t *m;
    brood_future_t *future;

    if (!process_block_signals())
        return NOT_HERE;
    timed.run_timeout = 20000;
    CHECK(brood_initialize() == APR_SUCCESS);
    CHECK(start(&m, NULL, 2) == APR_SUCCESS);
    CHECK(
        brood_process_manager_submit(&future, m, "hold", "/no/where", 9, &timed)
        == APR_SUCCESS);
    CHECK(brood_future_get(future, NULL, -1) == BROOD_EOVERRUN);
    (void)brood_future_release(future);
    CHECK(echoes(m, 10) && stop(m));
    brood_terminate();
    return 0;
}

/* A host that wants no more descriptors, and has more already. */
static int descriptors_forbidden(void)
{
    brood_process_manager_t *m;
    brood_future_t *future;

    CHECK(brood_initialize() == APR_SUCCESS);
    CHECK(start(&m, NULL, 4) == APR_SUCCESS);
    CHECK(echoes(m, 10) && echoes(m, 2000000) && all_come(m, 4));
    if (!process_most_descriptors(4))
        return NOT_HERE;
    CHECK(brood_process_manager_submit(&future, m, "exit", "3", 1, NULL)
          == APR_SUCCESS);
    CHECK(brood_future_get(future, NULL, -1) == BROOD_EWORKERDIED);
    (void)brood_future_release(future);
    CHECK(echoes(m, 10) && echoes(m, 100000) && stop(m));
    brood_terminate();
    return 0;
}

/* Blocks are files to some systems, and they would end the host for those. */
static int files_limited(void)
{
    brood_process_manager_t *m;
    brood_future_t *future = NULL;
    char *bytes = calloc(1, 2000000);

    CHECK(bytes && brood_initialize() == APR_SUCCESS);
    CHECK(start(&m, NULL, 2) == APR_SUCCESS && all_come(m, 2));
    if (!process_longest_file(100000))
        return NOT_HERE;
    CHECK(brood_process_manager_submit(&future, m, "echo", bytes, 2000000, NULL)
          == EFBIG);
    CHECK(!future && echoes(m, 10) && echoes(m, 200000));
    CHECK(stop(m));
    CHECK(start(&m, NULL, 2) == EFBIG);
    brood_terminate();
    free(bytes);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(void);
} scenarios[] = {
    { "standard descriptors closed", standard_descriptors_closed },
    { "more managers than descriptors", more_managers_than_descriptors },
    { "many managers", many_managers },
    { "ends without stopping", ends_without_stopping },
    { "terminates without stopping", terminates_without_stopping },
    { "started and stopped by all", started_and_stopped_by_all },
    { "signals blocked", signals_blocked },
    { "descriptors forbidden", descriptors_forbidden },
    { "files limited", files_limited },
};

/* ---- the tests -------------------------------------------------------------- */

/* A host that ends without a word leaves memory behind. */
static void run(const char *name)
{
    const char *const argv[] = { "test_host",
                                 test_variant ? "--server" : "--spawn", name,
                                 NULL };
    brood__os_process_t process;
    brood__os_exit_t how = { 0, -1, 0 };
    char exe[1024];

    platform_setenv("ASAN_OPTIONS", "detect_leaks=0");
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_exe(exe, sizeof(exe)));
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood__os_process_start(&process, exe, argv, NULL, 0));
    WAIT_UNTIL(brood__os_process_ended(&process, &how));
    brood__os_process_free(&process);
    if (how.code == NOT_HERE)
        TEST_SKIP("what this needs cannot be had here");
    CU_ASSERT(how.known && how.code == 0 && how.signal == 0);
}

static void a_host_without_standard_descriptors(void)
{
    run("standard descriptors closed");
}

static void a_host_that_runs_out_of_descriptors(void)
{
    run("more managers than descriptors");
}

static void a_host_with_many_managers(void)
{
    run("many managers");
}

static void a_host_that_exits_without_a_word(void)
{
    run("ends without stopping");
}

static void a_host_that_terminates_brood_only(void)
{
    run("terminates without stopping");
}

static void a_host_whose_threads_start_and_stop_at_once(void)
{
    run("started and stopped by all");
}

static void a_host_that_blocks_all_signals(void)
{
    run("signals blocked");
}

static void a_host_that_forbids_more_descriptors(void)
{
    run("descriptors forbidden");
}

static void a_host_whose_files_are_limited(void)
{
    run("files limited");
}

static const test_t tests[] = {
    TEST_KEEPS(a_host_without_standard_descriptors, KEEPS_MEMORY),
    TEST_KEEPS(a_host_that_runs_out_of_descriptors, KEEPS_MEMORY),
    TEST_KEEPS(a_host_with_many_managers, KEEPS_MEMORY),
    TEST_KEEPS(a_host_that_exits_without_a_word, KEEPS_MEMORY),
    TEST_KEEPS(a_host_that_terminates_brood_only, KEEPS_MEMORY),
    TEST_KEEPS(a_host_whose_threads_start_and_stop_at_once, KEEPS_MEMORY),
    TEST_KEEPS(a_host_that_blocks_all_signals, KEEPS_MEMORY),
    TEST_KEEPS(a_host_that_forbids_more_descriptors, KEEPS_MEMORY),
    TEST_KEEPS(a_host_whose_files_are_limited, KEEPS_MEMORY),
};

int main(int argc, char **argv)
{
    harness_t harness = { "host",
                          tests,
                          sizeof(tests) / sizeof(tests[0]),
                          apr_initialize,
                          apr_terminate,
                          NULL,
                          NULL };
    size_t i;

    brood_process_main(argc, (const char *const *)argv, process_tasks);
    if (brood__os_can_fork())
        harness.variant = "forked";
    if (argc != 3 || strncmp(argv[1], "--", 2) != 0)
        return harness_main(&harness, argc, (const char *const *)argv);
    g_method = strcmp(argv[1], "--server") == 0 ? BROOD_START_FORKSERVER
                                                : BROOD_START_SPAWN;
    for (i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
        if (strcmp(argv[2], scenarios[i].name) == 0)
            return scenarios[i].run();
    return 98;
}
