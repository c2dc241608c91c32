/* SPDX-License-Identifier: Apache-2.0 */

/* test_affinity.c: what an affinity pool promises. */

#include "async/fixture.h"

static void a_general_call_runs_on_a_thread_of_the_pool(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    call_t call = { .status = APR_EGENERAL };
    brood_future_t *future = submit(pool, NULL, &call);

    ASSERT_STATUS(APR_EGENERAL, finish(future));
    CU_ASSERT(call.thread != 0 && call.thread != this_thread());
}

static void a_value_comes_back_through_the_future(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    call_t call = { 0 };
    brood_future_t *future = submit(pool, "c", &call);
    void *value = NULL;

    ASSERT_STATUS(APR_SUCCESS, brood_future_get(future, &value, -1));
    CU_ASSERT_PTR_EQUAL(value, &call);
    brood_future_release(future);
}

static void a_context_keeps_its_thread_and_its_order(void)
{
    brood_affinity_pool_t *pool = pool_of(4);
    atomic_int order = 0;
    call_t calls[50];
    brood_future_t *last = NULL;
    int i;

    for (i = 0; i < 50; i++) {
        calls[i] = (call_t){ .order = &order };
        brood_future_release(last);
        last = submit(pool, "one", &calls[i]);
    }
    ASSERT_STATUS(APR_SUCCESS, finish(last));
    for (i = 0; i < 50; i++) {
        CU_ASSERT_EQUAL(calls[i].at, i);
        CU_ASSERT_EQUAL(calls[i].thread, calls[0].thread);
    }
}

static void two_live_contexts_never_share_a_thread(void)
{
    static const char *const ids[] = { "a", "b", "c" };
    brood_affinity_pool_t *pool = pool_of(4);
    call_t calls[3][20];
    brood_future_t *futures[3][20];
    int i, k;

    for (k = 0; k < 20; k++)
        for (i = 0; i < 3; i++) {
            calls[i][k] = (call_t){ 0 };
            futures[i][k] = submit(pool, ids[i], &calls[i][k]);
        }
    for (k = 0; k < 20; k++)
        for (i = 0; i < 3; i++) {
            ASSERT_STATUS(APR_SUCCESS, finish(futures[i][k]));
            CU_ASSERT_EQUAL(calls[i][k].thread, calls[i][0].thread);
        }
    CU_ASSERT(calls[0][0].thread != calls[1][0].thread);
    CU_ASSERT(calls[1][0].thread != calls[2][0].thread);
    CU_ASSERT(calls[2][0].thread != calls[0][0].thread);
}

static void no_general_call_waits_behind_a_busy_one(void)
{
    brood_affinity_pool_t *pool = pool_of(3);
    turnstile_t arrived;
    door_t hold;
    call_t held[2], quick = { 0 };
    brood_future_t *futures[2];
    int i;

    turnstile_init(&arrived);
    door_init(&hold);
    for (i = 0; i < 2; i++) {
        held[i] = (call_t){ .arrived = &arrived, .hold = &hold };
        futures[i] = submit(pool, NULL, &held[i]);
    }
    turnstile_wait(&arrived, 2);
    for (i = 0; i < 20; i++)
        ASSERT_STATUS(APR_SUCCESS, finish(submit(pool, NULL, &quick)));
    CU_ASSERT(quick.thread != held[0].thread && quick.thread != held[1].thread);
    door_open(&hold);
    for (i = 0; i < 2; i++)
        ASSERT_STATUS(APR_SUCCESS, finish(futures[i]));
    turnstile_fini(&arrived);
    door_fini(&hold);
}

