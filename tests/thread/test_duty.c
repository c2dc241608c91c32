/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_duty.c: a worker that is blocked never holds up queued work.
 *
 * A task blocks at a door without telling the library, and only a task that is
 * queued behind it opens that door. If nobody comes to run it, the test hangs.
 */

#include "thread/pool.h"
#include "thread/thread_manager.h"

#define BATCH 64

typedef struct pair_t {
    door_t door;
    pool_t *pool;
} pair_t;

static void pair_init(pair_t *pair, pool_t *pool)
{
    door_init(&pair->door);
    pair->pool = pool;
}

static void pair_fini(pair_t *pair)
{
    door_fini(&pair->door);
}

static void one_after_the_other(void)
{
    pool_t *pool = pool_of(1, 2);
    stopper_t stopper;
    unsigned i;

    for (i = 0; i < 200; i++) {
        occupy(pool, &stopper);
        submit_plain(pool, open_door, &stopper.go); /* the pool sleeps or not */
        door_wait(&stopper.go);
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_wait_idle(pool, FOREVER));
        stopper_fini(&stopper);
    }
    drain_and_leave(pool);
}

/* Each of n tasks blocks until the next one opens its door: all but one worker
 * are blocked in the end. */
static void chain_of(int n, int min)
{
    pool_t *pool = pool_of(min, n);
    stopper_t stoppers[16];
    int i;

    for (i = 0; i < n - 1; i++)
        occupy(pool, &stoppers[i]);
    for (i = 0; i < n - 1; i++) {
        brood_future_t *future = submit(pool, open_door, &stoppers[i].go);

        ASSERT_STATUS(APR_SUCCESS, outcome(future));
    }
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_wait_idle(pool, FOREVER));
    for (i = 0; i < n - 1; i++)
        stopper_fini(&stoppers[i]);
    drain_and_leave(pool);
}

static void a_chain_as_long_as_there_may_be_workers(void)
{
    int min, n;

    for (min = -1; min <= 3; min++)
        for (n = 2; n <= 16; n++)
            if (min <= n)
                chain_of(n, min);
}

/* Both in one call, hence in one batch of one worker. */
static void in_the_same_batch(void)
{
    pool_t *pool = pool_of(1, 2);
    brood_task_t tasks[BATCH];
    door_t door;
    unsigned at, round;
    int i;

    for (at = 1; at < BATCH; at++)
        for (round = 0; round < 4; round++) {
            door_init(&door);
            for (i = 0; i < BATCH; i++) {
                tasks[i].fn = nothing;
                tasks[i].baton = NULL;
            }
            tasks[0].fn = wait_at_door;
            tasks[at].fn = open_door;
            tasks[0].baton = tasks[at].baton = &door;
            ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit_many(
                                           NULL, pool, tasks, at + 1, NULL));
            ASSERT_STATUS(APR_SUCCESS,
                          brood_thread_manager_wait_idle(pool, FOREVER));
            door_fini(&door);
        }
    drain_and_leave(pool);
}

static void behind_many_others(void)
{
    static const unsigned behind[] = { 62, 63, 64, 65, 254, 255, 256, 1000 };
    pool_t *pool = pool_of(2, 2);
    door_t door;
    unsigned i, k;

    for (k = 0; k < COUNT(behind); k++) {
        door_init(&door);
        submit_plain(pool, wait_at_door, &door);
        for (i = 0; i < behind[k]; i++)
            submit_plain(pool, nothing, NULL);
        submit_plain(pool, open_door, &door);
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_wait_idle(pool, FOREVER));
        door_fini(&door);
    }
    drain_and_leave(pool);
}

/* A task submits the one that opens the door, and then blocks at it. */
static apr_status_t submit_then_block(void *baton, void **value)
{
    pair_t *pair = baton;
    apr_status_t rv = brood_thread_manager_submit(NULL, pair->pool, open_door,
                                                  &pair->door, NULL);

    (void)value;
    if (rv == APR_SUCCESS)
        door_wait(&pair->door);
    return rv;
}

