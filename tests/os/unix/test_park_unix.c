/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_park_unix.c: a limit of ten seconds or more is kept as well.
 *
 * Nobody waits for that here: the clock that long limits are counted from is put
 * back by as long. What is defined here comes before the archive of the core.
 */

#include <time.h>

#include "base/compiler.h"

BROOD__UNUSED static int early_clock(clockid_t clock, struct timespec *now);

#define clock_gettime early_clock
#include "os_park.c"
#undef clock_gettime

#include "support/support.h"

/* What os_park.c calls long; it has nothing where there is no futex(2). There all
 * limits are the same, and these would be waited for. */
#ifdef LONG
#define ASKS 1
#else
#define SECOND INT64_C(1000000000)
#define LONG   (10 * SECOND)
#define ASKS   0
#endif

#define NEEDS_LONG_LIMITS()                                                    \
    do {                                                                       \
        if (!ASKS)                                                             \
            TEST_SKIP("all limits are the same here");                         \
    } while (0)

#define SOON   (-1) /* as g_fraction: what comes in a moment */
#define MOMENT INT64_C(30000000)

static long g_fraction; /* of the clock's second, in nanoseconds */
static int64_t g_begin; /* what it said */
static int g_asked;

/* The last time that had this fraction, but LONG ago. */
static int early_clock(clockid_t clock, struct timespec *now)
{
    const int rc = clock_gettime(clock, now);
    const int64_t soon = now->tv_nsec + MOMENT;

    now->tv_sec -= LONG / SECOND;
    if (g_fraction == SOON) {
        now->tv_sec += soon / SECOND;
        now->tv_nsec = (long)(soon % SECOND);
    } else {
        now->tv_sec -= now->tv_nsec < g_fraction;
        now->tv_nsec = g_fraction;
    }
    g_begin = (int64_t)now->tv_sec * SECOND + now->tv_nsec;
    g_asked++;
    return rc;
}

/* The end is made of seconds and a rest, which the kernel refuses if it is a whole
 * second or more; then nothing would be over. */
static void ends_after(int64_t timeout, long fraction)
{
    atomic_uint word = 0;

    g_asked = 0;
    g_begin = brood__os_now();
    g_fraction = fraction;
    while (brood__os_park(&word, 0, timeout) != APR_TIMEUP)
        CU_ASSERT_FATAL(g_asked
                        < 1000); /* a sleep may end by itself, but seldom */
    CU_ASSERT(brood__os_now() >= g_begin + timeout);
    CU_ASSERT(g_asked > 0);
}

static void a_long_limit_ends(void)
{
    static const long fractions[] = { 0,         1,         500000000,
                                      989999999, 990000000, 999999999 };
    unsigned i;

    NEEDS_LONG_LIMITS();
    for (i = 0; i < sizeof(fractions) / sizeof(fractions[0]); i++)
        ends_after(LONG, fractions[i]);
    ends_after(LONG + 1, 999999999);
}

static void a_long_limit_is_not_early(void)
{
    NEEDS_LONG_LIMITS();
    ends_after(LONG, SOON);
    ends_after(LONG + SECOND / 10, SOON);
}

static void a_changed_word_does_not_sleep_long(void)
{
    atomic_uint word = 1;

    ASSERT_STATUS(APR_SUCCESS, brood__os_park(&word, 0, LONG));
    ASSERT_STATUS(APR_SUCCESS, brood__os_park(&word, 0, INT64_MAX));
}

static const test_t tests[] = {
    TEST(a_long_limit_ends),
    TEST(a_long_limit_is_not_early),
    TEST(a_changed_word_does_not_sleep_long),
};
HARNESS_MAIN_BARE("park_unix", tests)
