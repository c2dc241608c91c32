/* SPDX-License-Identifier: Apache-2.0 */

/* test_stop.c: a stop settles everything that was accepted. */

#include "loop/looping.h"

#include <event2/event.h>

static apr_status_t sleep_long(void *baton, void **result)
{
    (void)baton;
    (void)result;
    return brood_sleep(apr_time_from_sec(3600));
}

/* Tasks that submit tasks, `depth` deep. */
static atomic_uint n_ran;
static apr_status_t inside[2];

static apr_status_t breed(void *baton, void **result)
{
    uintptr_t depth = (uintptr_t)baton;
    apr_status_t rv = APR_SUCCESS;

    (void)result;
    brood__add(&n_ran, 1, relaxed);
    brood_yield();
    if (depth)
        rv = brood_loop_manager_submit(NULL, loop, breed, (void *)(depth - 1),
                                       NULL);
    return rv;
}

static void count_post(void *unused)
{
    (void)unused;
    brood__add(&n_ran, 1, relaxed);
}

static void drain_lets_own_tasks_submit(void)
{
    door_t door;

    door_init(&door);
    n_ran = 0;
    start_loop();
    brood_loop_manager_post(loop, wait_at_door, &door);
    brood_loop_manager_submit(NULL, loop, breed, (void *)(uintptr_t)9, NULL);
    ASSERT_STATUS(APR_TIMEUP,
                  brood_loop_manager_stop(loop, BROOD_STOP_DRAIN, 0));
    ASSERT_STATUS(APR_TIMEUP,
                  brood_loop_manager_stop(loop, BROOD_STOP_DRAIN, 1000));
    ASSERT_STATUS(BROOD_ESTOPPED,
                  brood_loop_manager_submit(NULL, loop, nothing, NULL, NULL));
    ASSERT_STATUS(BROOD_EPENDING, brood_loop_manager_start(loop, NULL));
    door_open(&door);
    stop_loop();
    CU_ASSERT_EQUAL(n_ran, 10);
    door_fini(&door);
}

static void drain_waits_for_those_who_wait(void)
{
    brood_promise_t *promise;
    brood_future_t *future, *task;

    ASSERT_STATUS(APR_SUCCESS, brood_promise_make(&promise, &future, NULL));
    start_loop();
    task = submit(await_it, future);
    wait_blocked(1);
    ASSERT_STATUS(APR_TIMEUP,
                  brood_loop_manager_stop(loop, BROOD_STOP_DRAIN, 2000));
    brood_promise_settle(promise, APR_SUCCESS, NULL);
    stop_loop();
    ASSERT_STATUS(APR_SUCCESS, brood_future_result(task, NULL));
    brood_future_release(task);
    brood_future_release(future);
}

static apr_status_t submit_in_cancel(void *baton, void **result)
{
    (void)result;
    inside[0] = brood_sleep(apr_time_from_sec(3600));
    inside[1] = brood_loop_manager_submit(NULL, loop, nothing, NULL, NULL);
    *(int *)baton = brood_task_canceled();
    return inside[0];
}

static void cancel_settles_all_at_once(void)
{
    brood_future_t *waiting, *queued;
    brood_stats_t before = stats_now();
    int canceled = 0;
    door_t door;

    door_init(&door);
    n_ran = 0;
    start_loop();
    waiting = submit(sleep_long, NULL);
    brood_loop_manager_submit(NULL, loop, submit_in_cancel, &canceled, NULL);
    wait_blocked(2);
    brood_loop_manager_post(loop, wait_at_door, &door);
    queued = submit(breed, NULL);
    brood_loop_manager_submit(NULL, loop, breed, NULL, NULL);
    brood_loop_manager_post(loop, count_post, NULL);
    ASSERT_STATUS(APR_TIMEUP,
                  brood_loop_manager_stop(loop, BROOD_STOP_CANCEL, 0));
    door_open(&door);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_loop_manager_stop(loop, BROOD_STOP_DRAIN, -1));
    ASSERT_STATUS(BROOD_ECANCELED, brood_future_result(waiting, NULL));
    ASSERT_STATUS(BROOD_ECANCELED, brood_future_result(queued, NULL));
    ASSERT_STATUS(BROOD_EINTERRUPTED, inside[0]);
    ASSERT_STATUS(BROOD_ESTOPPED, inside[1]);
    CU_ASSERT_TRUE(canceled);
    CU_ASSERT_EQUAL(n_ran, 1); /* the post */
    CU_ASSERT_EQUAL(stats_now().canceled, before.canceled + 2);
    brood_future_release(waiting);
    brood_future_release(queued);
    door_fini(&door);
}

static void cancel_may_follow_drain(void)
{
    brood_future_t *task;

    start_loop();
    task = submit(sleep_long, NULL);
    wait_blocked(1);
    ASSERT_STATUS(APR_TIMEUP,
                  brood_loop_manager_stop(loop, BROOD_STOP_DRAIN, 1000));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_loop_manager_stop(loop, BROOD_STOP_CANCEL, -1));
    ASSERT_STATUS(BROOD_ECANCELED, outcome(task));
}