static void nested_in_the_own_deque(void)
{
    static const int mins[] = { -1, 1, 2 };
    unsigned i, k;

    for (k = 0; k < COUNT(mins); k++) {
        pool_t *pool = pool_of(mins[k], 2);

        for (i = 0; i < 300; i++) {
            pair_t pair;

            pair_init(&pair, pool);
            ASSERT_STATUS(APR_SUCCESS,
                          outcome(submit(pool, submit_then_block, &pair)));
            ASSERT_STATUS(APR_SUCCESS,
                          brood_thread_manager_wait_idle(pool, FOREVER));
            pair_fini(&pair);
        }
        drain_and_leave(pool);
    }
}

/* More than fit into a deque, the last one opens. */
static apr_status_t submit_many_then_block(void *baton, void **value)
{
    pair_t *pair = baton;
    apr_status_t rv = APR_SUCCESS;
    int i;

    (void)value;
    for (i = 0; i < 600 && rv == APR_SUCCESS; i++)
        rv = brood_thread_manager_submit(NULL, pair->pool, nothing, NULL, NULL);
    if (rv == APR_SUCCESS)
        rv = brood_thread_manager_submit(NULL, pair->pool, open_door,
                                         &pair->door, NULL);
    if (rv == APR_SUCCESS)
        door_wait(&pair->door);
    return rv;
}

static void beyond_the_end_of_the_own_deque(void)
{
    pool_t *pool = pool_of(1, 2);
    unsigned i;

    for (i = 0; i < 50; i++) {
        pair_t pair;

        pair_init(&pair, pool);
        ASSERT_STATUS(APR_SUCCESS,
                      outcome(submit(pool, submit_many_then_block, &pair)));
        pair_fini(&pair);
    }
    drain_and_leave(pool);
}

static void as_an_errand(void)
{
    static const int priorities[] = { BROOD_PRIORITY_HIGH, BROOD_PRIORITY_LOW };
    pool_t *pool = pool_of(1, 2);
    brood_task_options_t options = task_options();
    stopper_t stopper;
    unsigned i;

    for (i = 0; i < 200; i++) {
        occupy(pool, &stopper);
        options.priority = priorities[i % 2];
        ASSERT_STATUS(APR_SUCCESS, outcome(submit_with(pool, open_door,
                                                       &stopper.go, &options)));
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_wait_idle(pool, FOREVER));
        stopper_fini(&stopper);
    }
    drain_and_leave(pool);
}

static void when_its_delay_is_over(void)
{
    pool_t *pool = pool_of(1, 2);
    brood_task_options_t options = task_options();
    stopper_t stopper;
    unsigned i;

    options.delay = 100;
    for (i = 0; i < 50; i++) {
        occupy(pool, &stopper);
        ASSERT_STATUS(APR_SUCCESS, outcome(submit_with(pool, open_door,
                                                       &stopper.go, &options)));
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_wait_idle(pool, FOREVER));
        stopper_fini(&stopper);
    }
    drain_and_leave(pool);
}

static void note_told(brood_future_t *future, void *door)
{
    (void)future;
    door_open(door);
}

static void as_a_notice(void)
{
    pool_t *pool = pool_of(1, 2);
    brood_target_t where = BROOD_TARGET_INIT;
    brood_promise_t *promise;
    brood_future_t *future;
    stopper_t stopper;
    unsigned i;

    where.threads = pool;
    for (i = 0; i < 100; i++) {
        ASSERT_STATUS_FATAL(APR_SUCCESS,
                            brood_promise_make(&promise, &future, NULL));
        occupy(pool, &stopper);
        ASSERT_STATUS(APR_SUCCESS, brood_future_notify(future, &where,
                                                       note_told, &stopper.go));
        brood_promise_settle(promise, APR_SUCCESS, NULL);
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_wait_idle(pool, FOREVER));
        brood_future_release(future);
        stopper_fini(&stopper);
    }
    drain_and_leave(pool);
}

static void after_the_limit_was_raised(void)
{
    pool_t *pool = pool_of(1, 1);
    stopper_t stopper;
    unsigned i;

    for (i = 0; i < 50; i++) {
        brood_future_t *future;

        ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_resize(pool, 0, 1));
        occupy(pool, &stopper);
        future = submit(pool, open_door, &stopper.go);
        ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_resize(pool, 0, 2));
        ASSERT_STATUS(APR_SUCCESS, outcome(future));
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_wait_idle(pool, FOREVER));
        stopper_fini(&stopper);
    }
    drain_and_leave(pool);
}

