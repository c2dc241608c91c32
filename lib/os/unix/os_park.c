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
#include <time.h>
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

/* A limit that long need not be exact: it is counted from the clock of the last
 * tick, which costs next to nothing, and a tick is added. That is a thousandth of it
 * at most, which is what poll(2) allows itself; timers of a second stay exact. */
#define LONG (1000 * TICK)
#define TICK (SECOND / 100) /* the longest that Linux has */

static long wait_long(atomic_uint *word, unsigned seen, int64_t timeout);
static void wake(atomic_uint *word, int n);

apr_status_t brood__os_park(atomic_uint *word, unsigned seen, int64_t timeout)
{
    kernel_time_t left;
    long rc;

    if (timeout >= LONG) {
        rc = wait_long(word, seen, timeout < LONGEST ? timeout : LONGEST);
    } else if (timeout >= 0) {
        left.seconds = (__kernel_long_t)(timeout / SECOND);
        left.nanoseconds = (__kernel_long_t)(timeout % SECOND);
        /* FUTEX_WAIT measures on the monotonic clock. */
        rc = syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, &left, NULL, 0);
    } else {
        rc = syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    }
    return rc != 0 && errno == ETIMEDOUT ? APR_TIMEUP : APR_SUCCESS;
}

static long wait_long(atomic_uint *word, unsigned seen, int64_t timeout)
{
    struct timespec now;
    kernel_time_t until;

    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now); /* as brood__os_now() */
    timeout += now.tv_nsec + TICK;
    until.seconds = (__kernel_long_t)(now.tv_sec + timeout / SECOND);
    until.nanoseconds = (__kernel_long_t)(timeout % SECOND);
    return syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, seen, &until,
                   NULL, FUTEX_BITSET_MATCH_ANY);
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
