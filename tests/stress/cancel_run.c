/* SPDX-License-Identifier: Apache-2.0 */

/* cancel_run.c: canceling and expiring against running: each task settles once,
 * is destroyed once, and ran exactly if it says so. */

#include "task/magazine.h"
#include "task/tools.h"

#define TASKS 64
#define MOST  (10 * BROOD__MAGAZINE) /* in those of workers and timers */

typedef struct task_t {
    atomic_int ran, destroyed;
    int canceled;
} task_t;

static apr_status_t ran(void *baton, void **result)
{
    task_t *task = baton;

    brood__add(&task->ran, 1, relaxed);
    task->canceled = brood_task_canceled();
    *result = task;
    return APR_SUCCESS;
}

static void destroyed(void *baton)
{
    brood__add(&((task_t *)baton)->destroyed, 1, release);
}

typedef struct round_t {
    brood_future_t *future[TASKS];
    door_t go;
} round_t;

static void *cancels(void *baton)
{
    round_t *round = baton;
    int i;

    door_wait(&round->go);
    for (i = TASKS - 1; i >= 0; i--)
        (void)brood_future_cancel(round->future[i]);
    return NULL;
}

static void check(task_t *task, brood_future_t *future, apr_status_t refused,
                  int may_be_canceled)
{
    apr_status_t rv = brood_future_get(future, NULL, -1);

    if (rv == APR_SUCCESS) {
        CU_ASSERT_EQUAL(brood__load(&task->ran, acquire), 1);
        CU_ASSERT(may_be_canceled || !task->canceled);
    } else {
        ASSERT_STATUS(refused, rv);
        CU_ASSERT_EQUAL(brood__load(&task->ran, acquire), 0);
    }
    CU_ASSERT_EQUAL(brood__load(&task->destroyed, acquire), 1);
    brood_future_release(future);
}

static void play(const brood_task_options_t *o, apr_status_t refused,
                 int cancelers)
{
    unsigned rounds = test_rounds(300);

    while (rounds-- > 0) {
        task_t task[TASKS] = { 0 };
        pthread_t thread[2];
        round_t round;
        int i;

        door_init(&round.go);
        for (i = 0; i < cancelers; i++)
            pthread_create(&thread[i], NULL, cancels, &round);
        for (i = 0; i < TASKS; i++)
            round.future[i] = submit(pool(), ran, &task[i], o);
        door_open(&round.go);
        for (i = 0; i < cancelers; i++)
            pthread_join(thread[i], NULL);
        for (i = 0; i < TASKS; i++)
            check(&task[i], round.future[i], refused, cancelers > 0);
        door_fini(&round.go);
    }
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_wait_idle(pool(), -1));
}

static void two_cancelers_against_the_workers(void)
{
    brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;

    o.destroy = destroyed;
    play(&o, BROOD_ECANCELED, 2);
}

static void the_clock_against_the_workers(void)
{
    brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;

    o.destroy = destroyed;
    o.queue_timeout = 20;
    o.flags = BROOD_TASK_QUIET;
    play(&o, BROOD_EEXPIRED, 0);
}

/* The queue's reference is the only one, and goes with the entry: whoever expires
 * the task has to have his own by then. */
static void the_clock_against_the_workers_and_nobody_waits(void)
{
    brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;
    const size_t live = brood__futures_live();
    unsigned rounds = test_rounds(300);

    o.destroy = destroyed;
    o.queue_timeout = 20;
    o.flags = BROOD_TASK_QUIET;
    while (rounds-- > 0) {
        task_t task[TASKS] = { 0 };
        int i;

        for (i = 0; i < TASKS; i++)
            ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit(
                                           NULL, pool(), ran, &task[i], &o));
        ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_wait_idle(pool(), -1));
        for (i = 0; i < TASKS; i++) {
            while (!brood__load(&task[i].destroyed, acquire))
                brood__os_yield(); /* the clock is at it */
            CU_ASSERT_EQUAL(brood__load(&task[i].destroyed, acquire), 1);
            CU_ASSERT(brood__load(&task[i].ran, acquire) <= 1);
        }
    }
    CU_ASSERT(brood__futures_live() <= live + MOST);
    CU_ASSERT(brood__futures_live() + MOST >= live);
}

/* The delay ends, and the queue timeout begins, while it is canceled. */
static void a_canceler_against_the_delay(void)
{
    brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;

    o.destroy = destroyed;
    o.delay = 30;
    o.queue_timeout = apr_time_from_sec(3600);
    play(&o, BROOD_ECANCELED, 1);
}

static void a_canceler_against_all_clocks(void)
{
    brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;

    o.destroy = destroyed;
    o.delay = 20;
    o.queue_timeout = apr_time_from_sec(3600);
    o.run_timeout = 1;
    o.priority = BROOD_PRIORITY_HIGH;
    play(&o, BROOD_ECANCELED, 2);
}

static const test_t tests[] = {
    TEST_KEEPS(two_cancelers_against_the_workers, KEEPS_MEMORY),
    TEST_KEEPS(the_clock_against_the_workers, KEEPS_ALL),
    TEST_KEEPS(the_clock_against_the_workers_and_nobody_waits, KEEPS_ALL),
    TEST_KEEPS(a_canceler_against_the_delay, KEEPS_ALL),
    TEST_KEEPS(a_canceler_against_all_clocks, KEEPS_ALL),
};

HARNESS_MAIN_WARM("cancel/run", tests, warm_up)
