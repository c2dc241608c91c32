/* SPDX-License-Identifier: Apache-2.0 */

/*
 * os_park.c: sleep on a word, by futex(2). Elsewhere: os_park_table.c.
 *
 * The kernel compares the word and puts the thread to sleep as one step, with
 * regard to a waker of the same word; that is the whole of "no wake-up is
 * lost". It looks sleepers up by address, so waking reads nothing there.
 */

#include "os/os.h"

#ifdef __linux__
#include <sys/syscall.h>
#endif

#if defined(__linux__) && defined(SYS_futex) && !defined(BROOD_PARK_TABLE)

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/types.h>
#include <unistd.h>

/* What SYS_futex reads: two of the kernel's longs, whatever size the C
 * library gives to time_t. */
typedef struct kernel_time_t {
    __kernel_long_t seconds;
    __kernel_long_t nanoseconds;
} kernel_time_t;

#define SECOND INT64_C(1000000000)

/* Sleepers loop, so a year is as good as longer, and fits everywhere. */
#define LONGEST (INT64_C(365) * 24 * 3600 * SECOND)

static void wake(atomic_uint *word, int n);

apr_status_t brood__os_park(atomic_uint *word, unsigned seen, int64_t timeout)
{
    kernel_time_t relative;
    kernel_time_t *until = NULL;

    if (timeout >= 0) {
        timeout = timeout < LONGEST ? timeout : LONGEST;
        relative.seconds = (__kernel_long_t)(timeout / SECOND);
        relative.nanoseconds = (__kernel_long_t)(timeout % SECOND);
        until = &relative;
    }
    /* FUTEX_WAIT measures on the monotonic clock. */
    if (syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, until, NULL, 0) == 0)
        return APR_SUCCESS;
    return errno == ETIMEDOUT ? APR_TIMEUP : APR_SUCCESS;
}

void brood__os_unpark_one(atomic_uint *word)
{
    wake(word, 1);
}

void brood__os_unpark_all(atomic_uint *word)
{
    wake(word, INT_MAX);
}

/* Fails only with EFAULT, when the memory of the word is gone; then nobody can
 * be asleep there. */
static void wake(atomic_uint *word, int n)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

#else

/* ISO C wants something in every file. */
typedef int brood__park_is_elsewhere_t;

#endif