static void general_calls_always_have_their_reserved_threads(void)
{
    brood_affinity_pool_t *pool = pool_of(3);
    door_t hold;
    call_t a = { .hold = &hold }, b = { .hold = &hold }, general = { 0 };
    brood_future_t *fa, *fb, *refused = NULL;

    door_init(&hold);
    fa = submit(pool, "a", &a);
    fb = submit(pool, "b", &b);
    ASSERT_STATUS(BROOD_EFULL,
                  brood_affinity_pool_submit(&refused, pool, "c", run_call,
                                             &general, NULL));
    CU_ASSERT_PTR_NULL(refused);
    ASSERT_STATUS(APR_SUCCESS, finish(submit(pool, NULL, &general)));
    door_open(&hold);
    ASSERT_STATUS(APR_SUCCESS, finish(fa));
    ASSERT_STATUS(APR_SUCCESS, finish(fb));
    /* A call of an open context never bites the limit. */
    ASSERT_STATUS(APR_SUCCESS, finish(submit(pool, "a", &general)));
    CU_ASSERT_EQUAL(general.thread, a.thread);
    door_fini(&hold);
}

static void a_released_context_makes_room_for_another(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    call_t first = { 0 }, second = { 0 };

    ASSERT_STATUS(APR_SUCCESS, finish(submit(pool, "a", &first)));
    ASSERT_STATUS(BROOD_ENOTFOUND, brood_affinity_pool_release(pool, "b"));
    ASSERT_STATUS(APR_SUCCESS, brood_affinity_pool_release(pool, "a"));
    run_unless(BROOD_EFULL, pool, "b", &second);
    ASSERT_STATUS(BROOD_ENOTFOUND, brood_affinity_pool_release(pool, "a"));
    ASSERT_STATUS(APR_SUCCESS, brood_affinity_pool_release(pool, "b"));
}

/* ---- hooks ---------------------------------------------------------------- */

typedef struct hooks_t {
    atomic_int starts, exits, ends;
    atomic_int fail;  /* status of the next starts */
    atomic_int alone; /* a call ran on a thread whose start was not called */
    char ended[16];   /* the last context that ended */
    int end_thread;
    int calls_before_end;
    atomic_int *calls;
} hooks_t;

static _Thread_local int tl_started;

static apr_status_t on_start(void *baton)
{
    hooks_t *hooks = baton;

    if (atomic_load(&hooks->fail))
        return atomic_load(&hooks->fail);
    tl_started++;
    atomic_fetch_add(&hooks->starts, 1);
    return APR_SUCCESS;
}

static void on_exit_hook(void *baton)
{
    hooks_t *hooks = baton;

    if (tl_started != 1)
        atomic_store(&hooks->alone, 1);
    atomic_fetch_add(&hooks->exits, 1);
}

static void on_end(const char *id, void *baton)
{
    hooks_t *hooks = baton;

    strncpy(hooks->ended, id, sizeof(hooks->ended) - 1);
    hooks->end_thread = this_thread();
    if (hooks->calls)
        hooks->calls_before_end = atomic_load(hooks->calls);
    atomic_fetch_add(&hooks->ends, 1);
}

static brood_affinity_pool_t *hooked(hooks_t *hooks, int max_threads)
{
    brood_affinity_pool_options_t options = BROOD_AFFINITY_POOL_OPTIONS_INIT;

    memset(hooks, 0, sizeof(*hooks));
    options.max_threads = max_threads;
    options.on_thread_start = on_start;
    options.on_thread_exit = on_exit_hook;
    options.on_context_end = on_end;
    options.hook_baton = hooks;
    return pool_with(&options);
}

static apr_status_t look_at_start(void *baton, void **result)
{
    hooks_t *hooks = baton;

    (void)result;
    if (tl_started != 1)
        atomic_store(&hooks->alone, 1);
    return APR_SUCCESS;
}

static void hooks_run_once_a_thread_whatever_it_serves(void)
{
    static hooks_t hooks; /* its pool lives longer than this call */
    brood_affinity_pool_t *pool = hooked(&hooks, 2);
    brood_future_t *future = NULL;
    int i;

    for (i = 0; i < 20; i++) {
        WAIT_UNTIL(brood_affinity_pool_submit(&future, pool, "a", look_at_start,
                                              &hooks, NULL)
                   != BROOD_EFULL);
        ASSERT_STATUS(APR_SUCCESS, finish(future));
        ASSERT_STATUS(APR_SUCCESS, brood_affinity_pool_release(pool, "a"));
        ASSERT_STATUS(APR_SUCCESS,
                      brood_affinity_pool_submit(&future, pool, NULL,
                                                 look_at_start, &hooks, NULL));
        ASSERT_STATUS(APR_SUCCESS, finish(future));
    }
    ASSERT_STATUS(APR_SUCCESS,
                  brood_affinity_pool_shutdown(pool, BROOD_STOP_DRAIN, -1));
    CU_ASSERT_EQUAL(atomic_load(&hooks.alone), 0);
    CU_ASSERT(atomic_load(&hooks.starts) >= 1
              && atomic_load(&hooks.starts) <= 20);
    CU_ASSERT_EQUAL(atomic_load(&hooks.exits), atomic_load(&hooks.starts));
    CU_ASSERT_EQUAL(atomic_load(&hooks.ends), 20);
}

