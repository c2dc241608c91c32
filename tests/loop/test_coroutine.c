/* SPDX-License-Identifier: Apache-2.0 */

/* test_coroutine.c: tasks that wait, and what is theirs meanwhile. */

#include "loop/looping.h"

#include "base/fault.h"
#include "lineage/self.h"
#include "os/os.h"

static void a_task_gets_what_it_awaits(void)
{
    pledge_t p = pledge();
    brood_future_t *task;
    void *value = NULL;

    start_loop();
    task = submit(await_it, p.future);
    wait_blocked(1);
    ASSERT_STATUS(BROOD_EPENDING, brood_future_result(task, NULL));
    CU_ASSERT_EQUAL(stats_now().running, 1);
    keep(&p, &p);
    ASSERT_STATUS(APR_SUCCESS, brood_future_get(task, &value, -1));
    CU_ASSERT_PTR_EQUAL(value, &p);
    brood_future_release(task);
    brood_future_release(p.future);
    stop_loop();
}

static apr_status_t fail(void *baton, void **result)
{
    (void)result;
    return *(apr_status_t *)baton;
}

static apr_status_t on_pool(void *baton, void **result)
{
    brood_future_t *future;
    apr_status_t rv = brood_thread_manager_submit(&future, pool, fail, baton,
                                                  NULL);

    (void)result;
    if (rv == APR_SUCCESS) {
        rv = brood_await(future, NULL);
        brood_future_release(future);
    }
    return rv;
}

static void many_await_a_pool_of_threads(void)
{
    static apr_status_t statuses[100];
    brood_future_t *tasks[100];
    int i;

    start_loop();
    for (i = 0; i < 100; i++) {
        statuses[i] = i % 3 ? APR_SUCCESS : 100 + i;
        tasks[i] = submit(on_pool, &statuses[i]);
    }
    for (i = 0; i < 100; i++)
        ASSERT_STATUS(statuses[i], outcome(tasks[i]));
    stop_loop();
}

/* ---- what belongs to a task ---------------------------------------------- */

static brood_context_key_t *key;

typedef struct place_t {
    pledge_t p;
    uint64_t serial, before, after;
    void *value_before, *value_after;
} place_t;

static apr_status_t look_around(void *baton, void **result)
{
    place_t *place = baton;
    apr_status_t rv;

    place->before = brood_lineage_parent_serial();
    brood_context_set(key, place, NULL);
    place->value_before = brood_context_get(key);
    rv = brood_await(place->p.future, result);
    place->value_after = brood_context_get(key);
    place->after = brood_lineage_parent_serial();
    return rv;
}

static apr_status_t see_key(void *baton, void **result)
{
    (void)result;
    *(void **)baton = brood_context_get(key);
    return APR_SUCCESS;
}

static void each_task_stands_at_its_own_place(void)
{
    place_t places[3];
    brood_future_t *tasks[3];
    void *seen = places;
    int i;

    memset(places, 0, sizeof(places));
    start_loop();
    for (i = 0; i < 3; i++) {
        places[i].p = pledge();
        tasks[i] = submit(look_around, &places[i]);
    }
    wait_blocked(3);
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(see_key, &seen)));
    CU_ASSERT_PTR_NULL(seen);
    for (i = 2; i >= 0; i--) {
        keep(&places[i].p, NULL);
        ASSERT_STATUS(APR_SUCCESS, outcome(tasks[i]));
        CU_ASSERT_EQUAL(places[i].before, places[i].after);
        CU_ASSERT_EQUAL(places[i].before, brood_lineage_serial());
        CU_ASSERT_PTR_EQUAL(places[i].value_before, &places[i]);
        CU_ASSERT_PTR_EQUAL(places[i].value_after, &places[i]);
        brood_future_release(places[i].p.future);
    }
    stop_loop();
}

typedef struct at_end_t {
    brood__at_end_t hook;
    brood_future_t *future;
    atomic_int done;
} at_end_t;

static void await_at_end(brood__at_end_t *hook)
{
    at_end_t *at_end = BROOD__CONTAINER(hook, at_end_t, hook);

    brood__store(&at_end->done,
                 brood_await(at_end->future, NULL) == APR_SUCCESS, relaxed);
}

static apr_status_t leave_a_hook(void *baton, void **result)
{
    at_end_t *at_end = baton;

    (void)result;
    at_end->hook.fn = await_at_end;
    brood__at_end_add(&at_end->hook);
    return APR_SUCCESS;
}

static void what_a_task_does_at_its_end_may_await(void)
{
    pledge_t p = pledge();
    at_end_t at_end = { { NULL, NULL }, p.future, 0 };
    brood_future_t *task;

    start_loop();
    task = submit(leave_a_hook, &at_end);
    wait_blocked(1);
    ASSERT_STATUS(BROOD_EPENDING, brood_future_result(task, NULL));
    keep(&p, NULL);
    ASSERT_STATUS(APR_SUCCESS, outcome(task));
    CU_ASSERT_EQUAL(at_end.done, 1);
    brood_future_release(p.future);
    stop_loop();
}

