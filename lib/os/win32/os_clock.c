/* SPDX-License-Identifier: Apache-2.0 */

/* os_clock.c: monotonic time, and the CPU time of threads. */

#include "os/win32/os_internal.h"

#define SECOND INT64_C(1000000000)

static int64_t frequency(void);
static int64_t ticks_of(const FILETIME *time);

/* Whole seconds and the rest apart: ticks times 10^9 would overflow. */
int64_t brood__os_now(void)
{
    const int64_t each = frequency();
    LARGE_INTEGER now;

    (void)QueryPerformanceCounter(&now); /* cannot fail since Windows XP */
    return now.QuadPart / each * SECOND + now.QuadPart % each * SECOND / each;
}

void brood__os_cpu_clock_self(brood__os_cpu_clock_t *clock)
{
    clock->id = GetCurrentThreadId();
}

/*
 * By number, not by a handle that somebody would have to close: a thread that
 * has ended gives an error here. The system counts in ticks of 10 to 16 ms, so
 * a thread that works may seem to stand still for as long; os.h's callers take
 * that for a thread that waits, which costs a switch too many, no more.
 */
int64_t brood__os_cpu_clock_read(const brood__os_cpu_clock_t *clock)
{
    FILETIME made, ended, kernel, user;
    HANDLE thread = NULL;
    int64_t used = -1;

    if (clock->id)
        thread = OpenThread(THREAD_QUERY_INFORMATION, FALSE, clock->id);
    if (!thread)
        return -1;
    if (GetThreadTimes(thread, &made, &ended, &kernel, &user))
        used = (ticks_of(&kernel) + ticks_of(&user)) * 100;
    (void)CloseHandle(thread);
    return used;
}

static int64_t frequency(void)
{
    static atomic_llong known; /* 0: not asked yet */
    int64_t each = brood__load(&known, relaxed);
    LARGE_INTEGER asked;

    if (BROOD__LIKELY(each != 0))
        return each;
    (void)QueryPerformanceFrequency(&asked); /* cannot fail either */
    brood__store(&known, asked.QuadPart, relaxed);
    return asked.QuadPart;
}

static int64_t ticks_of(const FILETIME *time)
{
    return (int64_t)((uint64_t)time->dwHighDateTime << 32
                     | time->dwLowDateTime);
}