static apr_status_t clean_up(void *future, void **result)
{
    apr_status_t rv = brood_sleep(apr_time_from_sec(3600));

    (void)result;
    if (rv == BROOD_EINTERRUPTED)
        rv = brood_await(future, NULL);
    return rv;
}

static void clean_up_may_await(void)
{
    brood_promise_t *promise;
    brood_future_t *future, *task;
    int with_future;

    for (with_future = 0; with_future < 2; with_future++) {
        ASSERT_STATUS(APR_SUCCESS, brood_promise_make(&promise, &future, NULL));
        start_loop();
        task = NULL;
        ASSERT_STATUS(APR_SUCCESS,
                      brood_loop_manager_submit(with_future ? &task : NULL,
                                                loop, clean_up, future, NULL));
        wait_blocked(1);
        ASSERT_STATUS(APR_TIMEUP,
                      brood_loop_manager_stop(loop, BROOD_STOP_CANCEL, 3000));
        wait_blocked(1);
        brood_promise_settle(promise, APR_SUCCESS, NULL);
        stop_loop();
        if (with_future)
            ASSERT_STATUS(APR_SUCCESS, outcome(task));
        brood_future_release(future);
    }
}

static void count_destroy(void *unused)
{
    (void)unused;
    brood__add(&n_ran, 1, relaxed);
}

static void what_is_not_due_is_canceled(void)
{
    brood_task_options_t o = BROOD_TASK_OPTIONS_INIT;
    brood_future_t *tasks[3];
    int i;

    n_ran = 0;
    o.delay = apr_time_from_sec(3600);
    o.destroy = count_destroy;
    start_loop();
    for (i = 0; i < 3; i++)
        ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_submit(&tasks[i], loop,
                                                             breed, NULL, &o));
    brood_future_cancel(tasks[1]);
    stop_loop();
    CU_ASSERT_EQUAL(n_ran, 3);
    for (i = 0; i < 3; i++)
        ASSERT_STATUS(BROOD_ECANCELED, outcome(tasks[i]));
}

/* ---- notifications --------------------------------------------------------- */

typedef struct told_t {
    atomic_int times;
    apr_status_t result;
    brood_loop_manager_t *where;
    uint64_t parent;
    apr_status_t again;
} told_t;

static void be_told(brood_future_t *future, void *baton)
{
    told_t *told = baton;

    told->result = brood_future_result(future, NULL);
    brood_loop_manager_current(&told->where);
    told->parent = brood_lineage_parent_serial();
    told->again = brood_loop_manager_post(loop, count_post, NULL);
    brood__add(&told->times, 1, release);
}

static void a_loop_is_told_on_its_thread(void)
{
    brood_target_t target = BROOD_TARGET_INIT;
    told_t told = { 0, -1, NULL, 0, -1 };
    brood_promise_t *promise;
    brood_future_t *future;

    ASSERT_STATUS(APR_SUCCESS, brood_promise_make(&promise, &future, NULL));
    start_loop();
    target.loop = loop;
    ASSERT_STATUS(APR_SUCCESS,
                  brood_future_notify(future, &target, be_told, &told));
    brood_promise_settle(promise, APR_SUCCESS, NULL);
    WAIT_UNTIL(brood__load(&told.times, acquire) == 1);
    ASSERT_STATUS(APR_SUCCESS, told.result);
    CU_ASSERT_PTR_EQUAL(told.where, loop);
    CU_ASSERT_EQUAL(told.parent, brood_lineage_serial());
    ASSERT_STATUS(APR_SUCCESS, told.again);
    brood_future_release(future);
    stop_loop();
}

static void a_stop_tells_what_waits(void)
{
    brood_target_t target = BROOD_TARGET_INIT;
    told_t told = { 0, -1, NULL, 0, -1 };
    brood_promise_t *promise;
    brood_future_t *future;

    n_ran = 0;
    ASSERT_STATUS(APR_SUCCESS, brood_promise_make(&promise, &future, NULL));
    start_loop();
    target.loop = loop;
    ASSERT_STATUS(APR_SUCCESS,
                  brood_future_notify(future, &target, be_told, &told));
    stop_loop();
    CU_ASSERT_EQUAL(told.times, 1);
    ASSERT_STATUS(BROOD_EPENDING, told.result);
    ASSERT_STATUS(APR_SUCCESS, told.again); /* a task of it, while it drains */
    CU_ASSERT_EQUAL(n_ran, 1);
    ASSERT_STATUS(BROOD_ESTOPPED,
                  brood_future_notify(future, &target, be_told, &told));
    brood_promise_settle(promise, APR_SUCCESS, NULL);
    CU_ASSERT_EQUAL(told.times, 1);
    brood_future_release(future);
}

/* ---- the program's own events ----------------------------------------------- */

