/* SPDX-License-Identifier: Apache-2.0 */

/* os_cpu.c: how many CPUs there are for us, and a fence on all of them. */

#include "os/unix/os_internal.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>
#endif

/* From the kernel's linux/membarrier.h, which old systems lack. */
#define MEMBARRIER_QUERY              0
#define MEMBARRIER_EXPEDITED          (1 << 3)
#define MEMBARRIER_REGISTER_EXPEDITED (1 << 4)

int brood__os_has_barrier; /* written by brood__cpu_init() only */

static unsigned affinity_cpus(void);

unsigned brood__os_cpus(void)
{
    const unsigned mine = affinity_cpus();
    const unsigned quota = brood__cgroup_cpus("");

    return quota && quota < mine ? quota : mine;
}

#if defined(__linux__) && defined(SYS_membarrier)

/* TSan does not know that this call orders anything and would report every
 * handshake that relies on it. Where all threads share one CPU a plain fence on
 * both sides costs less. */
void brood__cpu_init(void)
{
    const long known = syscall(SYS_membarrier, MEMBARRIER_QUERY, 0, 0);

    brood__os_has_barrier =
        !BROOD__TSAN && affinity_cpus() > 1 && known > 0
        && (known & MEMBARRIER_EXPEDITED)
        && syscall(SYS_membarrier, MEMBARRIER_REGISTER_EXPEDITED, 0, 0) == 0;
}

void brood__os_barrier(void)
{
    brood__fence(seq_cst);
    if (!brood__os_has_barrier)
        return;
    if (syscall(SYS_membarrier, MEMBARRIER_EXPEDITED, 0, 0) != 0) {
        /* The other side has no fence any more, so going on would lose a
         * wake-up one day, and nobody would know why. */
        fputs("brood: membarrier() was taken away after brood_initialize(); "
              "install system call filters before it, or allow the call\n",
              stderr);
        abort();
    }
}

#else

void brood__cpu_init(void)
{
}

void brood__os_barrier(void)
{
    brood__fence(seq_cst);
}

#endif

#ifdef __linux__

/* The kernel wants room for all CPUs it was built for, which may be more than
 * a plain cpu_set_t has: ask with twice the room until it fits. */
static unsigned affinity_cpus(void)
{
    unsigned room;

    for (room = 1024; room <= 1u << 20; room *= 2) {
        const size_t size = CPU_ALLOC_SIZE(room);
        cpu_set_t *set = CPU_ALLOC(room);
        int n = 0;

        if (!set)
            break;
        if (sched_getaffinity(0, size, set) == 0)
            n = CPU_COUNT_S(size, set);
        CPU_FREE(set);
        if (n > 0)
            return (unsigned)n;
    }
    return 1;
}

#else

static unsigned affinity_cpus(void)
{
    const long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n > 0 ? (unsigned)n : 1;
}

#endif
