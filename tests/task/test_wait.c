/* SPDX-License-Identifier: Apache-2.0 */

/* test_wait.c: waiting for one, for all, for any, and for ever in vain. */

#include <brood/await.h>

#include "task/tools.h"

#define MANY 20 /* more than a wait_any keeps on its stack */

typedef struct later_t {
    brood_promise_t *promise;
    brood_future_t *waits; /* settle when somebody listens to this one */
} later_t;

static void *settles_later(void *baton)
{
    later_t *later = baton;

    while (!is_listened_to(later->waits))
        brood__os_yield();
    brood_promise_settle(later->promise, APR_SUCCESS, NULL);
    return NULL;
}

static void a_wait_of_no_time_only_looks(void)
{
    pledge_t p = pledge();
    apr_size_t index = 9;

    ASSERT_STATUS(APR_TIMEUP, brood_future_wait(p.future, 0));
    ASSERT_STATUS(APR_TIMEUP, brood_future_wait_all(&p.future, 1, 0));
    ASSERT_STATUS(APR_TIMEUP, brood_future_wait_any(&p.future, 1, &index, 0));
    brood_promise_settle(p.promise, APR_EGENERAL, NULL);
    ASSERT_STATUS(APR_SUCCESS, brood_future_wait(p.future, 0));
    ASSERT_STATUS(APR_SUCCESS, brood_future_wait_all(&p.future, 1, 0));
    ASSERT_STATUS(APR_SUCCESS, brood_future_wait_any(&p.future, 1, &index, 0));
    CU_ASSERT_EQUAL(index, 0);
    ASSERT_STATUS(APR_EGENERAL, brood_future_get(p.future, NULL, 0));
    ASSERT_STATUS(APR_EGENERAL, brood_await(p.future, NULL));
    brood_future_release(p.future);
}

static void a_wait_is_not_over_early(void)
{
    pledge_t p = pledge(), q = pledge();
    brood_future_t *both[2] = { p.future, q.future };
    int64_t begun = brood__os_now();
    apr_size_t index;

    ASSERT_STATUS(APR_TIMEUP, brood_future_wait(p.future, 2000));
    CU_ASSERT(brood__os_now() - begun >= 2000000);
    begun = brood__os_now();
    ASSERT_STATUS(APR_TIMEUP, brood_future_wait_any(both, 2, &index, 2000));
    CU_ASSERT(brood__os_now() - begun >= 2000000);
    begun = brood__os_now();
    ASSERT_STATUS(APR_TIMEUP, brood_future_wait_all(both, 2, 2000));
    CU_ASSERT(brood__os_now() - begun >= 2000000);
    begun = brood__os_now();
    ASSERT_STATUS(APR_TIMEUP, brood_future_get(p.future, NULL, 2000));
    CU_ASSERT(brood__os_now() - begun >= 2000000);
    CU_ASSERT_FALSE(is_listened_to(p.future));
    CU_ASSERT_FALSE(is_listened_to(q.future));
    brood_promise_release(p.promise);
    brood_promise_release(q.promise);
    brood_future_release(p.future);
    brood_future_release(q.future);
}

/* Any negative time, and one so long that it overflows. */
static void a_wait_for_ever_ends_when_it_is_settled(void)
{
    static const apr_interval_time_t rows[] = { -1, -1000000, INT64_MIN,
                                                INT64_MAX, 3600000000 };
    size_t i;

    for (i = 0; i < N_OF(rows); i++) {
        pledge_t p = pledge();
        later_t later = { p.promise, p.future };
        apr_size_t index = 9;
        pthread_t thread;

        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&thread, NULL, settles_later, &later), 0);
        if (i % 2)
            ASSERT_STATUS(APR_SUCCESS, brood_future_wait(p.future, rows[i]));
        else
            ASSERT_STATUS(APR_SUCCESS,
                          brood_future_wait_any(&p.future, 1, &index, rows[i]));
        pthread_join(thread, NULL);
        ASSERT_STATUS(APR_SUCCESS,
                      brood_future_wait_all(&p.future, 1, rows[i]));
        brood_future_release(p.future);
    }
}

static void any_tells_the_first_that_is_settled(void)
{
    brood_future_t *futures[MANY];
    pledge_t p[MANY];
    apr_size_t index = 99, i;
    later_t later;
    pthread_t thread;

    for (i = 0; i < MANY; i++) {
        p[i] = pledge();
        futures[i] = p[i].future;
    }
    later.promise = p[MANY - 2].promise;
    later.waits = futures[MANY - 1];
    pthread_create(&thread, NULL, settles_later, &later);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_future_wait_any(futures, MANY, &index, -1));
    CU_ASSERT_EQUAL(index, MANY - 2);
    pthread_join(thread, NULL);
    for (i = 0; i < MANY; i++)
        CU_ASSERT_FALSE(is_listened_to(futures[i]));
    brood_promise_release(p[3].promise);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_future_wait_any(futures, MANY, &index, -1));
    CU_ASSERT_EQUAL(index, 3);
    for (i = 0; i < MANY; i++) {
        if (i != 3 && i != MANY - 2)
            brood_promise_release(p[i].promise);
        brood_future_release(futures[i]);
    }
}

static void the_same_future_may_stand_in_it_twice(void)
{
    pledge_t p = pledge();
    brood_future_t *twice[3] = { p.future, p.future, p.future };
    later_t later = { p.promise, p.future };
    apr_size_t index = 9;
    pthread_t thread;

    ASSERT_STATUS(APR_TIMEUP, brood_future_wait_any(twice, 3, &index, 1000));
    CU_ASSERT_FALSE(is_listened_to(p.future));
    pthread_create(&thread, NULL, settles_later, &later);
    ASSERT_STATUS(APR_SUCCESS, brood_future_wait_any(twice, 3, &index, -1));
    CU_ASSERT_EQUAL(index, 0);
    pthread_join(thread, NULL);
    ASSERT_STATUS(APR_SUCCESS, brood_future_wait_all(twice, 3, -1));
    brood_future_release(p.future);
}

