/* SPDX-License-Identifier: Apache-2.0 */

/* test_sentinel.c: who watches, and whom it calls. */

#include "task/spin.h"
#include "thread/pool.h"
#include "thread/thread_manager.h"
#include "thread/worker.h"

/* Where tasks wait, and are counted as they come. */
typedef struct crowd_t {
    turnstile_t come;
    door_t go;
} crowd_t;

static void crowd_init(crowd_t *crowd)
{
    turnstile_init(&crowd->come);
    door_init(&crowd->go);
}

static void crowd_fini(crowd_t *crowd)
{
    turnstile_fini(&crowd->come);
    door_fini(&crowd->go);
}

static apr_status_t wait_in(void *crowd, void **unused)
{
    crowd_t *self = crowd;

    (void)unused;
    turnstile_pass(&self->come);
    door_wait(&self->go);
    return APR_SUCCESS;
}

/* Its tick may be a millisecond. By hand, since it lasts no longer. */
static void a_sentinel_beside_whom_nobody_works_is_told_at_once(void)
{
    static brood__worker_t sentinel;
    pool_t *pool = pool_of(2, 2);
    brood__executor_t *executor = &pool->executor;
    atomic_uint *need = &executor->inbox.need;

    wait_until_asleep(executor, 2);
    brood__lock(&executor->lock);
    executor->sentinel = &sentinel;
    brood__store(&executor->watching, 1, relaxed);
    brood__store(&sentinel.gate, BROOD__GATE_OPEN, relaxed);

    brood__store(need, 0, relaxed);
    brood__store(&executor->awake, 1, relaxed);
    brood__executor_set_need(executor);
    CU_ASSERT_EQUAL(brood__load(need, relaxed), 0);
    brood__executor_wake_locked(executor);
    CU_ASSERT_EQUAL(brood__load(&sentinel.gate, relaxed), BROOD__GATE_OPEN);

    brood__store(&executor->awake, 0, relaxed);
    brood__executor_set_need(executor);
    CU_ASSERT_EQUAL(brood__load(need, relaxed), 1);
    brood__executor_wake_locked(executor);
    CU_ASSERT_EQUAL(brood__load(&sentinel.gate, relaxed), BROOD__GATE_LOOK);
    CU_ASSERT_EQUAL(brood__load(need, relaxed), 0);

    brood__store(&sentinel.gate, BROOD__GATE_LEAVE, relaxed);
    brood__executor_wake_locked(executor);
    CU_ASSERT_EQUAL(brood__load(&sentinel.gate, relaxed), BROOD__GATE_LEAVE);

    executor->sentinel = NULL;
    brood__store(&executor->watching, 0, relaxed);
    brood__store(need, 1, relaxed);
    brood__unlock(&executor->lock);
    drain_and_leave(pool);
}

/* Some of them are called at once. */
static void as_many_wait_as_there_may_be_workers(void)
{
    pool_t *pool = pool_of(8, 8);
    unsigned round, i;

    for (round = 0; round < 20; round++) {
        crowd_t crowd;

        crowd_init(&crowd);
        for (i = 0; i < 24; i++)
            submit_plain(pool, wait_in, &crowd);
        turnstile_wait(&crowd.come, 8);
        door_open(&crowd.go);
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_wait_idle(pool, FOREVER));
        crowd_fini(&crowd);
    }
    drain_and_leave(pool);
}

/* The test itself watches. How many are woken by the tick in which it joins? On
 * more than one CPU it might join before it knows that the first worker waits. */
static int woken_for(int queued)
{
    static brood__worker_t sentinel;
    const int cpus = brood__cpus;
    brood__executor_t *executor;
    uint64_t before, after;
    crowd_t crowd;
    pool_t *pool;

    brood__cpus = 1;
    pool = pool_of(8, 8);
    executor = &pool->executor;
    crowd_init(&crowd);
    wait_until_asleep(executor, 8);
    submit_plain(pool, wait_in, &crowd);
    turnstile_wait(&crowd.come, 1);
    wait_until_asleep(executor, 7);

    memset(&sentinel, 0, sizeof(sentinel));
    sentinel.executor = executor;
    sentinel.state = BROOD__WORKER_WATCHING;
    brood__lock(&executor->lock);
    executor->sentinel = &sentinel;
    brood__store(&executor->watching, 1, relaxed);
    brood__store(&executor->inbox.need, 0, relaxed); /* a submit wakes nobody */
    before = executor->n_wakes;
    brood__unlock(&executor->lock);
    for (int i = 0; i < queued; i++)
        submit_plain(pool, wait_in, &crowd);
    CU_ASSERT_EQUAL(brood__worker_watch(&sentinel), 1);

    brood__lock(&executor->lock);
    after = executor->n_wakes;
    brood__worker_deactivate(&sentinel); /* it runs nothing */
    if (sentinel.searching)
        brood__store(&executor->searching, 0, relaxed);
    brood__executor_has_hands(executor);
    brood__unlock(&executor->lock);
    door_open(&crowd.go);
    drain_and_leave(pool);
    brood__cpus = cpus;
    crowd_fini(&crowd);
    return (int)(after - before);
}

/* And who is woken may see to it that one more is. */
static void one_is_roused_for_each_task(void)
{
    CU_ASSERT(woken_for(1) <= 1);
    CU_ASSERT(woken_for(5) >= 4);
    CU_ASSERT(woken_for(24) >= 6); /* then all run that may */
}

static void who_is_roused_for_nothing_lies_down_again(void)
{
    pool_t *pool = pool_of(3, 3);
    brood__executor_t *executor = &pool->executor;
    brood__worker_t *workers[3];
    unsigned i;

    wait_until_asleep(executor, 3);
    brood__lock(&executor->lock);
    executor->options.max_workers = 2;
    workers[0] = brood__executor_rouse(executor);
    workers[1] = brood__executor_rouse(executor);
    CU_ASSERT_PTR_NULL(brood__executor_rouse(executor)); /* no more may run */
    executor->options.max_workers = 4;
    workers[2] = brood__executor_rouse(executor);
    CU_ASSERT_PTR_NULL(brood__executor_rouse(executor)); /* there is none */
    executor->options.max_workers = 3;
    brood__unlock(&executor->lock);
    for (i = 0; i < 3; i++)
        brood__os_unpark_one(&workers[i]->gate);
    wait_until_asleep(executor, 3);
    brood__lock(&executor->lock);
    CU_ASSERT_EQUAL(executor->at_once, BROOD__AT_ONCE - 3); /* it was no good */
    workers[0]->roused = 1;
    workers[0]->roused_ran = brood__load(&workers[0]->ran, relaxed) - 1;
    brood__executor_learn_rousing(executor, workers[0]);
    CU_ASSERT_EQUAL(executor->at_once, BROOD__AT_ONCE - 2); /* it was */
    brood__unlock(&executor->lock);
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(pool, nothing, NULL)));
    drain_and_leave(pool);
}

static const test_t tests[] = {
    TEST(a_sentinel_beside_whom_nobody_works_is_told_at_once),
    TEST(as_many_wait_as_there_may_be_workers),
    TEST(one_is_roused_for_each_task),
    TEST(who_is_roused_for_nothing_lies_down_again),
};

HARNESS_MAIN_WARM("sentinel", tests, warm_up)
