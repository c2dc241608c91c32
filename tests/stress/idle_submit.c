/* SPDX-License-Identifier: Apache-2.0 */

/*
 * idle_submit.c: a task is submitted while the workers go to sleep and take its
 * lane off the map. Whoever then waits for all to be done, or stops, must not be
 * told that nothing is queued.
 */

#include "stress/stress.h"

static void idle_means_that_all_has_run(void)
{
    static const int mins[] = { 1, 2, 3 };
    unsigned rounds = test_rounds(20000), i, k, m;
    int early = 0;

    for (m = 0; m < COUNT(mins); m++) {
        atomic_int counter = 0;
        options_t options = options_of(mins[m], 3);
        pool_t *pool;

        options.spin = m % 2 ? BROOD_SPIN_NONE : BROOD_SPIN_DEFAULT;
        pool = pool_with(&options);
        for (i = 0; i < rounds; i++) {
            for (k = 0; k < i * 13 % 700; k++)
                brood__pause();
            submit_plain(pool, count, &counter);
            (void)brood_thread_manager_wait_idle(pool, FOREVER);
            early += brood__load(&counter, acquire) != (int)i + 1;
        }
        drain_and_leave(pool);
    }
    CU_ASSERT_EQUAL(early, 0);
}

static void drained_means_that_all_has_run(void)
{
    unsigned rounds = test_rounds(2000), i, k;
    options_t options = options_of(3, 3);
    atomic_int counter = 0;
    pool_t *pool = pool_with(&options);
    int early = 0;

    for (i = 0; i < rounds; i++) {
        submit_plain(pool, count, &counter);
        for (k = 0; k < i * 13 % 700; k++)
            brood__pause();
        submit_plain(pool, count, &counter);
        drain(pool);
        early += brood__load(&counter, acquire) != 2 * ((int)i + 1);
        ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_start(pool, &options));
    }
    drain_and_leave(pool);
    CU_ASSERT_EQUAL(early, 0);
}

static const test_t tests[] = {
    TEST(idle_means_that_all_has_run),
    TEST(drained_means_that_all_has_run),
};

HARNESS_MAIN_WARM("idle_submit", tests, warm_up)
