/* SPDX-License-Identifier: Apache-2.0 */

/* test_capacity.c: a manager that takes only so many queued tasks. */

#include "thread/pool.h"

#define ROOM 4

static options_t limited(int when_full)
{
    options_t options = options_of(1, 1);

    options.capacity = ROOM;
    options.when_full = when_full;
    return options;
}

static apr_status_t try_submit(pool_t *pool, atomic_int *counter)
{
    return brood_thread_manager_submit(NULL, pool, count, counter, NULL);
}

static apr_status_t try_many(pool_t *pool, apr_size_t n, atomic_int *counter,
                             const brood_task_options_t *options)
{
    brood_task_t tasks[ROOM + 1];
    apr_size_t i;

    for (i = 0; i < n; i++) {
        tasks[i].fn = count;
        tasks[i].baton = counter;
    }
    return brood_thread_manager_submit_many(NULL, pool, tasks, n, options);
}

/* Over and over, by every way in: what was taken is given back. */
static void a_full_manager_refuses(void)
{
    options_t options = limited(BROOD_WHEN_FULL_REJECT);
    pool_t *pool = pool_with(&options);
    brood_task_options_t ways[4];
    atomic_int counter = 0;
    int round, i, expected = 0;

    for (i = 0; i < 4; i++)
        ways[i] = task_options();
    ways[1].priority = BROOD_PRIORITY_HIGH;
    ways[2].priority = BROOD_PRIORITY_LOW;
    ways[3].queue_timeout = AN_HOUR;
    for (round = 0; round < 40; round++) {
        const brood_task_options_t *way = &ways[round % 4];
        stopper_t stopper;

        occupy(pool, &stopper);
        for (i = 0; i < ROOM; i++)
            ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit(
                                           NULL, pool, count, &counter, way));
        ASSERT_STATUS(BROOD_EFULL, try_submit(pool, &counter));
        ASSERT_STATUS(BROOD_EFULL, brood_thread_manager_submit(
                                       NULL, pool, count, &counter, way));
        ASSERT_STATUS(BROOD_EFULL, try_many(pool, 2, &counter, way));
        door_open(&stopper.go);
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_wait_idle(pool, FOREVER));
        CU_ASSERT_EQUAL(brood__load(&counter, relaxed), expected += ROOM);
        ASSERT_STATUS(APR_SUCCESS, try_many(pool, ROOM, &counter, way));
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_wait_idle(pool, FOREVER));
        expected += ROOM;
        stopper_fini(&stopper);
    }
    CU_ASSERT_EQUAL(stats_of(pool).rejected, 40 * 4);
    drain_and_leave(pool);
}

static void many_are_all_or_none(void)
{
    options_t options = limited(BROOD_WHEN_FULL_REJECT);
    pool_t *pool = pool_with(&options);
    atomic_int counter = 0;
    stopper_t stopper;

    occupy(pool, &stopper);
    ASSERT_STATUS(BROOD_EFULL, try_many(pool, ROOM + 1, &counter, NULL));
    ASSERT_STATUS(APR_SUCCESS, try_many(pool, ROOM - 1, &counter, NULL));
    ASSERT_STATUS(BROOD_EFULL, try_many(pool, 2, &counter, NULL));
    ASSERT_STATUS(APR_SUCCESS, try_many(pool, 1, &counter, NULL));
    ASSERT_STATUS(BROOD_EFULL, try_many(pool, 1, &counter, NULL));
    ASSERT_STATUS(APR_SUCCESS, try_many(pool, 0, &counter, NULL));
    door_open(&stopper.go);
    drain_and_leave(pool);
    CU_ASSERT_EQUAL(brood__load(&counter, relaxed), ROOM);
    stopper_fini(&stopper);
}

/* Delayed tasks take room, and give it back when they are canceled. */
static void a_canceled_task_gives_its_room_back(void)
{
    options_t options = limited(BROOD_WHEN_FULL_REJECT);
    pool_t *pool = pool_with(&options);
    brood_task_options_t late = task_options();
    brood_future_t *futures[ROOM];
    atomic_int counter = 0;
    int i, round;

    late.delay = AN_HOUR;
    for (round = 0; round < 20; round++) {
        for (i = 0; i < ROOM; i++)
            futures[i] = submit_with(pool, nothing, NULL, &late);
        ASSERT_STATUS(BROOD_EFULL, try_submit(pool, &counter));
        for (i = 0; i < ROOM; i++) {
            ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(futures[i]));
            ASSERT_STATUS(BROOD_ECANCELED, outcome(futures[i]));
        }
    }
    drain_and_leave(pool);
}