static void a_wait_for_many_may_lack_memory(void)
{
    brood_future_t *futures[MANY];
    pledge_t p = pledge();
    apr_size_t index = 9, i;

    for (i = 0; i < MANY; i++)
        futures[i] = p.future;
    brood__fault_at(BROOD__FAULT_MEMORY, 1);
    ASSERT_STATUS(APR_ENOMEM,
                  brood_future_wait_any(futures, MANY, &index, 1000));
    brood__fault_at(BROOD__FAULT_MEMORY, 0);
    CU_ASSERT_EQUAL(index, 9);
    CU_ASSERT_FALSE(is_listened_to(p.future));
    ASSERT_STATUS(APR_TIMEUP,
                  brood_future_wait_any(futures, MANY, &index, 1000));
    brood_promise_release(p.promise);
    brood_future_release(p.future);
}

/* ---- in a worker -------------------------------------------------------- */

typedef struct in_worker_t {
    brood_thread_manager_t *manager;
    door_t *door; /* that the inner task waits at */
    brood_future_t *inner, *other;
    apr_interval_time_t timeout;
    apr_size_t index;
    apr_status_t waited;
} in_worker_t;

static apr_status_t submits_and_waits(void *baton, void **result)
{
    in_worker_t *self = baton;
    apr_status_t rv;

    (void)result;
    rv = brood_thread_manager_submit(&self->inner, self->manager, waits_at_door,
                                     self->door, NULL);
    if (rv != APR_SUCCESS)
        return rv;
    if (self->other) {
        brood_future_t *both[2] = { self->inner, self->other };

        self->waited = brood_future_wait_any(both, 2, &self->index,
                                             self->timeout);
    } else {
        self->waited = brood_future_wait(self->inner, self->timeout);
    }
    door_open(self->door);
    return APR_SUCCESS;
}

static void run_in_worker(in_worker_t *self, int spares)
{
    brood_future_t *outer;
    door_t door;

    door_init(&door);
    self->door = &door;
    self->manager = start("one", 1, spares);
    outer = submit(self->manager, submits_and_waits, self, NULL);
    ASSERT_STATUS(APR_SUCCESS, brood_future_get(outer, NULL, -1));
    ASSERT_STATUS(APR_SUCCESS, brood_future_get(self->inner, NULL, -1));
    stop(self->manager);
    brood_future_release(outer);
    brood_future_release(self->inner);
    door_fini(&door);
}

/* Running the awaited task in place must not outlast the wait. */
static void a_wait_with_a_limit_keeps_it_in_a_worker_too(void)
{
    in_worker_t self = { .timeout = 2000 };

    run_in_worker(&self, 1);
    ASSERT_STATUS(APR_TIMEUP, self.waited);
    self.timeout = 2000;
    run_in_worker(&self, 0);
    ASSERT_STATUS(APR_TIMEUP, self.waited);
}

/* The other one settles, and the first of them must not hold the waiter up. */
static void any_is_not_held_up_by_one_that_could_run_in_place(void)
{
    pledge_t p = pledge();
    in_worker_t self = { .timeout = -1, .other = p.future, .index = 9 };
    later_t later = { p.promise, p.future };
    pthread_t thread;

    pthread_create(&thread, NULL, settles_later, &later);
    run_in_worker(&self, 1);
    pthread_join(thread, NULL);
    ASSERT_STATUS(APR_SUCCESS, self.waited);
    CU_ASSERT_EQUAL(self.index, 1);
    brood_future_release(p.future);
}

static apr_status_t counts_down(void *baton, void **result)
{
    int *left = baton;
    brood_future_t *next;
    apr_status_t rv;

    (void)result;
    if (--*left == 0)
        return APR_SUCCESS;
    rv = brood_thread_manager_submit(&next, manager_of("one"), counts_down,
                                     left, NULL);
    if (rv == APR_SUCCESS) {
        rv = brood_future_get(next, NULL, -1);
        brood_future_release(next);
    }
    return rv;
}

static void nested_waits_need_no_more_workers(void)
{
    brood_thread_manager_t *one = start("one", 1, 0);
    int left = 50;
    brood_future_t *future = submit(one, counts_down, &left, NULL);

    ASSERT_STATUS(APR_SUCCESS, brood_future_get(future, NULL, -1));
    CU_ASSERT_EQUAL(left, 0);
    brood_future_release(future);
    stop(one);
}

static const test_t tests[] = {
    TEST(a_wait_of_no_time_only_looks),
    TEST(a_wait_is_not_over_early),
    TEST_KEEPS(a_wait_for_ever_ends_when_it_is_settled, KEEPS_MEMORY),
    TEST_KEEPS(any_tells_the_first_that_is_settled, KEEPS_MEMORY),
    TEST_KEEPS(the_same_future_may_stand_in_it_twice, KEEPS_MEMORY),
    TEST(a_wait_for_many_may_lack_memory),
    TEST_KEEPS(a_wait_with_a_limit_keeps_it_in_a_worker_too, KEEPS_MEMORY),
    TEST_KEEPS(any_is_not_held_up_by_one_that_could_run_in_place, KEEPS_MEMORY),
    TEST_KEEPS(nested_waits_need_no_more_workers, KEEPS_MEMORY),
};

HARNESS_MAIN_WARM("wait", tests, warm_up)
