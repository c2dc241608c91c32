/* SPDX-License-Identifier: Apache-2.0 */

/* test_deadlock.c: waits that could provably never end are refused, and no
 * others. */

#include "task/tools.h"

#define MOST 10 /* tasks in a circle */

/* Tasks that wait for one another: each for the next, the last for the first. */
typedef struct circle_t circle_t;

typedef struct member_t {
    circle_t *circle;
    int at;
    apr_status_t waited;
} member_t;

struct circle_t {
    int n;
    int together; /* none waits before all have begun */
    turnstile_t begun;
    door_t go; /* `future` is filled */
    brood_future_t *future[MOST];
    member_t member[MOST];
};

static apr_status_t waits_for_the_next(void *baton, void **result)
{
    member_t *self = baton;
    circle_t *circle = self->circle;

    (void)result;
    turnstile_pass(&circle->begun);
    if (circle->together)
        turnstile_wait(&circle->begun, (unsigned)circle->n);
    door_wait(&circle->go);
    self->waited = brood_future_wait(circle->future[(self->at + 1) % circle->n],
                                     -1);
    return self->waited;
}

static void form(circle_t *circle, brood_thread_manager_t *manager, int n,
                 int together)
{
    int i;

    turnstile_init(&circle->begun);
    door_init(&circle->go);
    circle->n = n;
    circle->together = together;
    for (i = 0; i < n; i++) {
        circle->member[i].circle = circle;
        circle->member[i].at = i;
        circle->future[i] = submit(manager, waits_for_the_next,
                                   &circle->member[i], NULL);
    }
    door_open(&circle->go);
}

/* Returns how many waits were refused. */
static int dissolve(circle_t *circle)
{
    int refused = 0, i;

    for (i = 0; i < circle->n; i++) {
        ASSERT_STATUS(APR_SUCCESS, brood_future_wait(circle->future[i], -1));
        (void)brood_future_result(circle->future[i], NULL);
        if (circle->member[i].waited == BROOD_EDEADLK)
            refused++;
        else
            ASSERT_STATUS(APR_SUCCESS, circle->member[i].waited);
    }
    for (i = 0; i < circle->n; i++)
        brood_future_release(circle->future[i]);
    turnstile_fini(&circle->begun);
    door_fini(&circle->go);
    return refused;
}

static void a_task_that_waits_for_itself_is_told(void)
{
    circle_t circle;

    form(&circle, pool(), 1, 1);
    CU_ASSERT_EQUAL(dissolve(&circle), 1);
}

static apr_status_t waits_for_itself_a_while(void *baton, void **result)
{
    brood_future_t **self = baton;

    *result = NULL;
    return brood_future_wait(brood__self.now.task, 1000) == APR_TIMEUP
                   && brood_future_wait(brood__self.now.task, 0) == APR_TIMEUP
                   && brood_future_wait(brood__self.now.task, -1)
                          == BROOD_EDEADLK
                   && brood_future_wait(brood__self.now.task, -1)
                          == BROOD_EDEADLK
               ? APR_SUCCESS
           : self ? APR_EGENERAL
                  : APR_EINVAL;
}

static void a_wait_with_a_limit_ends_by_itself(void)
{
    brood_future_t *future = submit(pool(), waits_for_itself_a_while, NULL,
                                    NULL);

    ASSERT_STATUS(APR_SUCCESS, brood_future_get(future, NULL, -1));
    brood_future_release(future);
}

static void circles_of_running_tasks_are_broken_once(void)
{
    brood_thread_manager_t *wide = start("wide", MOST, MOST);
    circle_t circle;
    int n;

    for (n = 2; n <= MOST; n++) {
        form(&circle, wide, n, 1);
        CU_ASSERT_EQUAL(dissolve(&circle), 1);
    }
    stop(wide);
}

/* Each runs the next in place, on the same stack, and the last looks at one
 * that lies below it. */