static void a_context_ends_behind_its_last_call_on_its_thread(void)
{
    static hooks_t hooks; /* its pool lives longer than this call */
    brood_affinity_pool_t *pool = hooked(&hooks, 2);
    atomic_int order = 0;
    door_t hold;
    call_t calls[5], later = { 0 };
    brood_future_t *futures[5], *future = NULL;
    int i;

    door_init(&hold);
    hooks.calls = &order;
    for (i = 0; i < 5; i++) {
        calls[i] = (call_t){ .order = &order, .hold = i ? NULL : &hold };
        futures[i] = submit(pool, "ctx", &calls[i]);
    }
    ASSERT_STATUS(APR_SUCCESS, brood_affinity_pool_release(pool, "ctx"));
    CU_ASSERT_EQUAL(atomic_load(&hooks.ends), 0);
    /* The next submit of that id is another context, and this one lives. */
    ASSERT_STATUS(BROOD_EFULL,
                  brood_affinity_pool_submit(&future, pool, "ctx", run_call,
                                             &later, NULL));
    door_open(&hold);
    for (i = 0; i < 5; i++)
        ASSERT_STATUS(APR_SUCCESS, finish(futures[i]));
    WAIT_UNTIL(atomic_load(&hooks.ends) == 1);
    CU_ASSERT_STRING_EQUAL(hooks.ended, "ctx");
    CU_ASSERT_EQUAL(hooks.end_thread, calls[0].thread);
    CU_ASSERT_EQUAL(hooks.calls_before_end, 5);
    run_unless(BROOD_EFULL, pool, "ctx", &later);
    door_fini(&hold);
}

static void a_failing_start_hook_is_told_to_who_needed_the_thread(void)
{
    static hooks_t hooks; /* its pool lives longer than this call */
    brood_affinity_pool_t *pool = hooked(&hooks, 8);
    call_t call = { 0 };
    brood_future_t *future = NULL;
    occupied_t all;

    atomic_store(&hooks.fail, APR_EGENERAL);
    ASSERT_STATUS(APR_EGENERAL, brood_affinity_pool_submit(
                                    &future, pool, "a", run_call, &call, NULL));
    CU_ASSERT_PTR_NULL(future);
    ASSERT_STATUS(APR_EGENERAL, finish(submit(pool, NULL, &call)));
    atomic_store(&hooks.fail, 0);

    /* Also when others live but are busy; one more may be on its way. */
    occupy(&all, pool, &hooks.fail, APR_EGENERAL);
    while (brood_affinity_pool_submit(&future, pool, "a", run_call, &call, NULL)
           != APR_EGENERAL) {
        ASSERT_STATUS_FATAL(APR_SUCCESS, finish(future));
        ASSERT_STATUS(APR_SUCCESS, brood_affinity_pool_release(pool, "a"));
        call.thread = 0;
        occupy_more(&all, pool, &hooks.fail, APR_EGENERAL);
    }
    CU_ASSERT_EQUAL(call.thread, 0);
    atomic_store(&hooks.fail, 0);
    run_unless(APR_EGENERAL, pool, "a", &call);
    vacate(&all);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_affinity_pool_shutdown(pool, BROOD_STOP_DRAIN, -1));
    CU_ASSERT_EQUAL(atomic_load(&hooks.exits), atomic_load(&hooks.starts));
}

/* ---- freeing idle threads --------------------------------------------------- */