/* What is queued behind others goes when a worker comes by: who submits and
 * cancels for ever fills no memory. */
static void a_canceled_task_keeps_its_place_in_the_queue(void)
{
    options_t options = limited(BROOD_WHEN_FULL_REJECT);
    pool_t *pool = pool_with(&options);
    brood_future_t *futures[ROOM];
    atomic_int counter = 0;
    stopper_t stopper;
    int i;

    occupy(pool, &stopper);
    for (i = 0; i < ROOM; i++)
        futures[i] = submit(pool, count, &counter);
    for (i = 0; i < ROOM; i++) {
        ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(futures[i]));
        ASSERT_STATUS(BROOD_ECANCELED, outcome(futures[i]));
    }
    ASSERT_STATUS(BROOD_EFULL, try_submit(pool, &counter));
    door_open(&stopper.go);
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_wait_idle(pool, FOREVER));
    ASSERT_STATUS(APR_SUCCESS, try_submit(pool, &counter));
    drain_and_leave(pool);
    CU_ASSERT_EQUAL(brood__load(&counter, relaxed), 1);
    stopper_fini(&stopper);
}

static void run_in_the_caller_when_full(void)
{
    options_t options = limited(BROOD_WHEN_FULL_RUN);
    pool_t *pool = pool_with(&options);
    atomic_int counter = 0;
    brood_future_t *future;
    stopper_t stopper;
    void *value = NULL;
    int i;

    occupy(pool, &stopper);
    for (i = 0; i < ROOM; i++)
        ASSERT_STATUS(APR_SUCCESS, try_submit(pool, &counter));
    CU_ASSERT_EQUAL(brood__load(&counter, relaxed), 0);
    ASSERT_STATUS(APR_SUCCESS, try_submit(pool, &counter));
    CU_ASSERT_EQUAL(brood__load(&counter, relaxed), 1);
    ASSERT_STATUS(APR_SUCCESS, try_many(pool, ROOM + 1, &counter, NULL));
    CU_ASSERT_EQUAL(brood__load(&counter, relaxed), 1 + ROOM + 1);
    future = submit(pool, echo, &counter);
    ASSERT_STATUS(APR_SUCCESS, brood_future_result(future, &value));
    CU_ASSERT_PTR_EQUAL(value, &counter);
    brood_future_release(future);
    door_open(&stopper.go);
    drain(pool);
    CU_ASSERT_EQUAL(stats_of(pool).submitted, 1 + ROOM + 1 + ROOM + 1 + 1);
    CU_ASSERT_EQUAL(stats_of(pool).completed, stats_of(pool).submitted);
    stopper_fini(&stopper);
    leave_tree();
}

static void note_unread(apr_status_t status, const char *name, void *unread)
{
    if (status == APR_EGENERAL && !name)
        brood__add((atomic_int *)unread, 1, relaxed);
}

/* As that of one that ran elsewhere. */
static void a_failure_in_the_caller_is_reported_too(void)
{
    options_t options = limited(BROOD_WHEN_FULL_RUN);
    pool_t *pool = pool_with(&options);
    apr_status_t failure = APR_EGENERAL, canceled = BROOD_ECANCELED;
    atomic_int counter = 0, unread = 0;
    stopper_t stopper;
    int i;

    brood_unobserved_hook_set(note_unread, &unread);
    occupy(pool, &stopper);
    for (i = 0; i < ROOM; i++)
        ASSERT_STATUS(APR_SUCCESS, try_submit(pool, &counter));
    submit_plain(pool, fail, &failure);
    CU_ASSERT_EQUAL(brood__load(&unread, relaxed), 1);
    submit_plain(pool, fail, &canceled);
    CU_ASSERT_EQUAL(brood__load(&unread, relaxed), 1);
    door_open(&stopper.go);
    drain(pool);
    CU_ASSERT_EQUAL(stats_of(pool).failed, 2);
    brood_unobserved_hook_set(NULL, NULL);
    stopper_fini(&stopper);
    leave_tree();
}