static void while_a_stop_drains(void)
{
    unsigned i;

    for (i = 0; i < 50; i++) {
        pool_t *pool = pool_of(1, 2);
        stopper_t stopper;
        brood_future_t *future;

        occupy(pool, &stopper);
        future = submit(pool, open_door, &stopper.go);
        ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_stop(
                                       pool, BROOD_STOP_DRAIN, FOREVER));
        ASSERT_STATUS(APR_SUCCESS, outcome(future));
        stopper_fini(&stopper);
        leave_tree();
    }
}

/* A worker drops the last sight of a value as it lies down, and its release
 * submits to the worker's own manager. */
typedef struct variable_t {
    brood_context_key_t *key;
    pool_t *pool;
    void (*release)(void *);
    stopper_t stopper, blocker;
    door_t released;
} variable_t;

static variable_t g_variable;

static void release_submits(void *variable)
{
    variable_t *self = variable;

    submit_plain(self->pool, open_door, &self->released);
}

static void release_blocks(void *variable)
{
    variable_t *self = variable;

    submit_plain(self->pool, be_in_the_way, &self->blocker);
}

static void *submit_with_a_variable(void *variable)
{
    variable_t *self = variable;

    ASSERT_STATUS(APR_SUCCESS,
                  brood_context_set(self->key, self, self->release));
    submit_plain(self->pool, be_in_the_way, &self->stopper);
    return NULL;
}

/* The thread that has set it is gone before its task may end. */
static void run_the_last_to_see_it(void)
{
    pthread_t submitter;

    CU_ASSERT_EQUAL_FATAL(
        pthread_create(&submitter, NULL, submit_with_a_variable, &g_variable),
        0);
    door_wait(&g_variable.stopper.begun);
    pthread_join(submitter, NULL);
    door_open(&g_variable.stopper.go);
}

static void what_a_release_submits_on_lying_down(void)
{
    unsigned i;

    ASSERT_STATUS(APR_SUCCESS, brood_context_key_make(&g_variable.key, "duty"));
    g_variable.pool = pool_of(1, 1);
    g_variable.release = release_submits;
    for (i = 0; i < 20; i++) {
        stopper_init(&g_variable.stopper);
        door_init(&g_variable.released);
        run_the_last_to_see_it();
        door_wait(&g_variable.released);
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_wait_idle(g_variable.pool, FOREVER));
        stopper_fini(&g_variable.stopper);
        door_fini(&g_variable.released);
    }
    drain_and_leave(g_variable.pool);
}

/* Who runs it is on duty no more. */
static void behind_what_a_release_submits(void)
{
    unsigned i;

    ASSERT_STATUS(APR_SUCCESS, brood_context_key_make(&g_variable.key, "duty"));
    g_variable.pool = pool_of(2, 2);
    g_variable.release = release_blocks;
    for (i = 0; i < 20; i++) {
        stopper_init(&g_variable.stopper);
        stopper_init(&g_variable.blocker);
        run_the_last_to_see_it();
        door_wait(&g_variable.blocker.begun);
        submit_plain(g_variable.pool, open_door, &g_variable.blocker.go);
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_wait_idle(g_variable.pool, FOREVER));
        stopper_fini(&g_variable.stopper);
        stopper_fini(&g_variable.blocker);
    }
    drain_and_leave(g_variable.pool);
}

static const test_t tests[] = {
    TEST(one_after_the_other),
    TEST(a_chain_as_long_as_there_may_be_workers),
    TEST(in_the_same_batch),
    TEST(behind_many_others),
    TEST(nested_in_the_own_deque),
    TEST(beyond_the_end_of_the_own_deque),
    TEST(as_an_errand),
    TEST(when_its_delay_is_over),
    TEST(as_a_notice),
    TEST(after_the_limit_was_raised),
    TEST(while_a_stop_drains),
    TEST_KEEPS(what_a_release_submits_on_lying_down, KEEPS_MEMORY),
    TEST_KEEPS(behind_what_a_release_submits, KEEPS_MEMORY),
};

HARNESS_MAIN_WARM("duty", tests, warm_up)
