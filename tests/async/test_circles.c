/* SPDX-License-Identifier: Apache-2.0 */

/* test_circles.c: tasks that wait until each other's managers rest are told,
 * one of them, and no others are. */

#include "async/fixture.h"

#define MOST 4

typedef struct ring_t ring_t;

/* A manager with a task that ends the next one. */
typedef struct member_t {
    ring_t *ring;
    char kind; /* t: threads, l: loop, g: general call, c: call of a context */
    brood_thread_manager_t *threads;
    brood_loop_manager_t *loop;
    brood_affinity_pool_t *pool;
    brood_future_t *future;
    apr_status_t status; /* of the stop */
} member_t;

struct ring_t {
    member_t members[MOST];
    int n;
    int idle; /* members wait_idle() where they can, instead of stop() */
    apr_interval_time_t timeout;
    turnstile_t begun;
};

static apr_status_t end(member_t *member)
{
    ring_t *ring = member->ring;

    switch (member->kind) {
    case 't':
        return ring->idle ? brood_thread_manager_wait_idle(member->threads,
                                                           ring->timeout)
                          : brood_thread_manager_stop(
                              member->threads, BROOD_STOP_DRAIN, ring->timeout);
    case 'l':
        return brood_loop_manager_stop(member->loop, BROOD_STOP_DRAIN,
                                       ring->timeout);
    default:
        return brood_affinity_pool_shutdown(member->pool, BROOD_STOP_DRAIN,
                                            ring->timeout);
    }
}

/* On a loop nobody else is held up by the turnstile: one task each. */
static apr_status_t end_the_next(void *baton, void **value)
{
    member_t *member = baton;
    ring_t *ring = member->ring;

    (void)value;
    turnstile_pass(&ring->begun);
    turnstile_wait(&ring->begun, (unsigned)ring->n);
    member->status = end(
        &ring->members[(member - ring->members + 1) % ring->n]);
    return APR_SUCCESS;
}

static void start(member_t *member)
{
    switch (member->kind) {
    case 't':
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_get(&member->threads, "circle",
                                               BROOD_GET_FORCE_CREATE));
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_start(member->threads, NULL));
        break;
    case 'l':
        ASSERT_STATUS(APR_SUCCESS,
                      brood_loop_manager_get(&member->loop, "circle",
                                             BROOD_GET_FORCE_CREATE));
        ASSERT_STATUS(APR_SUCCESS,
                      brood_loop_manager_start(member->loop, NULL));
        break;
    default:
        member->pool = pool_of(2);
    }
}

static void submit_to(member_t *member)
{
    apr_status_t rv;

    if (member->threads)
        rv = brood_thread_manager_submit(&member->future, member->threads,
                                         end_the_next, member, NULL);
    else if (member->loop)
        rv = brood_loop_manager_submit(&member->future, member->loop,
                                       end_the_next, member, NULL);
    else
        rv = brood_affinity_pool_submit(&member->future, member->pool,
                                        member->kind == 'c' ? "c" : NULL,
                                        end_the_next, member, NULL);
    ASSERT_STATUS_FATAL(APR_SUCCESS, rv);
}

/* Returns how many were told. */
static int run(ring_t *ring, const char *kinds, apr_status_t others)
{
    int told = 0, i;

    ring->n = (int)strlen(kinds);
    turnstile_init(&ring->begun);
    for (i = 0; i < ring->n; i++) {
        ring->members[i] = (member_t){ .ring = ring, .kind = kinds[i] };
        start(&ring->members[i]);
    }
    for (i = 0; i < ring->n; i++)
        submit_to(&ring->members[i]);
    for (i = 0; i < ring->n; i++) {
        member_t *member = &ring->members[i];

        ASSERT_STATUS(APR_SUCCESS, finish(member->future));
        if (member->status == BROOD_EDEADLK)
            told++;
        else if (others != APR_TIMEUP || member->status != APR_SUCCESS)
            ASSERT_STATUS(others, member->status);
    }
    ring->timeout = -1;
    ring->idle = 0;
    for (i = 0; i < ring->n; i++)
        ASSERT_STATUS(APR_SUCCESS, end(&ring->members[i]));
    turnstile_fini(&ring->begun);
    return told;
}

static void one_of_a_circle_is_told(void)
{
    static const char *const rows[] = {
        "tt", "ttt", "tttt", "tl", "ltl", "ll", "tg", "tc", "cc", "tlgc",
    };
    unsigned i, round;

    for (round = 0; round < 10; round++)
        for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            ring_t ring = { .timeout = -1 };

            CU_ASSERT_EQUAL(run(&ring, rows[i], APR_SUCCESS), 1);
        }
}

static void waiting_for_idleness_counts(void)
{
    unsigned round;

    for (round = 0; round < 10; round++) {
        ring_t ring = { .timeout = -1, .idle = 1 };

        CU_ASSERT_EQUAL(run(&ring, "ttt", APR_SUCCESS), 1);
    }
}

/* They end by themselves. */
static void who_waits_for_a_while_is_not_told(void)
{
    ring_t ring = { .timeout = 1000 };

    CU_ASSERT_EQUAL(run(&ring, "ttl", APR_TIMEUP), 0);
}

/* A chain is none: the last one ends nobody. */
static apr_status_t stop_it(void *threads, void **value)
{
    (void)value;
    return brood_thread_manager_stop(threads, BROOD_STOP_DRAIN, -1);
}

static void a_chain_is_no_circle(void)
{
    brood_thread_manager_t *chain[3];
    brood_future_t *futures[3];
    door_t hold;
    call_t call = { .hold = &hold };
    int i;

    door_init(&hold);
    for (i = 0; i < 3; i++) {
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_get(&chain[i], "chain",
                                               BROOD_GET_FORCE_CREATE));
        ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_start(chain[i], NULL));
    }
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_submit(&futures[2], chain[2], run_call,
                                              &call, NULL));
    for (i = 1; i >= 0; i--) /* the first one ends the second */
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_submit(&futures[i], chain[i],
                                                  stop_it, chain[i + 1], NULL));
    WAIT_UNTIL(!brood_thread_manager_is_running(chain[1])
               && !brood_thread_manager_is_running(chain[2]));
    door_open(&hold);
    for (i = 0; i < 3; i++)
        ASSERT_STATUS(APR_SUCCESS, finish(futures[i]));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_stop(chain[0], BROOD_STOP_DRAIN, -1));
    door_fini(&hold);
}

static const test_t tests[] = {
    TEST_KEEPS(one_of_a_circle_is_told, KEEPS_ALL),
    TEST_KEEPS(waiting_for_idleness_counts, KEEPS_ALL),
    TEST_KEEPS(who_waits_for_a_while_is_not_told, KEEPS_ALL),
    TEST_KEEPS(a_chain_is_no_circle, KEEPS_ALL),
};

HARNESS_MAIN("circles", tests)
