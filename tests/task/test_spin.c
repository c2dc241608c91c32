/* SPDX-License-Identifier: Apache-2.0 */

/* test_spin.c: polling before sleeping. No other thread may run: the number of
 * CPUs is changed here. */

#include "task/spin.h"

#include <brood/init.h>

#include <stdint.h>

#include "support/support.h"

static int counts(void *left)
{
    return --*(int *)left <= 0;
}

static void polling_ends_with_success_or_with_its_time(void)
{
    const int cpus = brood__cpus, busy = brood__load(&brood__busy, relaxed);
    int left = 10, i;

    brood__cpus = 1;
    CU_ASSERT_FALSE(brood__spin(counts, &left));
    CU_ASSERT_EQUAL(left, 10);
    brood__cpus = 1 << 20;
    for (i = 0; i < 100 && left > 0; i++) /* it may rest after failures */
        (void)brood__spin(counts, &left);
    CU_ASSERT_EQUAL(left, 0);
    for (i = 0; i < 100; i++) { /* after failures it mostly rests */
        left = INT32_MAX;
        CU_ASSERT_FALSE(brood__spin(counts, &left));
    }
    for (i = 0; i < 100; i++) {
        left = 1;
        (void)brood__spin(counts, &left);
    }
    left = 1;
    CU_ASSERT(brood__spin(counts, &left));
    brood__cpus = cpus;
    CU_ASSERT_EQUAL(brood__load(&brood__busy, relaxed), busy);
}

static const test_t tests[] = {
    TEST(polling_ends_with_success_or_with_its_time),
};

HARNESS_MAIN("spin", tests)
