/* SPDX-License-Identifier: Apache-2.0 */

/* test_cpu.c: how many CPUs are ours, clocks, the barrier, random bytes. */

#include "os/os.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_file_io.h>
#include <apr_strings.h>

#include "base/fault.h"
#include "os/unix/os_internal.h"
#include "support/support.h"

static void there_is_a_cpu_at_least(void)
{
    CU_ASSERT(brood__os_cpus() >= 1);
    CU_ASSERT(brood__os_cpus() <= (unsigned)sysconf(_SC_NPROCESSORS_CONF));
}

static int count_with_one(void *unused)
{
    cpu_set_t one;
    int cpu;

    (void)unused;
    CPU_ZERO(&one);
    cpu = sched_getcpu();
    CPU_SET((size_t)(cpu < 0 ? 0 : cpu), &one);
    if (sched_setaffinity(0, sizeof(one), &one) != 0)
        return 0;
    return (int)brood__os_cpus();
}

static void the_affinity_mask_counts(void)
{
    CU_ASSERT_EQUAL(test_in_child(count_with_one, NULL), 1);
}

/* Write `text` to `path` below `root`, with the folders on the way. */
static void put(const char *root, const char *path, const char *text)
{
    const char *whole = apr_pstrcat(test_pool, root, path, NULL);
    char *folder = apr_pstrdup(test_pool, whole);
    FILE *file;

    *strrchr(folder, '/') = '\0';
    ASSERT_STATUS_FATAL(
        APR_SUCCESS, apr_dir_make_recursive(folder, APR_OS_DEFAULT, test_pool));
    file = fopen(whole, "w");
    CU_ASSERT_FATAL(file != NULL);
    fputs(text, file);
    fclose(file);
}

#define V1 "/sys/fs/cgroup/cpu"
#define V2 "/sys/fs/cgroup"

static const struct {
    const char *groups; /* /proc/self/cgroup */
    const char *path[2], *text[2];
    unsigned cpus;
} quotas[] = {
    { "0::/\n", { V2 "/cpu.max" }, { "max 100000\n" }, 0 },
    { "0::/\n", { V2 "/cpu.max" }, { "100000 100000\n" }, 1 },
    { "0::/\n", { V2 "/cpu.max" }, { "150000 100000\n" }, 2 },
    { "0::/\n", { V2 "/cpu.max" }, { "1 100000\n" }, 1 },
    { "0::/a/b\n", { V2 "/a/b/cpu.max" }, { "300000 100000\n" }, 3 },
    { "0::/a/b\n", { V2 "/a/cpu.max" }, { "300000 100000\n" }, 3 },
    { "0::/a/b\n",
      { V2 "/a/cpu.max", V2 "/a/b/cpu.max" },
      { "200000 100000\n", "800000 100000\n" },
      2 },
    { "0::/of/the/host\n", { V2 "/cpu.max" }, { "400000 100000\n" }, 4 },
    { "0::/\n", { V2 "/cpu.max" }, { "nonsense\n" }, 0 },
    { "0::/\n", { V2 "/cpu.max" }, { "5\n" }, 0 },
    { "0::/\n", { V2 "/cpu.max" }, { "5 0\n" }, 0 },
    { "0::/\n", { V2 "/cpu.max" }, { "9223372036854775807 1\n" }, 0 },
    { "3:cpuset:/\n2:cpu,cpuacct:/x\n",
      { V1 "/x/cpu.cfs_quota_us", V1 "/x/cpu.cfs_period_us" },
      { "250000\n", "100000\n" },
      3 },
    { "2:cpu:/\n",
      { V1 "/cpu.cfs_quota_us", V1 "/cpu.cfs_period_us" },
      { "-1\n", "100000\n" },
      0 },
    { "2:cpuset:/\n",
      { V1 "/cpu.cfs_quota_us", V1 "/cpu.cfs_period_us" },
      { "100000\n", "100000\n" },
      0 },
    { "garbage\n:\n::\n", { NULL }, { NULL }, 0 },
    { "", { NULL }, { NULL }, 0 },
};

static void quotas_of_control_groups_are_read(void)
{
    size_t i;
    int k;

    for (i = 0; i < sizeof(quotas) / sizeof(quotas[0]); i++) {
        char root[] = "/tmp/brood-cgroup-XXXXXX";

        CU_ASSERT_FATAL(mkdtemp(root) != NULL);
        put(root, "/proc/self/cgroup", quotas[i].groups);
        for (k = 0; k < 2 && quotas[i].path[k]; k++)
            put(root, quotas[i].path[k], quotas[i].text[k]);
        CU_ASSERT_EQUAL(brood__cgroup_cpus(root), quotas[i].cpus);
        if (brood__cgroup_cpus(root) != quotas[i].cpus)
            printf("# row %d: got %u\n", (int)i, brood__cgroup_cpus(root));
        CU_ASSERT_EQUAL(system(apr_pstrcat(test_pool, "rm -r ", root, NULL)),
                        0);
    }
    CU_ASSERT_EQUAL(brood__cgroup_cpus("/nowhere"), 0);
}

