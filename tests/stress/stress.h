/* SPDX-License-Identifier: Apache-2.0 */

/* stress.h: what the stress programs of thread managers share. */

#ifndef BROOD_TESTS_STRESS_H
#define BROOD_TESTS_STRESS_H

#include "thread/pool.h"

#define PRODUCERS 3

typedef struct crowd_t {
    pthread_t threads[PRODUCERS];
    pool_t *pool;
    atomic_int over;                      /* they should end */
    atomic_int begun;                     /* of them */
    atomic_ullong accepted, refused, odd; /* odd: a status that may not be */
    atomic_ullong ran, destroyed;
} crowd_t;

static crowd_t g_crowd;

BROOD__UNUSED static apr_status_t crowd_count(void *unused, void **value)
{
    (void)unused;
    (void)value;
    brood__add(&g_crowd.ran, 1, relaxed);
    return APR_SUCCESS;
}

BROOD__UNUSED static void crowd_destroy(void *unused)
{
    (void)unused;
    brood__add(&g_crowd.destroyed, 1, relaxed);
}

/* Submit in the i-th of many ways. */
BROOD__UNUSED static apr_status_t crowd_submit(unsigned i)
{
    brood_task_options_t options = task_options();
    brood_future_t *future = NULL;
    apr_status_t rv;

    options.destroy = crowd_destroy;
    switch (i % 8) {
    case 0:
        options.priority = BROOD_PRIORITY_HIGH;
        break;
    case 1:
        options.priority = BROOD_PRIORITY_LOW;
        break;
    case 2:
        options.delay = 1 + i % 200;
        break;
    case 3:
        options.queue_timeout = AN_HOUR;
        break;
    default:
        break;
    }
    rv = brood_thread_manager_submit(i % 3 ? &future : NULL, g_crowd.pool,
                                     crowd_count, NULL, &options);
    if (i % 5 == 0)
        (void)brood_future_cancel(future);
    brood_future_release(future);
    return rv;
}

BROOD__UNUSED static void *crowd_produce(void *seed)
{
    unsigned i = (unsigned)(uintptr_t)seed * 3;

    brood__add(&g_crowd.begun, 1, relaxed);
    for (; !brood__load(&g_crowd.over, relaxed); i++) {
        apr_status_t rv = crowd_submit(i);

        if (rv == APR_SUCCESS)
            brood__add(&g_crowd.accepted, 1, relaxed);
        else if (rv == BROOD_ESTOPPED || rv == BROOD_EFULL)
            brood__add(&g_crowd.refused, 1, relaxed);
        else
            brood__add(&g_crowd.odd, 1, relaxed);
        if (i % 64 == 0)
            brood__os_yield();
    }
    return NULL;
}

BROOD__UNUSED static void crowd_start(pool_t *pool)
{
    uintptr_t i;

    memset((void *)&g_crowd, 0, sizeof(g_crowd));
    g_crowd.pool = pool;
    for (i = 0; i < PRODUCERS; i++)
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&g_crowd.threads[i], NULL, crowd_produce, (void *)i),
            0);
    WAIT_UNTIL(brood__load(&g_crowd.begun, relaxed) == PRODUCERS);
}

/* Each accepted task was destroyed once; stop the pool before. */
BROOD__UNUSED static void crowd_end(void)
{
    int i;

    brood__store(&g_crowd.over, 1, relaxed);
    for (i = 0; i < PRODUCERS; i++)
        pthread_join(g_crowd.threads[i], NULL);
}

BROOD__UNUSED static void crowd_check(void)
{
    brood_stats_t stats = stats_of(g_crowd.pool);

    CU_ASSERT_EQUAL(brood__load(&g_crowd.odd, relaxed), 0);
    CU_ASSERT_EQUAL(brood__load(&g_crowd.destroyed, relaxed),
                    brood__load(&g_crowd.accepted, relaxed));
    CU_ASSERT_EQUAL(stats.submitted, brood__load(&g_crowd.accepted, relaxed));
    CU_ASSERT_EQUAL(stats.completed, brood__load(&g_crowd.ran, relaxed));
    CU_ASSERT_EQUAL(stats.submitted,
                    stats.completed + stats.failed + stats.canceled);
    CU_ASSERT_EQUAL(stats.queued, 0);
}

#endif /* BROOD_TESTS_STRESS_H */
