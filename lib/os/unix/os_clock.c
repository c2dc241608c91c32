/* SPDX-License-Identifier: Apache-2.0 */

/* os_clock.c: monotonic time, and the CPU time of threads. */

#include "os/os.h"

#ifdef __APPLE__
#include <mach/mach.h>
#endif

#define SECOND INT64_C(1000000000)

int64_t brood__os_now(void)
{
    struct timespec now;

    /* Cannot fail: POSIX wants this clock, and the address is good. */
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

#ifdef __APPLE__

void brood__os_cpu_clock_self(brood__os_cpu_clock_t *clock)
{
    clock->id = pthread_mach_thread_np(pthread_self());
}

int64_t brood__os_cpu_clock_read(const brood__os_cpu_clock_t *clock)
{
    thread_basic_info_data_t info;
    mach_msg_type_number_t count = THREAD_BASIC_INFO_COUNT;

    if (!clock->id
        || thread_info(clock->id, THREAD_BASIC_INFO, (thread_info_t)&info,
                       &count)
               != KERN_SUCCESS)
        return -1;
    return ((int64_t)info.user_time.seconds + info.system_time.seconds) * SECOND
           + ((int64_t)info.user_time.microseconds
              + info.system_time.microseconds)
                 * 1000;
}

#else

void brood__os_cpu_clock_self(brood__os_cpu_clock_t *clock)
{
    clock->known = pthread_getcpuclockid(pthread_self(), &clock->id) == 0;
}

int64_t brood__os_cpu_clock_read(const brood__os_cpu_clock_t *clock)
{
    struct timespec used;

    /* By the kernel's id, not by pthread_t: a thread that has ended gives an
     * error here, not a wild pointer. */
    if (!clock->known || clock_gettime(clock->id, &used) != 0)
        return -1;
    return (int64_t)used.tv_sec * SECOND + used.tv_nsec;
}

#endif
