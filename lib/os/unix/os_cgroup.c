/* SPDX-License-Identifier: Apache-2.0 */

/*
 * os_cgroup.c: how much CPU the control groups of this process allow.
 *
 * A quota is a time per period: "150000 100000" is one and a half CPUs. Each
 * ancestor of a group may have one, and the tightest counts. The kernel's
 * admin-guide/cgroup-v2.rst ("cpu.max") and scheduler/sched-bwc.rst (version
 * 1) say the rest.
 *
 * In a container the path of /proc/self/cgroup may be one of the host, and the
 * files lie at the mount point itself; a path that is not there is skipped on
 * the way up, so the mount point is always looked at.
 */

#include "os/unix/os_internal.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 1024u

/* Where each kind of hierarchy is usually mounted. */
static const char *const mounts_v1[] = { "/sys/fs/cgroup/cpu",
                                         "/sys/fs/cgroup/cpu,cpuacct" };
static const char *const mounts_v2[] = { "/sys/fs/cgroup",
                                         "/sys/fs/cgroup/unified" };

static unsigned of_membership(const char *root, char *line);
static unsigned of_mount(const char *root, const char *mount, const char *group,
                         int v2);
static unsigned of_folder(const char *folder, int v2);
static unsigned quota_cpus(const char *quota, const char *period);
static int names_cpu(const char *controllers);
static int read_text(const char *folder, const char *name, char *text,
                     size_t size);

/* The smaller of two limits, where 0 is no limit. */
static unsigned tighter(unsigned a, unsigned b)
{
    return !a || (b && b < a) ? b : a;
}

unsigned brood__cgroup_cpus(const char *root)
{
    char text[4096];
    char *line = text;
    unsigned cpus = 0;

    if (!read_text(root, "/proc/self/cgroup", text, sizeof(text)))
        return 0;
    while (line && *line) {
        char *next = strchr(line, '\n');

        if (next)
            *next++ = '\0';
        cpus = tighter(cpus, of_membership(root, line));
        line = next;
    }
    return cpus;
}

/* `line` is "number:controllers:path"; version 2 names no controllers. */
static unsigned of_membership(const char *root, char *line)
{
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    const char *const *mounts = mounts_v1;
    unsigned cpus = 0;
    int v2;
    unsigned i;

    if (!group)
        return 0;
    *controllers++ = '\0';
    *group++ = '\0';
    v2 = !*controllers;
    if (v2)
        mounts = mounts_v2;
    else if (!names_cpu(controllers))
        return 0;
    for (i = 0; i < 2; i++)
        cpus = tighter(cpus, of_mount(root, mounts[i], group, v2));
    return cpus;
}

/* From the group up to the mount point. */
static unsigned of_mount(const char *root, const char *mount, const char *group,
                         int v2)
{
    char folder[PATH_SIZE];
    const size_t top = strlen(root) + strlen(mount);
    int n = snprintf(folder, sizeof(folder), "%s%s%s", root, mount, group);
    unsigned cpus = 0;
    char *slash;

    if (n < 0 || (size_t)n >= sizeof(folder))
        return 0;
    for (;;) {
        cpus = tighter(cpus, of_folder(folder, v2));
        slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) < top)
            return cpus;
        *slash = '\0';
    }
}

static unsigned of_folder(const char *folder, int v2)
{
    char quota[64];
    char period[64];
    char *space;

    if (!v2)
        return read_text(folder, "/cpu.cfs_quota_us", quota, sizeof(quota))
                       && read_text(folder, "/cpu.cfs_period_us", period,
                                    sizeof(period))
                   ? quota_cpus(quota, period)
                   : 0;
    if (!read_text(folder, "/cpu.max", quota, sizeof(quota)))
        return 0;
    space = strchr(quota, ' ');
    return space ? quota_cpus(quota, space + 1) : 0;
}

/* "max" (version 2) and -1 (version 1) mean no limit. */
static unsigned quota_cpus(const char *quota, const char *period)
{
    const long long time = strtoll(quota, NULL, 10);
    const long long each = strtoll(period, NULL, 10);
    long long cpus;

    if (time <= 0 || each <= 0)
        return 0;
    cpus = time / each + (time % each != 0);
    return cpus < INT_MAX ? (unsigned)cpus : 0;
}

/* Is "cpu" one of a list like "cpu,cpuacct"? */
static int names_cpu(const char *controllers)
{
    while (controllers) {
        if (strncmp(controllers, "cpu", 3) == 0
            && (controllers[3] == ',' || !controllers[3]))
            return 1;
        controllers = strchr(controllers, ',');
        if (controllers)
            controllers++;
    }
    return 0;
}

/* Read a short file, as text; false when there is none. */
static int read_text(const char *folder, const char *name, char *text,
                     size_t size)
{
    char path[PATH_SIZE];
    int n = snprintf(path, sizeof(path), "%s%s", folder, name);
    size_t length = 0;
    ssize_t got = 0;
    int fd;

    if (n < 0 || (size_t)n >= sizeof(path))
        return 0;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    do {
        length += (size_t)got;
        got = read(fd, text + length, size - 1 - length);
    } while (got > 0);
    (void)close(fd);
    text[length] = '\0';
    return length > 0;
}