static void idle_general_threads_are_freed_down_to_the_level(void)
{
    static const struct {
        int max, level, keep, delay, left;
    } rows[] = {
        { 4, 0, 0, 0, 2 },  /* the default: half */
        { 5, 0, 0, -1, 3 }, /* rounded up */
        { 8, 25, 0, -1, 2 },   { 8, 26, 0, 1, 3 },  { 8, 100, 0, 1000, 8 },
        { 3, 1, 0, 1000, 1 },  { 6, -1, 0, -1, 1 }, /* at least one is kept */
        { 6, -1, 0, 5000, 1 }, { 6, -1, 1, -1, 6 }, { 4, 10, 1, 1, 4 },
    };
    apr_size_t r;

    for (r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        brood_affinity_pool_options_t options =
            BROOD_AFFINITY_POOL_OPTIONS_INIT;
        brood_affinity_pool_t *pool;
        brood_future_t *futures[8];
        call_t calls[8];
        turnstile_t arrived;
        door_t hold;
        int i;

        turnstile_init(&arrived);
        door_init(&hold);
        options.max_threads = rows[r].max;
        options.general_threads_free_level = rows[r].level;
        options.keep_general_threads = rows[r].keep;
        options.general_threads_free_delay = rows[r].delay;
        pool = pool_with(&options);
        for (i = 0; i < rows[r].max; i++) {
            calls[i] = (call_t){ .arrived = &arrived, .hold = &hold };
            futures[i] = submit(pool, NULL, &calls[i]);
        }
        turnstile_wait(&arrived, (unsigned)rows[r].max);
        CU_ASSERT_EQUAL(census_of(pool).threads, rows[r].max);
        door_open(&hold);
        for (i = 0; i < rows[r].max; i++)
            ASSERT_STATUS(APR_SUCCESS, finish(futures[i]));
        /* No call comes, and they leave all the same. */
        WAIT_UNTIL(census_of(pool).threads == rows[r].left
                   && census_of(pool).busy == 0);
        turnstile_fini(&arrived);
        door_fini(&hold);
    }
}

static void burst(brood_affinity_pool_t *pool)
{
    brood_future_t *futures[4];
    turnstile_t arrived;
    call_t calls[4];
    door_t hold;
    int i;

    turnstile_init(&arrived);
    door_init(&hold);
    for (i = 0; i < 4; i++) {
        calls[i] = (call_t){ .arrived = &arrived, .hold = &hold };
        futures[i] = submit(pool, NULL, &calls[i]);
    }
    turnstile_wait(&arrived, 4);
    door_open(&hold);
    for (i = 0; i < 4; i++)
        ASSERT_STATUS(APR_SUCCESS, finish(futures[i]));
    WAIT_UNTIL(census_of(pool).busy == 0);
    turnstile_fini(&arrived);
    door_fini(&hold);
}

/* Not before their time, and those that are kept never. */
static void bursts_do_not_open_and_close_threads(void)
{
    static const struct {
        int keep;
        apr_interval_time_t delay;
    } rows[] = { { 0, (apr_interval_time_t)3600 * 1000000 },
                 { 1, -1 },
                 { 1, 1 } };
    unsigned r, round;

    for (r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        brood_affinity_pool_options_t options =
            BROOD_AFFINITY_POOL_OPTIONS_INIT;
        brood_affinity_pool_t *pool;
        hooks_t hooks;

        memset(&hooks, 0, sizeof(hooks));
        options.max_threads = 4;
        options.keep_general_threads = rows[r].keep;
        options.general_threads_free_level = -1;
        options.general_threads_free_delay = rows[r].delay;
        options.on_thread_start = on_start;
        options.on_thread_exit = on_exit_hook;
        options.hook_baton = &hooks;
        pool = pool_with(&options);
        for (round = 0; round < 100; round++)
            burst(pool);
        CU_ASSERT_EQUAL(atomic_load(&hooks.exits), 0);
        CU_ASSERT_EQUAL(atomic_load(&hooks.starts), 4);
        ASSERT_STATUS(APR_SUCCESS,
                      brood_affinity_pool_shutdown(pool, BROOD_STOP_DRAIN, -1));
    }
}

