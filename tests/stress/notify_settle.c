/* SPDX-License-Identifier: Apache-2.0 */

/* notify_settle.c: registering against settling, and against a target that
 * stops: each function is called exactly once, or was refused. */

#include "task/tools.h"

#define NOTICES 8

typedef struct round_t {
    turnstile_t ready;
    pledge_t pledge;
    brood_thread_manager_t *one;
    atomic_int called, registered, strange;
    int here; /* on the settling thread */
} round_t;

static void told(brood_future_t *future, void *baton)
{
    (void)future;
    brood__add(&((round_t *)baton)->called, 1, relaxed);
}

static void line_up(round_t *round, unsigned n)
{
    turnstile_pass(&round->ready);
    turnstile_wait(&round->ready, n);
}

static void *registers(void *baton)
{
    round_t *round = baton;
    brood_target_t target = BROOD_TARGET_INIT;
    int i;

    target.threads = round->one;
    line_up(round, 3);
    for (i = 0; i < NOTICES; i++) {
        apr_status_t rv = brood_future_notify(
            round->pledge.future, round->here ? NULL : &target, told, round);

        if (rv == APR_SUCCESS)
            brood__add(&round->registered, 1, relaxed);
        else if (rv != (round->here ? BROOD_EALREADY : BROOD_ESTOPPED))
            brood__add(&round->strange, 1, relaxed);
    }
    return NULL;
}

static void *settles(void *baton)
{
    round_t *round = baton;

    line_up(round, 3);
    brood_promise_settle(round->pledge.promise, APR_SUCCESS, NULL);
    return NULL;
}

static void play(int here, int stops, unsigned rounds)
{
    while (rounds-- > 0) {
        round_t round = { .here = here, .pledge = pledge() };
        pthread_t registrar, settler;

        turnstile_init(&round.ready);
        round.one = start("one", 1, 0);
        pthread_create(&registrar, NULL, registers, &round);
        pthread_create(&settler, NULL, settles, &round);
        line_up(&round, 3);
        if (stops)
            ASSERT_STATUS(APR_SUCCESS,
                          brood_thread_manager_stop(
                              round.one,
                              rounds % 2 ? BROOD_STOP_CANCEL : BROOD_STOP_DRAIN,
                              -1));
        pthread_join(registrar, NULL);
        pthread_join(settler, NULL);
        if (!stops)
            stop(round.one);
        CU_ASSERT_EQUAL(brood__load(&round.strange, relaxed), 0);
        CU_ASSERT_EQUAL(brood__load(&round.called, relaxed),
                        brood__load(&round.registered, relaxed));
        brood_future_release(round.pledge.future);
        turnstile_fini(&round.ready);
    }
}

static void here_against_settle(void)
{
    play(1, 0, test_rounds(300));
}

static void on_a_target_against_settle(void)
{
    play(0, 0, test_rounds(300));
}

static void on_a_target_that_stops_against_settle(void)
{
    play(0, 1, test_rounds(600));
}

static const test_t tests[] = {
    TEST_KEEPS(here_against_settle, KEEPS_MEMORY),
    TEST_KEEPS(on_a_target_against_settle, KEEPS_MEMORY),
    TEST_KEEPS(on_a_target_that_stops_against_settle, KEEPS_MEMORY),
};

HARNESS_MAIN_WARM("notify/settle", tests, warm_up)