static void time_never_goes_back(void)
{
    int64_t before = brood__os_now();
    int i;

    for (i = 0; i < 10000; i++) {
        const int64_t now = brood__os_now();

        CU_ASSERT(now >= before);
        before = now;
    }
}

typedef struct burner_t {
    brood__os_cpu_clock_t clock;
    atomic_uint phase; /* 1: the clock is there; 2: stop */
} burner_t;

static void *burn(void *baton)
{
    burner_t *burner = baton;

    brood__os_cpu_clock_self(&burner->clock);
    brood__store(&burner->phase, 1, release);
    while (brood__load(&burner->phase, acquire) == 1)
        brood__pause();
    return NULL;
}

static void another_threads_cpu_time_is_seen_to_pass(void)
{
    burner_t burner;
    pthread_t thread;
    int64_t start;

    brood__store(&burner.phase, 0, relaxed);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, burn, &burner), 0);
    WAIT_UNTIL(brood__load(&burner.phase, acquire) == 1);
    start = brood__os_cpu_clock_read(&burner.clock);
    CU_ASSERT(start >= 0);
    WAIT_UNTIL(brood__os_cpu_clock_read(&burner.clock) > start);
    brood__store(&burner.phase, 2, release);
    pthread_join(thread, NULL);
}

static void an_unknown_clock_is_negative(void)
{
    brood__os_cpu_clock_t clock = { 0 };

    CU_ASSERT(brood__os_cpu_clock_read(&clock) < 0);
}

/*
 * Dekker: each side sets its flag, then looks at the other's; at least one has
 * to see the other. Without the barrier both miss now and then. The light side
 * arrives a little later each round, so that some rounds collide.
 */
static struct {
    BROOD__ALIGNED(BROOD__LINE) atomic_uint flag;
    atomic_uint saw;
    BROOD__ALIGNED(BROOD__LINE) atomic_uint arrived;
} g_side[2]; /* 0: light, 1: heavy */

static void meet(int me, unsigned round)
{
    unsigned spins = 0;

    brood__store(&g_side[me].arrived, round, release);
    while (brood__load(&g_side[!me].arrived, acquire) < round)
        if (++spins % 1000 == 0)
            brood__os_yield();
}

static void *light_side(void *rounds)
{
    unsigned round;
    unsigned wait;

    for (round = 1; round <= *(unsigned *)rounds; round++) {
        meet(0, 2 * round - 1);
        for (wait = round % 200; wait; wait--)
            atomic_signal_fence(memory_order_seq_cst);
        brood__store(&g_side[0].flag, round, relaxed);
        if (brood__os_has_barrier)
            atomic_signal_fence(memory_order_seq_cst);
        else
            brood__os_barrier(); /* then it is a plain fence */
        brood__store(&g_side[0].saw, brood__load(&g_side[1].flag, relaxed),
                     relaxed);
        meet(0, 2 * round);
    }
    return NULL;
}

static void the_barrier_fences_other_threads(void)
{
    unsigned rounds = test_rounds(20000);
    unsigned missed = 0;
    pthread_t thread;
    unsigned round;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_init());
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_init());
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, light_side, &rounds),
                          0);
    for (round = 1; round <= rounds; round++) {
        unsigned saw;

        meet(1, 2 * round - 1);
        brood__store(&g_side[1].flag, round, relaxed);
        brood__os_barrier();
        saw = brood__load(&g_side[0].flag, relaxed);
        meet(1, 2 * round);
        missed += saw != round && brood__load(&g_side[0].saw, relaxed) != round;
    }
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(missed, 0);
}

static void random_bytes_differ(void)
{
    char bytes[2][1000] = { { 0 } };
    size_t i;

    for (i = 0; i < 2; i++)
        ASSERT_STATUS(APR_SUCCESS,
                      brood__os_random(bytes[i], sizeof(bytes[i])));
    CU_ASSERT(memcmp(bytes[0], bytes[1], sizeof(bytes[0])) != 0);
    CU_ASSERT(memcmp(bytes[0] + 984, (char[16]){ 0 }, 16) != 0);
    ASSERT_STATUS(APR_SUCCESS, brood__os_random(NULL, 0));
}

static void random_bytes_have_a_second_source(void)
{
    char bytes[16] = { 0 };

    brood__fault_at(BROOD__FAULT_DESCRIPTOR, 1);
    ASSERT_STATUS(APR_SUCCESS, brood__os_random(bytes, sizeof(bytes)));
    CU_ASSERT(memcmp(bytes, (char[16]){ 0 }, 16) != 0);
}

static const test_t tests[] = {
    TEST(there_is_a_cpu_at_least),
    TEST(the_affinity_mask_counts),
    TEST(quotas_of_control_groups_are_read),
    TEST(time_never_goes_back),
    TEST(another_threads_cpu_time_is_seen_to_pass),
    TEST(an_unknown_clock_is_negative),
    TEST(the_barrier_fences_other_threads),
    TEST(random_bytes_differ),
    TEST(random_bytes_have_a_second_source),
};
HARNESS_MAIN_BARE("cpu", tests)
