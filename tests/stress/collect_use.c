/* SPDX-License-Identifier: Apache-2.0 */

/* collect_use.c: managers are made, looked up and used by threads that end at once,
 * and collected while their last tasks still run. */

#include "stress/stress.h"

static atomic_int g_ran, g_wrong;

/* Makes a manager of its own, uses it, may keep it, and goes. */
static void *live_shortly(void *seed)
{
    unsigned i = (unsigned)(uintptr_t)seed;
    options_t options = options_of(i % 3 ? 1 : -1, 2);
    pool_t *pool = NULL, *again = NULL, *kept = NULL;

    options.daemon = i % 2;
    if (brood_thread_manager_get(&pool, "short", 0) != APR_SUCCESS
        || brood_thread_manager_start(pool, &options) != APR_SUCCESS
        || brood_thread_manager_get(&again, "short", BROOD_GET_STRICT)
               != APR_SUCCESS
        || again != pool)
        brood__add(&g_wrong, 1, relaxed);
    if (i % 4 == 0)
        kept = brood_thread_manager_retain(pool);
    if (i % 5 == 0)
        (void)brood_thread_manager_stop(pool, BROOD_STOP_DRAIN, 0);
    if (i % 5
        && brood_thread_manager_submit(NULL, pool, count, &g_ran, NULL)
               != APR_SUCCESS)
        brood__add(&g_wrong, 1, relaxed);
    return kept;
}

static int use_it(pool_t *pool, void *unused)
{
    char line[100];

    (void)unused;
    (void)brood_thread_manager_describe(pool, line, sizeof(line));
    (void)brood_thread_manager_is_running(pool);
    (void)brood_thread_manager_submit(NULL, pool, nothing, NULL, NULL);
    return 0;
}

static void short_lives(void)
{
    unsigned rounds = test_rounds(400), i;
    pthread_t threads[2];
    void *kept;
    int k;

    brood__store(&g_ran, 0, relaxed);
    brood__store(&g_wrong, 0, relaxed);
    for (i = 0; i < rounds; i++) {
        for (k = 0; k < 2; k++)
            CU_ASSERT_EQUAL_FATAL(
                pthread_create(&threads[k], NULL, live_shortly,
                               (void *)(uintptr_t)(i * 2 + (unsigned)k)),
                0);
        ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_each(use_it, NULL));
        for (k = 0; k < 2; k++) {
            pthread_join(threads[k], &kept);
            if (kept && i % 3) /* may have been collected already, or not */
                (void)brood_thread_manager_start(kept, NULL);
            brood_thread_manager_release(kept);
        }
    }
    WAIT_UNTIL(brood__load(&g_ran, relaxed)
               == (int)(rounds * 2 - (rounds * 2 + 4) / 5));
    CU_ASSERT_EQUAL(brood__load(&g_wrong, relaxed), 0);
    leave_tree();
}

static const test_t tests[] = {
    TEST_KEEPS(short_lives, KEEPS_MEMORY),
};

HARNESS_MAIN_WARM("collect_use", tests, warm_up)