/* By a thread whose lane is full, each time: so each submit asks for a block. */
static void what_memory_refuses_gives_its_room_back(void)
{
    enum { MANY = 1000 };
    options_t options = limited(BROOD_WHEN_FULL_REJECT);
    atomic_int counter = 0;
    int accepted = 0, refused = 0;
    stopper_t stopper;
    pool_t *pool;

    options.capacity = MANY;
    pool = pool_with(&options);
    occupy(pool, &stopper);
    while (accepted < MANY && refused < 10 * MANY) {
        const int pair = accepted % 3 == 0 && accepted < MANY - 1;
        apr_status_t rv;

        brood__fault_all(BROOD__FAULT_MEMORY);
        rv = pair ? try_many(pool, 2, &counter, NULL)
                  : try_submit(pool, &counter);
        brood__fault_at(BROOD__FAULT_MEMORY, 0);
        if (rv == APR_ENOMEM) {
            refused++;
            rv = try_submit(pool, &counter);
            accepted += rv == APR_SUCCESS;
        } else {
            accepted += pair ? 2 : 1;
        }
        ASSERT_STATUS_FATAL(APR_SUCCESS, rv);
    }
    CU_ASSERT_EQUAL(accepted, MANY);
    CU_ASSERT(refused > 0);
    ASSERT_STATUS(BROOD_EFULL, try_submit(pool, &counter));
    door_open(&stopper.go);
    drain_and_leave(pool);
    CU_ASSERT_EQUAL(brood__load(&counter, relaxed), MANY);
    stopper_fini(&stopper);
}

typedef struct blocker_t {
    pool_t *pool;
    apr_size_t n;
    atomic_int *counter;
    turnstile_t arrived;
    apr_status_t rv;
} blocker_t;

static void *submit_blocking(void *baton)
{
    blocker_t *blocker = baton;

    turnstile_pass(&blocker->arrived);
    blocker->rv = try_many(blocker->pool, blocker->n, blocker->counter, NULL);
    return NULL;
}

/* Those that want much and those that want little all get in. */
static void who_is_blocked_gets_in_when_there_is_room(void)
{
    options_t options = limited(BROOD_WHEN_FULL_BLOCK);
    pool_t *pool = pool_with(&options);
    blocker_t blockers[6];
    pthread_t threads[6];
    atomic_int counter = 0;
    stopper_t stopper;
    int i, round, expected = 0;

    for (round = 0; round < 30; round++) {
        occupy(pool, &stopper);
        for (i = 0; i < ROOM; i++)
            ASSERT_STATUS(APR_SUCCESS, try_submit(pool, &counter));
        expected += ROOM;
        for (i = 0; i < 6; i++) {
            blocker_t *b = &blockers[i];

            b->pool = pool;
            b->counter = &counter;
            b->n = (apr_size_t)(i % ROOM + 1);
            expected += (int)b->n;
            turnstile_init(&b->arrived);
            pthread_create(&threads[i], NULL, submit_blocking, b);
            turnstile_wait(&b->arrived, 1);
        }
        if (round % 2)
            WAIT_UNTIL(brood__load(&pool->executor.n_waiting, relaxed) == 6);
        door_open(&stopper.go);
        for (i = 0; i < 6; i++) {
            pthread_join(threads[i], NULL);
            ASSERT_STATUS(APR_SUCCESS, blockers[i].rv);
            turnstile_fini(&blockers[i].arrived);
        }
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_wait_idle(pool, FOREVER));
        CU_ASSERT_EQUAL(brood__load(&counter, relaxed), expected);
        stopper_fini(&stopper);
    }
    drain_and_leave(pool);
}

static void a_blocked_submit_gives_up_in_the_end(void)
{
    options_t options = limited(BROOD_WHEN_FULL_BLOCK);
    atomic_int counter = 0;
    stopper_t stopper;
    pool_t *pool;
    int i;

    options.full_timeout = 1000;
    pool = pool_with(&options);
    occupy(pool, &stopper);
    for (i = 0; i < ROOM - 1; i++)
        ASSERT_STATUS(APR_SUCCESS, try_submit(pool, &counter));
    ASSERT_STATUS(BROOD_EFULL, try_many(pool, 2, &counter, NULL));
    ASSERT_STATUS(BROOD_EFULL, try_many(pool, ROOM + 1, &counter, NULL));
    ASSERT_STATUS(APR_SUCCESS, try_submit(pool, &counter));
    ASSERT_STATUS(BROOD_EFULL, try_submit(pool, &counter));
    door_open(&stopper.go);
    drain_and_leave(pool);
    CU_ASSERT_EQUAL(brood__load(&counter, relaxed), ROOM);
    stopper_fini(&stopper);
}

