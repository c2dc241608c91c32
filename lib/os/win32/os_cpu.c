/* SPDX-License-Identifier: Apache-2.0 */

/* os_cpu.c: how many CPUs there are for us, and a fence on all of them. */

#include "os/win32/os_internal.h"

/* JOB_OBJECT_CPU_RATE_CONTROL_ENABLE and _HARD_CAP; not in all headers. */
#define CAPPED 5u

int brood__os_has_barrier; /* written by brood__cpu_init() only */

static unsigned affinity_cpus(void);
static unsigned capped_cpus(void);

unsigned brood__os_cpus(void)
{
    const unsigned mine = affinity_cpus();
    const unsigned cap = capped_cpus();

    return cap && cap < mine ? cap : mine;
}

/* Wine before 9 has the function, and it does nothing; so there, both sides of
 * a handshake have a fence of their own. */
void brood__cpu_init(void)
{
    brood__os_has_barrier = !brood__optional("ntdll.dll", "wine_get_version");
}

void brood__os_barrier(void)
{
    brood__fence(seq_cst);
    if (brood__os_has_barrier)
        FlushProcessWriteBuffers();
}

/* The mask is 0 when the process spreads over several groups of 64 CPUs. */
static unsigned affinity_cpus(void)
{
    DWORD_PTR mine = 0;
    DWORD_PTR all = 0;
    unsigned n = 0;

    if (GetProcessAffinityMask(GetCurrentProcess(), &mine, &all) && mine) {
        for (; mine; mine &= mine - 1)
            n++;
        return n;
    }
    n = GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
    return n ? n : 1;
}

/* What the job that we are in allows, as containers do, rounded up; 0: no
 * limit. The rate is in hundredths of a percent of all CPUs. */
static unsigned capped_cpus(void)
{
    JOBOBJECT_CPU_RATE_CONTROL_INFORMATION rate = { 0 };
    const unsigned all = GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);

    if (!QueryInformationJobObject(NULL, JobObjectCpuRateControlInformation,
                                   &rate, sizeof(rate), NULL)
        || (rate.ControlFlags & CAPPED) != CAPPED)
        return 0;
    return (rate.CpuRate * all + 9999) / 10000;
}
