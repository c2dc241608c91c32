/* SPDX-License-Identifier: Apache-2.0 */

/* retain_release.c: references that come and go while the task settles: the
 * value is freed exactly once, after the last of them. */

#include "task/magazine.h"
#include "task/tools.h"

#define HANDS 3

typedef struct round_t {
    turnstile_t ready;
    brood_future_t *future;
    atomic_int freed, early, strange;
    int take; /* one of them takes the value */
    atomic_int taken;
} round_t;

static void freed(void *value)
{
    brood__add(&((round_t *)value)->freed, 1, relaxed);
}

static apr_status_t gives_itself(void *baton, void **result)
{
    *result = baton;
    return APR_SUCCESS;
}

static void *handles(void *baton)
{
    round_t *round = baton;
    brood_future_t *future = round->future;
    void *value;
    int i;

    turnstile_pass(&round->ready);
    turnstile_wait(&round->ready, HANDS);
    for (i = 0; i < 20; i++) {
        brood_future_t *more = brood_future_retain(future);

        if (i == 10 && brood_future_wait(more, -1) != APR_SUCCESS)
            brood__add(&round->strange, 1, relaxed);
        if (brood__load(&round->freed, relaxed))
            brood__add(&round->early, 1, relaxed);
        brood_future_release(more);
    }
    if (round->take && brood_future_take(future, &value) == APR_SUCCESS)
        brood__add(&round->taken, 1, relaxed);
    brood_future_release(future);
    return NULL;
}

static void play(int take)
{
    const size_t live = brood__futures_live();
    unsigned rounds = test_rounds(2000);

    while (rounds-- > 0) {
        brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;
        round_t round = { .take = take };
        pthread_t hand[HANDS];
        int i;

        o.free_value = freed;
        turnstile_init(&round.ready);
        round.future = submit(pool(), gives_itself, &round, &o);
        for (i = 1; i < HANDS; i++)
            brood_future_retain(round.future);
        for (i = 0; i < HANDS; i++)
            pthread_create(&hand[i], NULL, handles, &round);
        for (i = 0; i < HANDS; i++)
            pthread_join(hand[i], NULL);
        ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_wait_idle(pool(), -1));
        CU_ASSERT_EQUAL(brood__load(&round.strange, relaxed), 0);
        CU_ASSERT_EQUAL(brood__load(&round.early, relaxed), 0);
        CU_ASSERT_EQUAL(brood__load(&round.taken, relaxed), take);
        CU_ASSERT_EQUAL(brood__load(&round.freed, relaxed), !take);
        turnstile_fini(&round.ready);
    }
    /* What idle workers keep is at most a magazine each. */
    CU_ASSERT(brood__futures_live() <= live + POOL * BROOD__MAGAZINE);
}

static void the_last_one_frees(void)
{
    play(0);
}

static void what_was_taken_is_not_freed(void)
{
    play(1);
}

static const test_t tests[] = {
    TEST_KEEPS(the_last_one_frees, KEEPS_MEMORY),
    TEST_KEEPS(what_was_taken_is_not_freed, KEEPS_MEMORY),
};

HARNESS_MAIN_WARM("retain/release", tests, warm_up)