/* ---- order ---------------------------------------------------------------- */

static char order[64];

static void write_down(void *letter)
{
    size_t n = strlen(order);

    order[n] = *(char *)letter;
    order[n + 1] = '\0';
}

static apr_status_t write_task(void *letter, void **result)
{
    (void)result;
    write_down(letter);
    return APR_SUCCESS;
}

static apr_status_t write_twice(void *letter, void **result)
{
    (void)result;
    write_down(letter);
    brood_yield();
    write_down(letter);
    return APR_SUCCESS;
}

static void calls_run_in_the_order_they_came(void)
{
    static char letters[] = "abcdefgh";
    door_t door;
    int i;

    order[0] = '\0';
    door_init(&door);
    start_loop();
    brood_loop_manager_post(loop, wait_at_door, &door);
    for (i = 0; letters[i]; i++)
        if (i % 2)
            brood_loop_manager_post(loop, write_down, &letters[i]);
        else
            brood_loop_manager_submit(NULL, loop, write_task, &letters[i],
                                      NULL);
    door_open(&door);
    stop_loop();
    CU_ASSERT_STRING_EQUAL(order, "abcdefgh");
    door_fini(&door);
}

/* Three tasks that came together and each yield once, in `order`. */
static void yield_thrice(const char *expected)
{
    static char letters[] = "abc";
    brood_future_t *tasks[3] = { NULL, NULL, NULL };
    holdup_t holdup;
    int i;

    order[0] = '\0';
    hold_loop(&holdup);
    for (i = 0; letters[i]; i++)
        brood_loop_manager_submit(&tasks[i], loop, write_twice, &letters[i],
                                  NULL);
    door_open(&holdup.door);
    for (i = 0; letters[i]; i++)
        ASSERT_STATUS(APR_SUCCESS, outcome(tasks[i]));
    holdup_fini(&holdup);
    CU_ASSERT_STRING_EQUAL(order, expected);
}

/* Also when the loop, held for long, shares its time in small pieces. */
static void who_yields_goes_last(void)
{
    int round;

    start_loop();
    for (round = 0; round < 100; round++)
        yield_thrice("abcabc");
    stop_loop();
}

/* The others cannot begin before the first one has left its stack. */
static void without_stacks_who_yields_goes_on(void)
{
    start_loop();
    brood__fault_all(BROOD__FAULT_STACK);
    yield_thrice("aabbcc");
    brood__fault_at(BROOD__FAULT_STACK, 0);
    stop_loop();
}

typedef struct nap_t {
    apr_interval_time_t length;
    int64_t took;
} nap_t;

static apr_status_t take_nap(void *baton, void **result)
{
    nap_t *nap = baton;
    int64_t begin = brood__os_now();
    apr_status_t rv = brood_sleep(nap->length);

    (void)result;
    nap->took = brood__os_now() - begin;
    return rv;
}

static void sleepers_wake_not_too_early(void)
{
    nap_t naps[40];
    brood_future_t *tasks[40];
    int i;

    start_loop();
    for (i = 0; i < 40; i++) {
        naps[i].length = 500 + i * 7 % 40 * 500;
        tasks[i] = submit(take_nap, &naps[i]);
    }
    for (i = 0; i < 40; i++) {
        ASSERT_STATUS(APR_SUCCESS, outcome(tasks[i]));
        CU_ASSERT(naps[i].took >= naps[i].length * 1000);
    }
    stop_loop();
    naps[0].length = 1000; /* on a plain thread, and on a worker */
    ASSERT_STATUS(APR_SUCCESS, take_nap(&naps[0], NULL));
    CU_ASSERT(naps[0].took >= 1000000);
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit(
                                   &tasks[0], pool, take_nap, &naps[1], NULL));
    ASSERT_STATUS(APR_SUCCESS, outcome(tasks[0]));
    CU_ASSERT(naps[1].took >= naps[1].length * 1000);
    ASSERT_STATUS(APR_SUCCESS, brood_yield());
    ASSERT_STATUS(APR_SUCCESS, brood_sleep(0));
}

static apr_status_t wait_shortly(void *future, void **result)
{
    (void)result;
    return brood_future_wait(future, 2000);
}

static void a_wait_runs_out(void)
{
    pledge_t p = pledge();

    start_loop();
    ASSERT_STATUS(APR_TIMEUP, outcome(submit(wait_shortly, p.future)));
    stop_loop();
    brood_promise_release(p.promise);
    brood_future_release(p.future);
}

/* ---- what cannot be waited for -------------------------------------------- */

typedef struct tries_t {
    brood_future_t *future;
    apr_status_t await, sleep, yield, fd;
    int in_handler;
} tries_t;

static void try_all(void *baton)
{
    tries_t *t = baton;

    t->await = brood_await(t->future, NULL);
    t->sleep = brood_sleep(1000);
    t->yield = brood_yield();
}

