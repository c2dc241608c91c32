/* SPDX-License-Identifier: Apache-2.0 */

/* any_settle.c: waits for any and for all against those that settle: no wait is
 * lost, and no record on a stack is touched after its wait. */

#include "task/tools.h"

#define N 12 /* more than fit on the stack */

typedef struct round_t {
    pledge_t pledge[N];
    brood_future_t *future[N];
    atomic_uint next; /* to settle */
    turnstile_t ready;
    atomic_int strange;
} round_t;

static void *settles(void *baton)
{
    round_t *round = baton;
    unsigned i;

    turnstile_pass(&round->ready);
    turnstile_wait(&round->ready, 3);
    while ((i = brood__add(&round->next, 1, relaxed)) < N)
        brood_promise_settle(round->pledge[i * 5 % N].promise, APR_SUCCESS,
                             NULL);
    return NULL;
}

/* Dirties the stack that waits have used. */
static void scribble(void)
{
    volatile char page[2048];
    size_t i;

    for (i = 0; i < sizeof(page); i++)
        page[i] = (char)0xa5;
}

static apr_status_t waits_for_any(void *baton, void **result)
{
    round_t *round = baton;
    brood_future_t *left[N];
    apr_size_t n = N, index = N, i;

    (void)result;
    for (i = 0; i < N; i++)
        left[i] = round->future[i];
    while (n > 0) {
        apr_status_t rv = brood_future_wait_any(left, n, &index,
                                                n % 3 ? -1 : 5);

        scribble();
        if (rv == APR_TIMEUP && n % 3 == 0)
            continue;
        if (rv != APR_SUCCESS || index >= n
            || brood_future_result(left[index], NULL) != APR_SUCCESS) {
            brood__add(&round->strange, 1, relaxed);
            return APR_EGENERAL;
        }
        left[index] = left[--n];
    }
    return brood_future_wait_all(round->future, N, -1);
}

static void *waits_too(void *baton)
{
    (void)waits_for_any(baton, NULL);
    return NULL;
}

/* Its time is mostly over before they are settled, at times just then. */
static void *waits_for_all(void *baton)
{
    round_t *round = baton;
    apr_interval_time_t timeout = 1;
    apr_status_t rv;

    do {
        rv = brood_future_wait_all(round->future, N, timeout);
        scribble();
        timeout = timeout % 40 + 1;
    } while (rv == APR_TIMEUP);
    if (rv != APR_SUCCESS)
        brood__add(&round->strange, 1, relaxed);
    return NULL;
}

static void play(unsigned rounds)
{
    while (rounds-- > 0) {
        round_t round = { .next = 0 };
        pthread_t settler[2], waiter[2];
        brood_future_t *task, *all;
        int i;

        turnstile_init(&round.ready);
        for (i = 0; i < N; i++) {
            round.pledge[i] = pledge();
            round.future[i] = round.pledge[i].future;
        }
        ASSERT_STATUS(APR_SUCCESS, brood_future_all(&all, round.future, N));
        task = submit(pool(), waits_for_any, &round, NULL);
        pthread_create(&waiter[0], NULL, waits_too, &round);
        pthread_create(&waiter[1], NULL, waits_for_all, &round);
        for (i = 0; i < 2; i++)
            pthread_create(&settler[i], NULL, settles, &round);
        turnstile_pass(&round.ready);
        ASSERT_STATUS(APR_SUCCESS, brood_future_wait(all, -1));
        ASSERT_STATUS(APR_SUCCESS, brood_future_get(task, NULL, -1));
        for (i = 0; i < 2; i++) {
            pthread_join(waiter[i], NULL);
            pthread_join(settler[i], NULL);
        }
        CU_ASSERT_EQUAL(brood__load(&round.strange, relaxed), 0);
        for (i = 0; i < N; i++)
            brood_future_release(round.future[i]);
        brood_future_release(task);
        brood_future_release(all);
        turnstile_fini(&round.ready);
    }
}

static void any_and_all_against_settle(void)
{
    play(test_rounds(1000));
}

static const test_t tests[] = {
    TEST_KEEPS(any_and_all_against_settle, KEEPS_MEMORY),
};

HARNESS_MAIN_WARM("any/settle", tests, warm_up)