static void a_leased_thread_is_never_freed(void)
{
    brood_affinity_pool_options_t options = BROOD_AFFINITY_POOL_OPTIONS_INIT;
    brood_affinity_pool_t *pool;
    call_t calls[3] = { { 0 }, { 0 }, { 0 } }, again;
    const char *ids[3] = { "a", "b", "c" };
    int i, k;

    options.max_threads = 4;
    options.general_threads_free_level = -1;
    pool = pool_with(&options);
    for (i = 0; i < 3; i++)
        ASSERT_STATUS(APR_SUCCESS, finish(submit(pool, ids[i], &calls[i])));
    for (k = 0; k < 10; k++)
        for (i = 0; i < 3; i++) {
            again = (call_t){ 0 };
            ASSERT_STATUS(APR_SUCCESS, finish(submit(pool, NULL, &again)));
            ASSERT_STATUS(APR_SUCCESS, finish(submit(pool, ids[i], &again)));
            CU_ASSERT_EQUAL(again.thread, calls[i].thread);
        }
    CU_ASSERT_EQUAL(census_of(pool).leased, 3);
}

typedef struct on_loop_t {
    brood_affinity_pool_t *pool;
    apr_status_t asked, waited; /* without a timeout, and with one */
    door_t done;
} on_loop_t;

/* On the loop's own stack, where nothing may wait. */
static void shut_down(void *baton)
{
    on_loop_t *on = baton;

    on->asked = brood_affinity_pool_shutdown(on->pool, BROOD_STOP_DRAIN, 0);
    on->waited = brood_affinity_pool_shutdown(on->pool, BROOD_STOP_DRAIN, -1);
    door_open(&on->done);
}

static void shut_down_on(brood_loop_manager_t *loop, on_loop_t *on)
{
    door_init(&on->done);
    ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_post(loop, shut_down, on));
    door_wait(&on->done);
    door_fini(&on->done);
}

static void a_bare_loop_may_begin_a_shutdown(void)
{
    brood_loop_manager_t *loop = NULL;
    on_loop_t on = { .pool = pool_of(2) };
    door_t hold;
    call_t call = { .hold = &hold };
    brood_future_t *future;

    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_loop_manager_get(&loop, "shutdown", 0));
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_loop_manager_start(loop, NULL));
    door_init(&hold);
    future = submit(on.pool, "c", &call);
    shut_down_on(loop, &on);
    ASSERT_STATUS(APR_TIMEUP, on.asked);
    ASSERT_STATUS(BROOD_EDEADLK, on.waited);
    door_open(&hold);
    ASSERT_STATUS(APR_SUCCESS, finish(future));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_affinity_pool_shutdown(on.pool, BROOD_STOP_DRAIN, -1));
    shut_down_on(loop, &on); /* nothing to wait for */
    ASSERT_STATUS(APR_SUCCESS, on.asked);
    ASSERT_STATUS(APR_SUCCESS, on.waited);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_loop_manager_stop(loop, BROOD_STOP_DRAIN, -1));
    door_fini(&hold);
}

static const test_t tests[] = {
    TEST(a_general_call_runs_on_a_thread_of_the_pool),
    TEST(a_value_comes_back_through_the_future),
    TEST(a_context_keeps_its_thread_and_its_order),
    TEST(two_live_contexts_never_share_a_thread),
    TEST(no_general_call_waits_behind_a_busy_one),
    TEST(general_calls_always_have_their_reserved_threads),
    TEST(a_released_context_makes_room_for_another),
    TEST(hooks_run_once_a_thread_whatever_it_serves),
    TEST(a_context_ends_behind_its_last_call_on_its_thread),
    TEST(a_failing_start_hook_is_told_to_who_needed_the_thread),
    TEST(idle_general_threads_are_freed_down_to_the_level),
    TEST(bursts_do_not_open_and_close_threads),
    TEST(a_leased_thread_is_never_freed),
    TEST_KEEPS(a_bare_loop_may_begin_a_shutdown, KEEPS_MEMORY),
};

HARNESS_MAIN_WARM("affinity", tests, warm_up)