static void a_stop_ends_a_blocked_submit(void)
{
    options_t options = limited(BROOD_WHEN_FULL_BLOCK);
    pool_t *pool = pool_with(&options);
    atomic_int counter = 0;
    blocker_t blocker = { .pool = pool, .n = 1, .counter = &counter };
    pthread_t thread;
    stopper_t stopper;
    int i;

    turnstile_init(&blocker.arrived);
    occupy(pool, &stopper);
    for (i = 0; i < ROOM; i++)
        ASSERT_STATUS(APR_SUCCESS, try_submit(pool, &counter));
    pthread_create(&thread, NULL, submit_blocking, &blocker);
    WAIT_UNTIL(brood__load(&pool->executor.n_waiting, relaxed) == 1);
    ASSERT_STATUS(APR_TIMEUP,
                  brood_thread_manager_stop(pool, BROOD_STOP_DRAIN, 0));
    pthread_join(thread, NULL);
    ASSERT_STATUS(BROOD_ESTOPPED, blocker.rv);
    door_open(&stopper.go);
    drain_and_leave(pool);
    turnstile_fini(&blocker.arrived);
    stopper_fini(&stopper);
}

/* A task that waits for room elsewhere is interrupted by its cancel. */
static apr_status_t submit_to_full(void *baton, void **value)
{
    blocker_t *blocker = baton;

    (void)value;
    blocker->rv = try_submit(blocker->pool, blocker->counter);
    return blocker->rv;
}

static void a_cancel_interrupts_a_blocked_submit(void)
{
    options_t options = limited(BROOD_WHEN_FULL_BLOCK);
    pool_t *full = pool_with(&options), *other = pool_of(1, 1);
    atomic_int counter = 0;
    blocker_t blocker = { .pool = full, .n = 1, .counter = &counter };
    brood_future_t *future;
    stopper_t stopper;
    int i;

    occupy(full, &stopper);
    for (i = 0; i < ROOM; i++)
        ASSERT_STATUS(APR_SUCCESS, try_submit(full, &counter));
    future = submit(other, submit_to_full, &blocker);
    WAIT_UNTIL(brood__load(&full->executor.n_waiting, relaxed) == 1);
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(future));
    ASSERT_STATUS(BROOD_ECANCELED, outcome(future));
    ASSERT_STATUS(BROOD_EINTERRUPTED, blocker.rv);
    door_open(&stopper.go);
    drain(full);
    CU_ASSERT_EQUAL(brood__load(&counter, relaxed), ROOM);
    drain_and_leave(other);
    stopper_fini(&stopper);
}

/* In a worker of its own it runs in the caller: waiting might be for ever. */
typedef struct filler_t {
    pool_t *pool;
    atomic_int counter;
    int at_once; /* of ROOM + 3, had run when the submit returned */
} filler_t;

static apr_status_t fill_from_inside(void *baton, void **value)
{
    filler_t *filler = baton;
    int i, before;

    (void)value;
    for (i = 0; i < ROOM + 3; i++) {
        before = brood__load(&filler->counter, relaxed);
        if (try_submit(filler->pool, &filler->counter) != APR_SUCCESS)
            return APR_EGENERAL;
        filler->at_once += brood__load(&filler->counter, relaxed) > before;
    }
    return APR_SUCCESS;
}

static void an_own_worker_is_never_blocked(void)
{
    static const int ways[] = { BROOD_WHEN_FULL_BLOCK, BROOD_WHEN_FULL_RUN };
    unsigned i;

    for (i = 0; i < COUNT(ways); i++) {
        options_t options = limited(ways[i]);
        filler_t filler = { NULL, 0, 0 };

        options.max_spares = -1;
        filler.pool = pool_with(&options);
        ASSERT_STATUS(APR_SUCCESS,
                      outcome(submit(filler.pool, fill_from_inside, &filler)));
        CU_ASSERT_EQUAL(filler.at_once, 3);
        drain(filler.pool);
        CU_ASSERT_EQUAL(brood__load(&filler.counter, relaxed), ROOM + 3);
        leave_tree();
    }
}

static const test_t tests[] = {
    TEST(a_full_manager_refuses),
    TEST(many_are_all_or_none),
    TEST(a_canceled_task_gives_its_room_back),
    TEST(a_canceled_task_keeps_its_place_in_the_queue),
    TEST(run_in_the_caller_when_full),
    TEST(a_failure_in_the_caller_is_reported_too),
    TEST(what_memory_refuses_gives_its_room_back),
    TEST(who_is_blocked_gets_in_when_there_is_room),
    TEST(a_blocked_submit_gives_up_in_the_end),
    TEST(a_stop_ends_a_blocked_submit),
    TEST(a_cancel_interrupts_a_blocked_submit),
    TEST(an_own_worker_is_never_blocked),
};

HARNESS_MAIN_WARM("capacity", tests, warm_up)
