/* SPDX-License-Identifier: Apache-2.0 */

/* test_worker.c: what a worker inherits, knows, and does when its parent dies. */

#include "process/tasks.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"

static brood_process_manager_t *workers(int n)
{
    brood_process_manager_options_t o = OPTIONS;

    o.max_workers = o.min_workers = n;
    o.process_name_prefix = "imp";
    o.restart_backoff = 1;
    o.crash_limit = -1;
    return process_manager(&o);
}

static void only_its_own_descriptors_are_open(void)
{
    brood_process_manager_t *m;
    brood_future_t *future;
    void *value = NULL;
    int inherited = open("/dev/null", O_RDONLY); /* without close-on-exec */
    int high = dup2(inherited, 200);
    char line[200] = "";
    const char *number = line;
    int most = 0;

    m = workers(1);
    future = process_submit(m, "descriptors", NULL);
    ASSERT_STATUS(APR_SUCCESS, brood_future_get(future, &value, -1));
    CU_ASSERT_FATAL(value && brood_buffer_size(value) < sizeof(line));
    memcpy(line, brood_buffer_data(value), brood_buffer_size(value));
    while (*number)
        most = (int)strtol(number, (char **)(uintptr_t)&number, 10),
        number += *number == ' ';
    CU_ASSERT_TRUE(most >= 7);
    CU_ASSERT_TRUE(most <= 8); /* 0, 1, 2 and six of ours */
    (void)brood_future_release(future);
    (void)close(inherited);
    (void)close(high);
    process_stop(m);
}

static void a_worker_knows_where_it_comes_from(void)
{
    brood_process_manager_t *m = workers(1);
    brood_process_id_t chain[2], mine;
    brood_future_t *future = process_submit(m, "lineage", NULL);
    void *value = NULL;

    ASSERT_STATUS(APR_SUCCESS, brood_future_get(future, &value, -1));
    CU_ASSERT_EQUAL_FATAL(brood_buffer_size(value), sizeof(chain));
    memcpy(chain, brood_buffer_data(value), sizeof(chain));
    CU_ASSERT_NOT_EQUAL(chain[0].pid, chain[1].pid);
    CU_ASSERT_NOT_EQUAL(chain[0].serial, 0);
    CU_ASSERT_EQUAL(brood_process_lineage(&mine, 1), 1);
    CU_ASSERT_EQUAL(chain[1].pid, mine.pid);
    CU_ASSERT_EQUAL(mine.serial, 0);
    CU_ASSERT_EQUAL(mine.pid, (uint64_t)getpid());
    (void)brood_future_release(future);
    process_stop(m);
}

static void a_worker_has_managers_of_its_own(void)
{
    brood_process_manager_t *m = workers(1);
    brood_thread_manager_t *threads;

    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_thread_manager_get(&threads, "ours", 0));
    ASSERT_STATUS(BROOD_ENOTFOUND,
                  process_end(process_submit(m, "own_manager", "ours")));
    process_stop(m);
}

static void its_name_is_visible(void)
{
    brood_process_manager_t *m = workers(1);
    long pid = process_number(m, "pid", NULL);
    char path[64], name[64] = "";
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
    file = fopen(path, "r");
    if (!file) {
        process_stop(m);
        TEST_SKIP("there is no /proc");
    }
    CU_ASSERT_PTR_NOT_NULL(fgets(name, sizeof(name), file));
    (void)fclose(file);
    CU_ASSERT_STRING_EQUAL(name, "imp-0\n");
    process_stop(m);
}

/* Which workers take two tasks that are there at the same time. */
static int ask_both(brood_process_manager_t *m, long pids[2])
{
    brood_future_t *futures[2];
    int i;

    for (i = 0; i < 2; i++)
        if (brood_process_manager_submit(&futures[i], m, "pid", NULL, 0, NULL)
            != APR_SUCCESS)
            return 0;
    for (i = 0; i < 2; i++) {
        char text[32] = "";
        void *value = NULL;

        if (brood_future_get(futures[i], &value, -1) != APR_SUCCESS)
            return 0;
        memcpy(text, brood_buffer_data(value), brood_buffer_size(value));
        (void)brood_future_release(futures[i]);
        pids[i] = strtol(text, NULL, 10);
    }
    return 1;
}

/* A parent with two workers, of which one hangs; it tells their numbers. It ends
 * even if nobody kills it. */
static int be_a_parent(int method, int out)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;
    brood_future_t *hung;
    long pids[2] = { 0, 0 };

    (void)alarm(50);

    o.max_workers = o.min_workers = 2;
    o.start_method = method;
    if (brood_initialize() != APR_SUCCESS
        || brood_process_manager_get(&m, NULL, 0) != APR_SUCCESS
        || brood_process_manager_start(m, &o) != APR_SUCCESS)
        return 1;
    while (pids[0] == pids[1])
        if (!ask_both(m, pids))
            return 2;
    if (brood_process_manager_submit(&hung, m, "ignore_term", "/nowhere/to/be",
                                     14, NULL)
        != APR_SUCCESS)
        return 2;
    if (write(out, pids, sizeof(pids)) != sizeof(pids))
        return 3;
    for (;;)
        (void)pause();
}

