/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PB_WIN32_H
#define PB_WIN32_H

/*
 * pb_win32.h: what the benchmarks ask of Windows; included by pb.h. The
 * workloads that need more of Linux are named in bench/driver/plan.c.
 */

#include <winsock2.h>
#include <windows.h>

#define PSAPI_VERSION 2
#include <process.h>
#include <psapi.h>
#include <sched.h>

/* --- Clocks --------------------------------------------------------------- */

/* Of a loop's clock: it may go in steps of 16. */
#define PB_COARSE_MS 5

static inline uint64_t pb_ns(void)
{
    static LARGE_INTEGER frequency;
    LARGE_INTEGER now;

    if (!frequency.QuadPart)
        QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&now);
    return (uint64_t)((double)now.QuadPart * 1e9 / (double)frequency.QuadPart);
}

/* Of all threads of the process, in ticks of 100 ns. */
static inline uint64_t pb_cpu_ns(void)
{
    FILETIME begun, ended, kernel, user;

    GetProcessTimes(GetCurrentProcess(), &begun, &ended, &kernel, &user);
    return ((((uint64_t)kernel.dwHighDateTime + user.dwHighDateTime) << 32)
            + kernel.dwLowDateTime + user.dwLowDateTime)
           * 100;
}

/* Not told of processes whose handles are closed: their time does not count. */
static inline uint64_t pb_children_ns(void)
{
    return 0;
}

static inline void pb_sleep_us(long us)
{
    Sleep((DWORD)(us + 999) / 1000);
}

static inline void pb_sleep_long(void)
{
    Sleep(INFINITE);
}

/* --- The process ---------------------------------------------------------- */

/* Resident bytes. */
static inline int64_t pb_resident(void)
{
    PROCESS_MEMORY_COUNTERS counters;

    if (!GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof(counters)))
        return 0;
    return (int64_t)counters.WorkingSetSize;
}

static inline long pb_cpus(void)
{
    SYSTEM_INFO info;

    GetSystemInfo(&info);
    return (long)info.dwNumberOfProcessors;
}

/* From here on this process, with all it starts, has one CPU. */
static inline void pb_pin_to_one_cpu(void)
{
    SetProcessAffinityMask(GetCurrentProcess(),
                           (DWORD_PTR)1 << GetCurrentProcessorNumber());
}

static inline long pb_switches(void)
{
    return 0; /* see plan.c: nobody asks */
}

static inline long pb_process_start(PB_UNUSED void (*run)(void))
{
    return -1; /* likewise */
}

static inline void pb_process_end(PB_UNUSED long pid)
{
}

/* --- Waiting -------------------------------------------------------------- */

static inline long pb_futex_wait(int *word, int seen)
{
    return !WaitOnAddress(word, &seen, sizeof(seen), INFINITE);
}

static inline long pb_futex_wake(int *word, int n)
{
    if (n == 1)
        WakeByAddressSingle(word);
    else
        WakeByAddressAll(word);
    return 0;
}

#endif /* PB_WIN32_H */