static void circles_on_one_stack_are_broken_once(void)
{
    brood_thread_manager_t *one = start("one", 1, 0);
    circle_t circle;
    int n;

    for (n = 1; n <= MOST; n++) {
        form(&circle, one, n, 0);
        CU_ASSERT_EQUAL(dissolve(&circle), 1);
    }
    stop(one);
}

/* Two workers: some run in place, some beside. */
static void circles_of_both_kinds_are_broken(void)
{
    brood_thread_manager_t *two = start("two", 2, 0);
    unsigned rounds = test_rounds(50);
    circle_t circle;

    while (rounds-- > 0) {
        form(&circle, two, 2 + (int)rounds % (MOST - 1), 0);
        CU_ASSERT(dissolve(&circle) >= 1);
    }
    stop(two);
}

/* ---- no false alarm ----------------------------------------------------- */

typedef struct link_t {
    brood_future_t *on;
    door_t *go;
} link_t;

static apr_status_t waits_for(void *baton, void **result)
{
    link_t *link = baton;

    (void)result;
    door_wait(link->go);
    return brood_future_wait(link->on, -1);
}

static void a_chain_of_waiting_tasks_is_no_circle(void)
{
    brood_thread_manager_t *wide = start("wide", MOST, MOST);
    brood_future_t *future[MOST];
    link_t link[MOST];
    pledge_t p = pledge();
    door_t go;
    int i;

    door_init(&go);
    for (i = 0; i < MOST; i++) {
        link[i].go = &go;
        link[i].on = i ? future[i - 1] : p.future;
        future[i] = submit(wide, waits_for, &link[i], NULL);
    }
    door_open(&go);
    ASSERT_STATUS(APR_TIMEUP, brood_future_wait(future[MOST - 1], 2000));
    brood_promise_settle(p.promise, APR_SUCCESS, NULL);
    for (i = 0; i < MOST; i++) {
        ASSERT_STATUS(APR_SUCCESS, brood_future_get(future[i], NULL, -1));
        brood_future_release(future[i]);
    }
    brood_future_release(p.future);
    stop(wide);
    door_fini(&go);
}

/* No worker is left for it, and no other may be made. */
static apr_status_t waits_for_what_cannot_run(void *baton, void **result)
{
    link_t *link = baton;

    (void)result;
    door_wait(link->go);
    return brood_future_wait(link->on, -1);
}

static void a_queued_task_for_which_nobody_is_left_runs_in_place(void)
{
    brood_thread_manager_t *one = start("one", 1, 0);
    brood_future_t *outer, *inner;
    door_t go;
    link_t link = { NULL, &go };

    door_init(&go);
    outer = submit(one, waits_for_what_cannot_run, &link, NULL);
    inner = link.on = submit(one, returns_baton, NULL, NULL);
    door_open(&go);
    ASSERT_STATUS(APR_SUCCESS, brood_future_get(outer, NULL, -1));
    ASSERT_STATUS(APR_SUCCESS, brood_future_get(inner, NULL, -1));
    brood_future_release(outer);
    brood_future_release(inner);
    stop(one);
    door_fini(&go);
}

static const test_t tests[] = {
    TEST_KEEPS(a_task_that_waits_for_itself_is_told, KEEPS_MEMORY),
    TEST(a_wait_with_a_limit_ends_by_itself),
    TEST_KEEPS(circles_of_running_tasks_are_broken_once, KEEPS_MEMORY),
    TEST_KEEPS(circles_on_one_stack_are_broken_once, KEEPS_MEMORY),
    TEST_KEEPS(circles_of_both_kinds_are_broken, KEEPS_MEMORY),
    TEST_KEEPS(a_chain_of_waiting_tasks_is_no_circle, KEEPS_MEMORY),
    TEST(a_queued_task_for_which_nobody_is_left_runs_in_place),
};

HARNESS_MAIN_WARM("deadlock", tests, warm_up)
