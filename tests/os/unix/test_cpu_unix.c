/* SPDX-License-Identifier: Apache-2.0 */

/* test_cpu_unix.c: the affinity mask and the quotas of control groups. */

#include "os/os.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_file_io.h>
#include <apr_strings.h>

#include "os/unix/os_internal.h"
#include "support/support.h"

static void no_more_than_the_machine_has(void)
{
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

static const test_t tests[] = {
    TEST(no_more_than_the_machine_has),
    TEST(the_affinity_mask_counts),
    TEST(quotas_of_control_groups_are_read),
};
HARNESS_MAIN_BARE("cpu_unix", tests)
