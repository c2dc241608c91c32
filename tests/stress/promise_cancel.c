/* SPDX-License-Identifier: Apache-2.0 */

/* promise_cancel.c: settle, cancel and on_cancel of one promise at the same
 * time: the function is called at most once, and never once it is settled. */

#include "task/tools.h"

typedef struct round_t {
    turnstile_t ready;
    pledge_t pledge;
    int in_function; /* the function settles */
    atomic_int registered, calls, settled, late;
} round_t;

static void line_up(round_t *round)
{
    turnstile_pass(&round->ready);
    turnstile_wait(&round->ready, 3);
}

static void on_cancel(void *baton)
{
    round_t *round = baton;

    brood__add(&round->calls, 1, relaxed);
    if (brood__load(&round->settled, acquire))
        brood__add(&round->late, 1, relaxed);
    if (round->in_function)
        brood_promise_settle(round->pledge.promise, BROOD_ECANCELED, NULL);
}

static void *cancels(void *baton)
{
    round_t *round = baton;

    line_up(round);
    (void)brood_future_cancel(round->pledge.future);
    return NULL;
}

static void *cancels_too(void *baton)
{
    return cancels(baton);
}

/* Registers, and settles unless the function does. */
static void *owns(void *baton)
{
    round_t *round = baton;

    line_up(round);
    if (brood_promise_on_cancel(round->pledge.promise, on_cancel, round)
        != APR_SUCCESS)
        abort();
    if (!round->in_function) {
        brood_promise_settle(round->pledge.promise, APR_SUCCESS, NULL);
        brood__store(&round->settled, 1, release);
    }
    return NULL;
}

static void play(int in_function, unsigned rounds)
{
    while (rounds-- > 0) {
        round_t round = { .in_function = in_function, .pledge = pledge() };
        brood_future_t *future = round.pledge.future;
        pthread_t thread[3];

        turnstile_init(&round.ready);
        pthread_create(&thread[0], NULL, owns, &round);
        pthread_create(&thread[1], NULL, cancels, &round);
        pthread_create(&thread[2], NULL, cancels_too, &round);
        ASSERT_STATUS(in_function ? BROOD_ECANCELED : APR_SUCCESS,
                      brood_future_get(future, NULL, -1));
        pthread_join(thread[0], NULL);
        pthread_join(thread[1], NULL);
        pthread_join(thread[2], NULL);
        CU_ASSERT(brood__load(&round.calls, relaxed) <= 1);
        if (in_function)
            CU_ASSERT_EQUAL(brood__load(&round.calls, relaxed), 1);
        CU_ASSERT_EQUAL(brood__load(&round.late, relaxed), 0);
        brood_future_release(future);
        turnstile_fini(&round.ready);
    }
}

static void the_owner_settles(void)
{
    play(0, test_rounds(2000));
}

static void the_function_settles(void)
{
    play(1, test_rounds(2000));
}

static const test_t tests[] = {
    TEST_KEEPS(the_owner_settles, KEEPS_MEMORY),
    TEST_KEEPS(the_function_settles, KEEPS_MEMORY),
};

HARNESS_MAIN("promise/cancel", tests)
