/* SPDX-License-Identifier: Apache-2.0 */

/* test_wait_all.c: one sleep for many futures. */

#include "task/tools.h"

#define MANY 20 /* more than a wait keeps on its stack */

typedef struct set_t {
    brood_promise_t *promises[MANY];
    brood_future_t *futures[MANY];
    apr_interval_time_t timeout;
    apr_status_t rv;
    atomic_int over;
} set_t;

static void make(set_t *set)
{
    pledges(set->promises, set->futures, MANY);
    set->timeout = -1;
    brood__store(&set->over, 0, relaxed);
}

static void settle(set_t *set, int i)
{
    ASSERT_STATUS(APR_SUCCESS,
                  brood_promise_settle(set->promises[i], APR_SUCCESS, NULL));
    set->promises[i] = NULL;
}

static int listened_to(const set_t *set)
{
    int n = 0, i;

    for (i = 0; i < MANY; i++)
        n += is_listened_to(set->futures[i]);
    return n;
}

/* Nobody listens any more. */
static void drop(set_t *set)
{
    int i;

    CU_ASSERT_EQUAL(listened_to(set), 0);
    for (i = 0; i < MANY; i++) {
        if (set->promises[i])
            brood_promise_release(set->promises[i]);
        brood_future_release(set->futures[i]);
    }
}

static apr_status_t waits_for_all(void *baton, void **result)
{
    set_t *set = baton;

    (void)result;
    set->rv = brood_future_wait_all(set->futures, MANY, set->timeout);
    brood__store(&set->over, 1, release);
    return APR_SUCCESS;
}

static void *waits(void *baton)
{
    (void)waits_for_all(baton, NULL);
    return NULL;
}

static void it_ends_with_the_last_one_whichever_that_is(void)
{
    int last;

    for (last = 0; last < MANY; last += 3) {
        pthread_t thread;
        set_t set;
        int i;

        make(&set);
        CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, waits, &set), 0);
        WAIT_UNTIL(listened_to(&set) == MANY);
        for (i = 1; i < MANY; i++)
            settle(&set, (last + i * 7) % MANY); /* 7 is prime to 20 */
        CU_ASSERT_EQUAL(listened_to(&set), 1);
        CU_ASSERT_EQUAL(brood__load(&set.over, acquire), 0);
        settle(&set, last);
        pthread_join(thread, NULL);
        ASSERT_STATUS(APR_SUCCESS, set.rv);
        drop(&set);
    }
}

static void those_that_are_settled_are_not_listened_to(void)
{
    pthread_t thread;
    set_t set;

    make(&set);
    settle(&set, 0);
    settle(&set, 9);
    settle(&set, MANY - 1);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, waits, &set), 0);
    WAIT_UNTIL(listened_to(&set) == MANY - 3);
    for (int i = 0; i < MANY; i++)
        if (set.promises[i])
            settle(&set, i);
    pthread_join(thread, NULL);
    ASSERT_STATUS(APR_SUCCESS, set.rv);
    drop(&set);
}

static void a_time_limit_ends_it_and_nobody_is_listened_to(void)
{
    int64_t begun = brood__os_now();
    set_t set;

    make(&set);
    settle(&set, 3);
    set.timeout = 1000;
    waits(&set);
    ASSERT_STATUS(APR_TIMEUP, set.rv);
    CU_ASSERT(brood__os_now() - begun >= 1000000);
    CU_ASSERT_EQUAL(listened_to(&set), 0);
    drop(&set);
}

static void without_memory_it_sleeps_for_eight_at_a_time(void)
{
    pthread_t thread;
    set_t set;
    int i;

    make(&set);
    brood__fault_all(BROOD__FAULT_MEMORY);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, waits, &set), 0);
    for (i = 0; i < MANY; i++) {
        if (i % 8 == 0)
            WAIT_UNTIL(listened_to(&set) == (MANY - i < 8 ? MANY - i : 8));
        settle(&set, i);
    }
    pthread_join(thread, NULL);
    brood__fault_at(BROOD__FAULT_MEMORY, 0);
    ASSERT_STATUS(APR_SUCCESS, set.rv);
    drop(&set);
}

/* A circle of waits is found by what each task waits for. */
static void a_task_waits_for_one_after_the_other(void)
{
    brood_future_t *task;
    set_t set;
    int i;

    make(&set);
    task = submit(pool(), waits_for_all, &set, NULL);
    for (i = 0; i < MANY; i++) {
        WAIT_UNTIL(is_listened_to(set.futures[i]));
        CU_ASSERT_EQUAL(listened_to(&set), 1);
        settle(&set, i);
    }
    ASSERT_STATUS(APR_SUCCESS, brood_future_get(task, NULL, -1));
    ASSERT_STATUS(APR_SUCCESS, set.rv);
    brood_future_release(task);
    drop(&set);
}

static const test_t tests[] = {
    TEST(it_ends_with_the_last_one_whichever_that_is),
    TEST(those_that_are_settled_are_not_listened_to),
    TEST(a_time_limit_ends_it_and_nobody_is_listened_to),
    TEST(without_memory_it_sleeps_for_eight_at_a_time),
    TEST(a_task_waits_for_one_after_the_other),
};

HARNESS_MAIN_WARM("wait/all", tests, warm_up)
