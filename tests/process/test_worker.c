/* SPDX-License-Identifier: Apache-2.0 */

/* test_worker.c: what a worker knows, and what becomes of it when its parent
 * dies. */

#include "process/tasks.h"

#include <pthread.h>
#include <stdio.h>

#include "base/atomic.h"
#include "os/process.h"
#include "process/tasks_platform.h"

static brood_process_manager_t *workers(int n)
{
    brood_process_manager_options_t o = OPTIONS;

    o.max_workers = o.min_workers = n;
    return process_manager(&o);
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
    CU_ASSERT_EQUAL(mine.pid, (uint64_t)brood__os_pid());
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

/* A parent with two workers, of which one hangs; it tells their numbers, and
 * then opens the door. It ends even if nobody kills it. */
static int be_a_parent(int method, const char *door)
{
    brood_process_manager_t *m;
    brood_process_manager_options_t o = OPTIONS;
    long pids[2] = { 0, 0 };
    char path[220];
    FILE *file;
    int i;

    o.max_workers = o.min_workers = 2;
    o.start_method = method;
    if (brood_initialize() != APR_SUCCESS
        || brood_process_manager_get(&m, NULL, 0) != APR_SUCCESS
        || brood_process_manager_start(m, &o) != APR_SUCCESS)
        return 1;
    while (pids[0] == pids[1])
        if (!ask_both(m, pids))
            return 2;
    if (brood_process_manager_submit(NULL, m, "ignore_term", "/nowhere/to/be",
                                     14, NULL)
        != APR_SUCCESS)
        return 2;
    (void)snprintf(path, sizeof(path), "%s.go", door);
    file = fopen(path, "w");
    if (!file || fprintf(file, "%ld %ld", pids[0], pids[1]) < 0
        || fclose(file) != 0)
        return 3;
    file_door_open(door);
    for (i = 0; i < 50000; i++)
        platform_nap(1000);
    return 4;
}

static void read_two(const char *door, long pids[2])
{
    char path[220];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s.go", door);
    file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fscanf(file, "%ld %ld", &pids[0], &pids[1]), 2);
    (void)fclose(file);
}

/* The child is this program, started anew, since ours has brood's threads. */
static void no_worker_outlives_a_killed_parent(void)
{
    char method[2] = { (char)('0' + test_variant), '\0' };
    const char *argv[] = { "test_worker", "--parent", method, NULL, NULL };
    brood__os_process_t parent;
    brood__os_exit_t how;
    long pids[2] = { 0, 0 };
    char exe[1024];
    file_door_t door;
    int i;

    file_door_init(&door, "parent");
    argv[3] = door.path;
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_exe(exe, sizeof(exe)));
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood__os_process_start(&parent, exe, argv, NULL, 0));
    WAIT_UNTIL(file_door_is_open(door.path));
    read_two(door.path, pids);
    process_kill((long)brood__os_process_id(&parent));
    for (i = 0; i < 2 && pids[i] > 0; i++)
        WAIT_UNTIL(process_is_gone(pids[i]));
    WAIT_UNTIL(brood__os_process_ended(&parent, &how));
    brood__os_process_free(&parent);
    file_door_fini(&door);
}

static atomic_int g_go_on;

static void *allocate(void *baton)
{
    while (brood__load(&g_go_on, relaxed)) {
        FILE *file = fopen(baton, "r");
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
    char exe[1024];
    int i, n = 0;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_exe(exe, sizeof(exe)));
    brood__store(&g_go_on, 1, relaxed);
    for (i = 0; i < N; i++)
        n += pthread_create(&threads[n], NULL, allocate, exe) == 0;
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
    TEST_KEEPS(a_worker_knows_where_it_comes_from, KEEPS_MEMORY),
    TEST_KEEPS(a_worker_has_managers_of_its_own, KEEPS_MEMORY),
    TEST_KEEPS(no_worker_outlives_a_killed_parent, KEEPS_MEMORY),
    TEST_KEEPS(workers_start_while_50_threads_allocate, KEEPS_MEMORY),
};

int main(int argc, char **argv)
{
    brood_process_main(argc, (const char *const *)argv, process_tasks);
    if (argc == 4 && strcmp(argv[1], "--parent") == 0)
        return be_a_parent(atoi(argv[2]), argv[3]);
    return process_tests("worker", tests, sizeof(tests) / sizeof(tests[0]),
                         process_warm_up, argc, argv);
}
