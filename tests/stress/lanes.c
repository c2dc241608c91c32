/* SPDX-License-Identifier: Apache-2.0 */

/*
 * lanes.c: a producer fills its lane while consumers empty it and take its bit
 * out of the map of active lanes. A lane that is not empty and not in the map
 * would be forgotten for ever.
 */

#include <brood/init.h>

#include <pthread.h>

#include "base/alloc.h"
#include "lineage/self.h"
#include "support/support.h"
#include "thread/inbox.h"

#define CONSUMERS 2

static brood__inbox_t *g_inbox;
static atomic_uint g_taken, g_over;

static apr_status_t never(void *unused, void **value)
{
    (void)unused;
    (void)value;
    return APR_EGENERAL;
}

static void put_one(void)
{
    brood__lane_t *lane = brood__inbox_lane(g_inbox);

    brood__lane_enter(lane);
    (void)brood__lane_put(lane, never, NULL, brood__self.now.scope);
    (void)brood__lane_publish(lane);
    brood__lane_leave(lane);
}

static void *consume(void *unused)
{
    brood__call_t calls[BROOD__BATCH];
    unsigned turn = 0, n;

    while (!brood__load(&g_over, relaxed)) {
        n = brood__inbox_take(g_inbox, calls, &turn);
        if (n)
            brood__add(&g_taken, n, release);
        else {
            brood__inbox_tidy(g_inbox);
            brood__os_yield();
        }
    }
    return unused;
}

static void no_lane_is_forgotten(void)
{
    unsigned rounds = test_rounds(20000), i, k;
    pthread_t threads[CONSUMERS];

    g_inbox = brood__alloc_aligned(sizeof(*g_inbox), BROOD__LINE);
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__inbox_init(g_inbox));
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__self_ready());
    CU_ASSERT_PTR_NOT_NULL_FATAL(brood__inbox_lane(g_inbox));
    for (i = 0; i < CONSUMERS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, consume, NULL),
                              0);
    for (i = 1; i <= rounds; i++) {
        for (k = 0; k < i % 50; k++)
            brood__pause(); /* meet the consumers at another place each time */
        put_one();
        while (brood__load(&g_taken, acquire) != i)
            brood__os_yield();
    }
    brood__store(&g_over, 1, relaxed);
    for (i = 0; i < CONSUMERS; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(brood__load(&g_taken, relaxed), rounds);
    brood__inbox_fini(g_inbox);
    brood__free_aligned(g_inbox);
    brood__self_exit();
}

static const test_t tests[] = {
    TEST(no_lane_is_forgotten),
};

HARNESS_MAIN("lanes", tests)
