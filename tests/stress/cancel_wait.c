/* SPDX-License-Identifier: Apache-2.0 */

/* cancel_wait.c: canceling a task that waits, while what it waits for settles:
 * one wait at most is cut short, and none hangs. */

#include "task/tools.h"

typedef struct round_t {
    turnstile_t ready;
    pledge_t first, second;
    brood_future_t *task;
    apr_status_t waits[3];
    apr_interval_time_t timeout;
} round_t;

static void line_up(round_t *round)
{
    turnstile_pass(&round->ready);
    turnstile_wait(&round->ready, 3);
}

static apr_status_t waits(void *baton, void **result)
{
    round_t *round = baton;
    brood_future_t *both[2] = { round->first.future, round->second.future };
    apr_size_t index;

    (void)result;
    line_up(round);
    round->waits[0] = brood_future_wait_any(both, 2, &index, round->timeout);
    round->waits[1] = brood_future_wait(round->first.future, -1);
    round->waits[2] = brood_future_wait(round->first.future, -1);
    return BROOD_EINTERRUPTED;
}

static void *cancels(void *baton)
{
    round_t *round = baton;

    line_up(round);
    (void)brood_future_cancel(round->task);
    (void)brood_future_cancel(round->task);
    return NULL;
}

static int play(unsigned rounds, apr_interval_time_t timeout)
{
    int interrupted = 0;

    while (rounds-- > 0) {
        round_t round = { .timeout = timeout };
        pthread_t canceler;
        int cut = 0, i;

        round.first = pledge();
        round.second = pledge();
        turnstile_init(&round.ready);
        round.task = submit(pool(), waits, &round, NULL);
        pthread_create(&canceler, NULL, cancels, &round);
        line_up(&round);
        brood_promise_settle(round.first.promise, APR_SUCCESS, NULL);
        ASSERT_STATUS(APR_SUCCESS, brood_future_wait(round.task, -1));
        (void)brood_future_result(round.task, NULL);
        pthread_join(canceler, NULL);
        for (i = 0; i < 3; i++)
            if (round.waits[i] == BROOD_EINTERRUPTED)
                cut++;
            else if (i > 0 || round.waits[i] != APR_TIMEUP)
                ASSERT_STATUS(APR_SUCCESS, round.waits[i]);
        CU_ASSERT(cut <= 1);
        interrupted += cut;
        brood_promise_release(round.second.promise);
        brood_future_release(round.first.future);
        brood_future_release(round.second.future);
        brood_future_release(round.task);
        turnstile_fini(&round.ready);
    }
    return interrupted;
}

static void cancel_against_settle(void)
{
    printf("# %d waits were cut short\n", play(test_rounds(1500), -1));
}

static void cancel_against_settle_against_time(void)
{
    printf("# %d waits were cut short\n", play(test_rounds(1500), 30));
}

static apr_status_t waits_once(void *baton, void **result)
{
    round_t *round = baton;

    (void)result;
    turnstile_pass(&round->ready);
    turnstile_wait(&round->ready, 2);
    round->waits[0] = brood_future_wait(round->first.future, -1);
    return APR_SUCCESS;
}

/* Whether it comes before, while or after the task says what it waits for: the
 * wait is cut short. If the two miss each other, this hangs. */
static void cancel_against_the_begin_of_a_wait(void)
{
    unsigned rounds = test_rounds(5000), i, k;

    for (i = 0; i < rounds; i++) {
        round_t round = { .timeout = -1 };

        round.first = pledge();
        turnstile_init(&round.ready);
        round.task = submit(pool(), waits_once, &round, NULL);
        turnstile_pass(&round.ready);
        turnstile_wait(&round.ready, 2);
        for (k = 0; k < i % 50; k++)
            brood__pause();
        (void)brood_future_cancel(round.task);
        ASSERT_STATUS(APR_SUCCESS, brood_future_wait(round.task, -1));
        ASSERT_STATUS(BROOD_EINTERRUPTED, round.waits[0]);
        brood_promise_release(round.first.promise);
        brood_future_release(round.first.future);
        brood_future_release(round.task);
        turnstile_fini(&round.ready);
    }
}

static const test_t tests[] = {
    TEST_KEEPS(cancel_against_settle, KEEPS_MEMORY),
    TEST_KEEPS(cancel_against_settle_against_time, KEEPS_MEMORY),
    TEST_KEEPS(cancel_against_the_begin_of_a_wait, KEEPS_MEMORY),
};

HARNESS_MAIN_WARM("cancel/wait", tests, warm_up)
