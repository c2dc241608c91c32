/* SPDX-License-Identifier: Apache-2.0 */

/* test_deque.c: each task leaves a deque once, whoever takes it. */

#include "thread/deque.h"

#include <pthread.h>
#include <string.h>

#include "support/support.h"

#define TASKS   200000
#define THIEVES 3

static brood__deque_t g_deque;
static char g_batons[TASKS];
static atomic_uchar g_seen[TASKS];
static atomic_int g_over;

static apr_status_t never(void *unused, void **value)
{
    (void)unused;
    (void)value;
    return APR_EGENERAL;
}

static void fresh(void)
{
    memset((void *)&g_deque, 0, sizeof(g_deque));
    memset((void *)g_seen, 0, sizeof(g_seen));
    brood__store(&g_over, 0, relaxed);
}

static void push(int i)
{
    brood__deque_push(&g_deque, never, &g_batons[i], NULL);
}

static int index_of(const brood__call_t *call)
{
    return (int)((char *)call->baton - g_batons);
}

static void the_owner_pops_the_newest(void)
{
    brood__call_t call = { NULL, NULL, NULL };
    int i;

    fresh();
    CU_ASSERT(!brood__deque_pop(&g_deque, &call));
    for (i = 0; i < 5; i++)
        push(i);
    for (i = 4; i >= 0; i--) {
        CU_ASSERT_FATAL(brood__deque_pop(&g_deque, &call));
        CU_ASSERT_EQUAL(index_of(&call), i);
        CU_ASSERT(call.fn == never);
    }
    CU_ASSERT(!brood__deque_pop(&g_deque, &call));
    CU_ASSERT_EQUAL(brood__deque_size(&g_deque), 0);
}

static void a_thief_takes_the_oldest(void)
{
    brood__call_t call = { NULL, NULL, NULL };
    int i;

    fresh();
    CU_ASSERT(!brood__deque_steal(&g_deque, &call));
    for (i = 0; i < 5; i++)
        push(i);
    for (i = 0; i < 5; i++) {
        CU_ASSERT_FATAL(brood__deque_steal(&g_deque, &call));
        CU_ASSERT_EQUAL(index_of(&call), i);
    }
    CU_ASSERT(!brood__deque_steal(&g_deque, &call));
    CU_ASSERT(!brood__deque_pop(&g_deque, &call));
}

static void the_last_one_goes_to_one_of_them(void)
{
    brood__call_t call = { NULL, NULL, NULL };

    fresh();
    push(0);
    CU_ASSERT(brood__deque_steal(&g_deque, &call));
    CU_ASSERT(!brood__deque_pop(&g_deque, &call));
    push(1);
    CU_ASSERT(brood__deque_pop(&g_deque, &call));
    CU_ASSERT(!brood__deque_steal(&g_deque, &call));
    CU_ASSERT_EQUAL(brood__deque_size(&g_deque), 0);
}

static void it_goes_round_many_times(void)
{
    brood__call_t call = { NULL, NULL, NULL };
    int round, i;

    fresh();
    for (round = 0; round < 20; round++) {
        for (i = 0; i < BROOD__DEQUE; i++)
            push(i);
        CU_ASSERT_EQUAL(brood__deque_size(&g_deque), BROOD__DEQUE);
        for (i = 0; i < BROOD__DEQUE / 2; i++) {
            CU_ASSERT(brood__deque_steal(&g_deque, &call));
            CU_ASSERT_EQUAL(index_of(&call), i);
        }
        for (i = BROOD__DEQUE - 1; i >= BROOD__DEQUE / 2; i--) {
            CU_ASSERT(brood__deque_pop(&g_deque, &call));
            CU_ASSERT_EQUAL(index_of(&call), i);
        }
    }
}

static void saw(const brood__call_t *call)
{
    brood__add(&g_seen[index_of(call)], 1, relaxed);
}

static void *rob(void *unused)
{
    brood__call_t call = { NULL, NULL, NULL };

    while (!brood__load(&g_over, acquire) || brood__deque_size(&g_deque) > 0)
        if (brood__deque_steal(&g_deque, &call))
            saw(&call);
    return unused;
}

static void thieves_and_owner_share_without_loss(void)
{
    pthread_t thieves[THIEVES];
    brood__call_t call = { NULL, NULL, NULL };
    int i, wrong = 0, next = 0;

    fresh();
    for (i = 0; i < THIEVES; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&thieves[i], NULL, rob, NULL), 0);
    while (next < TASKS) {
        for (i = 0; i < 7 && next < TASKS; i++)
            if (brood__deque_size(&g_deque) < BROOD__DEQUE - 1)
                push(next++);
        for (i = 0; i < 3; i++)
            if (brood__deque_pop(&g_deque, &call))
                saw(&call);
    }
    while (brood__deque_pop(&g_deque, &call))
        saw(&call);
    brood__store(&g_over, 1, release);
    for (i = 0; i < THIEVES; i++)
        pthread_join(thieves[i], NULL);
    for (i = 0; i < TASKS; i++)
        wrong += brood__load(&g_seen[i], relaxed) != 1;
    CU_ASSERT_EQUAL(wrong, 0);
}

static const test_t tests[] = {
    TEST(the_owner_pops_the_newest),
    TEST(a_thief_takes_the_oldest),
    TEST(the_last_one_goes_to_one_of_them),
    TEST(it_goes_round_many_times),
    TEST(thieves_and_owner_share_without_loss),
};

HARNESS_MAIN_BARE("deque", tests)