typedef struct handler_t {
    struct event *event;
    apr_status_t await, submit;
    int own_place;
    atomic_uint ran;
} handler_t;

static void handle(evutil_socket_t fd, short what, void *baton)
{
    handler_t *h = baton;
    brood_loop_manager_t *here = NULL;

    (void)fd;
    (void)what;
    h->await = brood_sleep(1000);
    brood_loop_manager_current(&here);
    h->submit = brood_loop_manager_submit(NULL, here, count_up, &h->ran, NULL);
    h->own_place = brood_lineage_serial() == brood_lineage_serial();
    brood__add(&h->ran, 1, relaxed);
}

static void add_event(void *baton)
{
    static const struct timeval soon = { 0, 1000 };
    handler_t *h = baton;
    struct event_base *base = NULL;

    brood_loop_manager_event_base(loop, &base);
    h->event = event_new(base, -1, EV_PERSIST, handle, h);
    event_add(h->event, &soon);
}

static apr_status_t busy_until(void *baton, void **result)
{
    handler_t *h = baton;

    (void)result;
    while (brood__load(&h->ran, relaxed) < 20)
        brood_yield();
    event_free(h->event);
    return APR_SUCCESS;
}

static void events_go_on_beside_busy_tasks(void)
{
    handler_t h = { NULL, 0, -1, 0, 0 };

    start_loop();
    brood_loop_manager_post(loop, add_event, &h);
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(busy_until, &h)));
    ASSERT_STATUS(BROOD_EDEADLK, h.await);
    ASSERT_STATUS(APR_SUCCESS, h.submit);
    stop_loop();
}

static struct event *left_over;

static void leave_event(struct event_base *base, void *unused)
{
    static const struct timeval later = { 3600, 0 };

    (void)unused;
    left_over = event_new(base, -1, EV_PERSIST, handle, NULL);
    event_add(left_over, &later);
}

static void free_event(struct event_base *base, void *unused)
{
    (void)base;
    (void)unused;
    event_free(left_over);
}

static void events_do_not_hold_up_a_stop(void)
{
    brood_loop_manager_options_t o = BROOD_LOOP_MANAGER_OPTIONS_INIT;

    o.on_start = leave_event;
    o.on_exit = free_event;
    ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_start(loop, &o));
    stop_loop();
}

/* ---- who waits for a stop ----------------------------------------------------- */

static brood_loop_manager_t *second;

static apr_status_t stop_second(void *unused, void **result)
{
    (void)unused;
    (void)result;
    return brood_loop_manager_stop(second, BROOD_STOP_DRAIN, -1);
}

static void a_coroutine_awaits_another_loops_stop(void)
{
    brood_future_t *stopper;
    door_t door;

    door_init(&door);
    start_loop();
    ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_start(second, NULL));
    brood_loop_manager_post(second, wait_at_door, &door);
    stopper = submit(stop_second, NULL);
    wait_blocked(1);
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(nothing, NULL)));
    brood_future_cancel(stopper);
    ASSERT_STATUS(BROOD_ECANCELED, outcome(stopper));
    stopper = submit(stop_second, NULL);
    door_open(&door);
    ASSERT_STATUS(APR_SUCCESS, outcome(stopper));
    stop_loop();
    door_fini(&door);
}

static void time_and_again_nothing_is_lost(void);

static const test_t tests[] = {
    TEST_KEEPS(drain_lets_own_tasks_submit, KEEPS_MEMORY),
    TEST_KEEPS(drain_waits_for_those_who_wait, KEEPS_MEMORY),
    TEST_KEEPS(cancel_settles_all_at_once, KEEPS_MEMORY),
    TEST_KEEPS(cancel_may_follow_drain, KEEPS_MEMORY),
    TEST_KEEPS(clean_up_may_await, KEEPS_MEMORY),
    TEST_KEEPS(what_is_not_due_is_canceled, KEEPS_MEMORY),
    TEST_KEEPS(a_loop_is_told_on_its_thread, KEEPS_MEMORY),
    TEST_KEEPS(a_stop_tells_what_waits, KEEPS_MEMORY),
    TEST_KEEPS(events_go_on_beside_busy_tasks, KEEPS_MEMORY),
    TEST_KEEPS(events_do_not_hold_up_a_stop, KEEPS_MEMORY),
    TEST_KEEPS(a_coroutine_awaits_another_loops_stop, KEEPS_MEMORY),
    TEST_KEEPS(time_and_again_nothing_is_lost, KEEPS_MEMORY),
};

static void time_and_again_nothing_is_lost(void)
{
    repeat(tests, sizeof(tests) / sizeof(tests[0]));
}

static void make_all(void)
{
    warm_up();
    must(brood_loop_manager_get(&second, "second", 0));
    must(brood_loop_manager_start(second, NULL));
    must(brood_loop_manager_post(second, count_post, NULL));
    must(brood_loop_manager_stop(second, BROOD_STOP_DRAIN, -1));
}

HARNESS_MAIN_WARM("stop", tests, make_all)