static void a_post_may_not_await(void)
{
    pledge_t p = pledge();
    tries_t t = { p.future, 0, 0, -1, 0, 0 };

    start_loop();
    brood_loop_manager_post(loop, try_all, &t);
    stop_loop();
    ASSERT_STATUS(BROOD_EDEADLK, t.await);
    ASSERT_STATUS(BROOD_EDEADLK, t.sleep);
    ASSERT_STATUS(APR_SUCCESS, t.yield);
    keep(&p, NULL);
    start_loop();
    brood_loop_manager_post(loop, try_all, &t); /* settled: no wait */
    stop_loop();
    ASSERT_STATUS(APR_SUCCESS, t.await);
    brood_future_release(p.future);
}

static brood_future_t *each_other[2];

static apr_status_t await_other(void *which, void **result)
{
    return brood_await(*(brood_future_t **)which, result);
}

static void a_circle_is_noticed(void)
{
    door_t door;

    door_init(&door);
    start_loop();
    brood_loop_manager_post(loop, wait_at_door, &door);
    each_other[0] = submit(await_other, &each_other[1]);
    each_other[1] = submit(await_other, &each_other[0]);
    door_open(&door);
    ASSERT_STATUS(BROOD_EDEADLK, outcome(each_other[1]));
    ASSERT_STATUS(BROOD_EDEADLK, outcome(each_other[0]));
    stop_loop();
    door_fini(&door);
}

static void without_a_stack_the_wait_fails(void)
{
    pledge_t p = pledge();
    brood_future_t *first, *second;

    start_loop();
    brood__fault_at(BROOD__FAULT_STACK, 1);
    first = submit(await_it, p.future);
    ASSERT_STATUS(APR_ENOMEM, outcome(first));
    CU_ASSERT_FALSE(brood__fault_pending(BROOD__FAULT_STACK));
    second = submit(await_it, p.future);
    wait_blocked(1);
    keep(&p, NULL);
    ASSERT_STATUS(APR_SUCCESS, outcome(second));
    brood_future_release(p.future);
    stop_loop();
}

/* ---- many ------------------------------------------------------------------ */

static void hundreds_are_suspended_at_once(void)
{
    enum { MANY = 700 };
    static brood_future_t *tasks[MANY];
    pledge_t p = pledge();
    int i, round;

    start_loop();
    for (round = 0; round < 3; round++) {
        if (round)
            p = pledge();
        for (i = 0; i < MANY; i++)
            tasks[i] = submit(await_it, p.future);
        wait_blocked(MANY);
        keep(&p, NULL);
        for (i = 0; i < MANY; i++)
            ASSERT_STATUS(APR_SUCCESS, outcome(tasks[i]));
        brood_future_release(p.future);
    }
    stop_loop();
}

static apr_status_t dig(void *depth, void **result)
{
    volatile char room[1024];
    int left = *(int *)depth - 1;

    (void)result;
    memset((char *)room, left, sizeof(room));
    if (left > 0)
        dig(&left, NULL);
    brood_yield();
    return room[17] == (char)left ? APR_SUCCESS : APR_EGENERAL;
}

static void stacks_are_as_deep_as_asked(void)
{
    brood_loop_manager_options_t o = BROOD_LOOP_MANAGER_OPTIONS_INIT;
    int depth = 700;

    o.stack_size = 2 * 1024 * 1024;
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_loop_manager_start(loop, &o));
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(dig, &depth)));
    stop_loop();
}

static void time_and_again_nothing_is_lost(void);

static const test_t tests[] = {
    TEST_KEEPS(a_task_gets_what_it_awaits, KEEPS_MEMORY),
    TEST_KEEPS(many_await_a_pool_of_threads, KEEPS_MEMORY),
    TEST_KEEPS(each_task_stands_at_its_own_place, KEEPS_MEMORY),
    TEST_KEEPS(what_a_task_does_at_its_end_may_await, KEEPS_MEMORY),
    TEST_KEEPS(calls_run_in_the_order_they_came, KEEPS_MEMORY),
    TEST_KEEPS(who_yields_goes_last, KEEPS_MEMORY),
    TEST_KEEPS(without_stacks_who_yields_goes_on, KEEPS_MEMORY),
    TEST_KEEPS(sleepers_wake_not_too_early, KEEPS_MEMORY),
    TEST_KEEPS(a_wait_runs_out, KEEPS_MEMORY),
    TEST_KEEPS(a_post_may_not_await, KEEPS_MEMORY),
    TEST_KEEPS(a_circle_is_noticed, KEEPS_MEMORY),
    TEST_KEEPS(without_a_stack_the_wait_fails, KEEPS_MEMORY),
    TEST_KEEPS(hundreds_are_suspended_at_once, KEEPS_MEMORY),
    TEST_KEEPS(stacks_are_as_deep_as_asked, KEEPS_MEMORY),
    TEST_KEEPS(time_and_again_nothing_is_lost, KEEPS_MEMORY),
};

static void time_and_again_nothing_is_lost(void)
{
    repeat(tests, sizeof(tests) / sizeof(tests[0]));
}

static void make_all(void)
{
    if (brood_context_key_make(&key, "test") != APR_SUCCESS)
        abort();
    warm_up_with_pool();
}

HARNESS_MAIN_WARM("coroutine", tests, make_all)