/* The child is this program, started anew, since ours has brood's threads. */
static void no_worker_outlives_a_killed_parent(void)
{
    char exe[] = "/proc/self/exe";
    char method[2] = { (char)('0' + test_variant), '\0' };
    char *argv[] = { exe, (char *)(uintptr_t) "--parent", method, NULL };
    long pids[2] = { 0, 0 };
    int ends[2], i;
    pid_t parent;

    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    parent = fork();
    if (parent == 0) {
        (void)dup2(ends[1], 9);
        (void)execv(exe, argv);
        _exit(126);
    }
    (void)close(ends[1]);
    CU_ASSERT_EQUAL(read(ends[0], pids, sizeof(pids)), (ssize_t)sizeof(pids));
    (void)close(ends[0]);
    CU_ASSERT_EQUAL(kill(parent, SIGKILL), 0);
    CU_ASSERT_EQUAL(waitpid(parent, NULL, 0), parent);
    for (i = 0; i < 2 && pids[i] > 0; i++)
        WAIT_UNTIL(process_is_gone(pids[i]));
}

static void it_works_though_the_host_ignores_its_children(void)
{
    brood_process_manager_t *m;
    brood_future_t *future;
    int code, number;

    (void)signal(SIGCHLD, SIG_IGN);
    m = workers(2);
    process_expect(m, "echo", "x", "x");
    future = process_submit(m, "exit", "3");
    ASSERT_STATUS(BROOD_EWORKERDIED, brood_future_get(future, NULL, -1));
    /* A fork server reaps its own. */
    ASSERT_STATUS(test_variant ? APR_SUCCESS : BROOD_ENOTFOUND,
                  brood_future_worker_exit(future, &code, &number));
    (void)brood_future_release(future);
    process_expect(m, "echo", "y", "y");
    process_stop(m);
    (void)signal(SIGCHLD, SIG_DFL);
}

static atomic_int g_go_on;

static void *reap_all(void *unused)
{
    (void)unused;
    while (brood__load(&g_go_on, relaxed))
        if (waitpid(-1, NULL, WNOHANG) <= 0)
            (void)usleep(100);
    return NULL;
}

static void it_works_though_the_host_reaps_everything(void)
{
    brood_process_manager_t *m;
    pthread_t thread;
    int i;

    brood__store(&g_go_on, 1, relaxed);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, reap_all, NULL), 0);
    m = workers(2);
    for (i = 0; i < 10; i++) {
        ASSERT_STATUS(BROOD_EWORKERDIED,
                      process_end(process_submit(m, "exit", "3")));
        process_expect(m, "echo", "x", "x");
    }
    process_stop(m);
    brood__store(&g_go_on, 0, relaxed);
    (void)pthread_join(thread, NULL);
}

static void *allocate(void *unused)
{
    (void)unused;
    while (brood__load(&g_go_on, relaxed)) {
        FILE *file = fopen("/dev/null", "r");
        void *volatile block = malloc(1000);

        free(block);
        if (file)
            (void)fclose(file);
    }
    return NULL;
}

static void workers_start_while_50_threads_allocate(void)
{
    enum { N = 50 };
    brood_process_manager_t *m;
    pthread_t threads[N];
    int i, n = 0;

    brood__store(&g_go_on, 1, relaxed);
    for (i = 0; i < N; i++)
        n += pthread_create(&threads[n], NULL, allocate, NULL) == 0;
    for (i = 0; i < 5; i++) {
        m = workers(2);
        process_expect(m, "echo", "x", "x");
        process_stop(m);
    }
    brood__store(&g_go_on, 0, relaxed);
    for (i = 0; i < n; i++)
        (void)pthread_join(threads[i], NULL);
}

static const test_t tests[] = {
    TEST_KEEPS(only_its_own_descriptors_are_open, KEEPS_MEMORY),
    TEST_KEEPS(a_worker_knows_where_it_comes_from, KEEPS_MEMORY),
    TEST_KEEPS(a_worker_has_managers_of_its_own, KEEPS_MEMORY),
    TEST_KEEPS(its_name_is_visible, KEEPS_MEMORY),
    TEST_KEEPS(no_worker_outlives_a_killed_parent, KEEPS_MEMORY),
    TEST_KEEPS(it_works_though_the_host_ignores_its_children, KEEPS_MEMORY),
    TEST_KEEPS(it_works_though_the_host_reaps_everything, KEEPS_MEMORY),
    TEST_KEEPS(workers_start_while_50_threads_allocate, KEEPS_MEMORY),
};

int main(int argc, char **argv)
{
    brood_process_main(argc, (const char *const *)argv, process_tasks);
    if (argc == 3 && strcmp(argv[1], "--parent") == 0)
        return be_a_parent(atoi(argv[2]), 9);
    return process_tests("worker", tests, sizeof(tests) / sizeof(tests[0]),
                         process_warm_up, argc, argv);
}
