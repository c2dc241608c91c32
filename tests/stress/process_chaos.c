/* SPDX-License-Identifier: Apache-2.0 */

/*
 * process_chaos.c: tasks flow while workers are killed at random. Each future
 * settles once, with its own result or because its worker died; every task that
 * may be run again succeeds.
 */

#include "process/tasks.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/atomic.h"

enum { THREADS = 3, FLIGHT = 200, SIZES = 7 };

static const size_t g_sizes[SIZES] = { 4, 4, 80, 100, 3000, 20000, 1100000 };

static brood_process_manager_t *g_m;
static atomic_int g_go_on;
static atomic_uint g_killed, g_died, g_wrong, g_settled;

static int is_ours(long parent, const long *pids, int n)
{
    int i;

    for (i = 0; i < n; i++)
        if (pids[i] == parent)
            return 1;
    return parent == (long)getpid();
}

/* Children of ours, by /proc: workers, or a fork server and its workers, which
 * stand behind it there, since they were made later. */
static long some_child(unsigned *random)
{
    long pids[64];
    int n = 0;
    DIR *folder = opendir("/proc");
    struct dirent *entry;

    while (folder && (entry = readdir(folder)) && n < 64) {
        char path[300];
        long pid = strtol(entry->d_name, NULL, 10), parent = 0;
        FILE *file;

        if (pid <= 0)
            continue;
        (void)snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
        file = fopen(path, "re");
        if (!file)
            continue;
        if (fscanf(file, "%*d %*s %*c %ld", &parent) == 1
            && is_ours(parent, pids, n))
            pids[n++] = pid;
        (void)fclose(file);
    }
    if (folder)
        (void)closedir(folder);
    *random = *random * 1103515245u + 12345u;
    return n ? pids[(*random >> 16) % (unsigned)n] : 0;
}

static void *killer(void *unused)
{
    unsigned random = 4711;

    (void)unused;
    while (brood__load(&g_go_on, relaxed)) {
        long pid = some_child(&random);

        if (pid && kill((pid_t)pid, SIGKILL) == 0)
            brood__add(&g_killed, 1, relaxed);
        (void)usleep(random >> 16 & 4095);
    }
    return NULL;
}

static void fill(unsigned char *bytes, size_t size, unsigned seed)
{
    size_t i;

    memcpy(bytes, &seed, sizeof(seed));
    for (i = sizeof(seed); i < size; i++)
        bytes[i] = (unsigned char)(seed * 31 + i);
}

static void check(brood_future_t *future, size_t size, unsigned seed,
                  unsigned char *expected, int firm)
{
    void *value = NULL;
    apr_status_t rv = brood_future_get(future, &value, -1);

    brood__add(&g_settled, 1, relaxed);
    fill(expected, size, seed);
    if (rv == BROOD_EWORKERDIED && !firm) {
        brood__add(&g_died, 1, relaxed);
    } else if (rv != APR_SUCCESS || brood_buffer_size(value) != size
               || memcmp(brood_buffer_data(value), expected, size) != 0) {
        brood__add(&g_wrong, 1, relaxed);
    }
    (void)brood_future_release(future);
}

static void *submitter(void *baton)
{
    unsigned first = *(unsigned *)baton, rounds = test_rounds(20), round, i;
    unsigned char *bytes = malloc(g_sizes[SIZES - 1]);
    brood_future_t *futures[FLIGHT];
    brood_task_options_t again = BROOD_TASK_OPTIONS_INIT;

    again.flags = BROOD_TASK_IDEMPOTENT;
    for (round = 0; round < rounds; round++) {
        for (i = 0; i < FLIGHT; i++) {
            unsigned seed = first + round * FLIGHT + i;
            size_t size = g_sizes[seed % 97 ? seed % 6 : 6];

            fill(bytes, size, seed);
            futures[i] = NULL;
            if (brood_process_manager_submit(&futures[i], g_m, "echo", bytes,
                                             size, i % 2 ? &again : NULL)
                != APR_SUCCESS)
                brood__add(&g_wrong, 1, relaxed);
        }
        for (i = 0; i < FLIGHT; i++) {
            unsigned seed = first + round * FLIGHT + i;

            if (futures[i])
                check(futures[i], g_sizes[seed % 97 ? seed % 6 : 6], seed,
                      bytes, i % 2);
        }
    }
    free(bytes);
    return NULL;
}

static void nothing_is_lost_doubled_or_wrong(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_stats_t stats = BROOD_STATS_INIT;
    pthread_t threads[THREADS], reaper;
    unsigned firsts[THREADS], i;

    o.max_workers = o.min_workers = 3;
    o.restart_backoff = 1;
    o.crash_limit = -1;
    o.retries = 1000000;
    g_m = process_manager(&o);
    brood__store(&g_killed, 0, relaxed);
    brood__store(&g_died, 0, relaxed);
    brood__store(&g_wrong, 0, relaxed);
    brood__store(&g_settled, 0, relaxed);
    brood__store(&g_go_on, 1, relaxed);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&reaper, NULL, killer, NULL), 0);
    for (i = 0; i < THREADS; i++) {
        firsts[i] = i * 1000000;
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&threads[i], NULL, submitter, &firsts[i]), 0);
    }
    for (i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    brood__store(&g_go_on, 0, relaxed);
    (void)pthread_join(reaper, NULL);
    CU_ASSERT_EQUAL(brood__load(&g_wrong, relaxed), 0);
    CU_ASSERT_EQUAL(brood__load(&g_settled, relaxed),
                    THREADS * FLIGHT * test_rounds(20));
    CU_ASSERT_TRUE(brood__load(&g_killed, relaxed) > 0);
    process_stop(g_m);
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_stats(g_m, &stats));
    CU_ASSERT_EQUAL(stats.running, 0);
    CU_ASSERT_EQUAL(stats.queued, 0);
    printf("# %u killed, %u tasks lost their worker, %llu taken back\n",
           brood__load(&g_killed, relaxed), brood__load(&g_died, relaxed),
           (unsigned long long)stats.steals);
}

static const test_t tests[] = {
    TEST_KEEPS(nothing_is_lost_doubled_or_wrong, KEEPS_MEMORY),
};

PROCESS_MAIN("process_chaos", tests)
