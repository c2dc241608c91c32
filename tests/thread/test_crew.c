/* SPDX-License-Identifier: Apache-2.0 */

/* test_crew.c: workers come and go; hooks, names, and threads that cannot be
 * made. */

#include "thread/pool.h"

static struct {
    atomic_int starts, exits, strange;
    uint64_t owner;
    brood_context_key_t *key;
} g_hooks;

/* At the owner's node, in no task, with an empty context. */
static void look_around(void *baton)
{
    pool_t *found = NULL;

    brood__add(&g_hooks.strange,
               baton != &g_hooks || brood_lineage_serial() != g_hooks.owner
                   || brood_context_get(g_hooks.key) != NULL
                   || brood_task_canceled()
                   || brood_thread_manager_get(&found, "test", BROOD_GET_STRICT)
                          != APR_SUCCESS,
               relaxed);
}

static void on_start(void *baton)
{
    look_around(baton);
    brood__add(&g_hooks.starts, 1, relaxed);
}

static void on_exit_(void *baton)
{
    look_around(baton);
    brood__add(&g_hooks.exits, 1, relaxed);
}

static options_t with_hooks(int min, int max)
{
    options_t options = options_of(min, max);

    brood__store(&g_hooks.starts, 0, relaxed);
    brood__store(&g_hooks.exits, 0, relaxed);
    brood__store(&g_hooks.strange, 0, relaxed);
    g_hooks.owner = brood_lineage_serial();
    options.on_worker_start = on_start;
    options.on_worker_exit = on_exit_;
    options.hook_baton = &g_hooks;
    return options;
}

static int starts(void)
{
    return brood__load(&g_hooks.starts, relaxed);
}

static int exits(void)
{
    return brood__load(&g_hooks.exits, relaxed);
}

static void hooks_run_once_on_each_thread(void)
{
    options_t options;
    pool_t *pool;
    stopper_t stoppers[5];
    int i;

    ASSERT_STATUS(APR_SUCCESS, brood_context_key_make(&g_hooks.key, "hooks"));
    ASSERT_STATUS(APR_SUCCESS, brood_context_set(g_hooks.key, &options, NULL));
    options = with_hooks(2, 5);
    pool = pool_with(&options);
    for (i = 0; i < 5; i++)
        occupy(pool, &stoppers[i]);
    CU_ASSERT_EQUAL(starts(), 5);
    CU_ASSERT_EQUAL(exits(), 0);
    for (i = 0; i < 5; i++)
        door_open(&stoppers[i].go);
    drain(pool);
    CU_ASSERT_EQUAL(starts(), 5);
    CU_ASSERT_EQUAL(exits(), 5);
    CU_ASSERT_EQUAL(brood__load(&g_hooks.strange, relaxed), 0);
    for (i = 0; i < 5; i++)
        stopper_fini(&stoppers[i]);
    leave_tree();
}

static void release_value(void *counter)
{
    brood__add((atomic_int *)counter, 1, relaxed);
}

static void set_a_variable(void *counter)
{
    (void)brood_context_set(g_hooks.key, counter, release_value);
}

/* What a hook sets up is neither seen by tasks nor kept. */
static apr_status_t see_variable(void *unused, void **value)
{
    (void)unused;
    *value = brood_context_get(g_hooks.key);
    return APR_SUCCESS;
}

static void nothing_of_a_hook_is_left_to_the_tasks(void)
{
    options_t options = options_of(1, 1);
    atomic_int released = 0;
    brood_future_t *future;
    void *value = &options;
    pool_t *pool;

    ASSERT_STATUS(APR_SUCCESS, brood_context_key_make(&g_hooks.key, "left"));
    options.on_worker_start = options.on_worker_exit = set_a_variable;
    options.hook_baton = &released;
    pool = pool_with(&options);
    future = submit(pool, see_variable, NULL);
    ASSERT_STATUS(APR_SUCCESS, brood_future_get(future, &value, FOREVER));
    CU_ASSERT_PTR_NULL(value);
    CU_ASSERT_EQUAL(brood__load(&released, relaxed), 1);
    brood_future_release(future);
    drain_and_leave(pool);
    CU_ASSERT_EQUAL(brood__load(&released, relaxed), 2);
}

static apr_status_t own_name(void *name, void **value)
{
    (void)value;
    platform_thread_name(name, 40);
    return APR_SUCCESS;
}

static void workers_have_names(void)
{
    static const struct {
        const char *id, *prefix, *expected;
    } rows[] = {
        { "render", NULL, "render-0" },
        { NULL, NULL, "brood-0" },
        { "", NULL, "brood-0" },
        { "render", "gpu", "gpu-0" },
        { NULL, "a prefix that is much too long",
          "a prefix that is much too long-0" },
    };
    char name[40];
    unsigned i;

    for (i = 0; i < COUNT(rows); i++) {
        options_t options = options_of(1, 1);
        pool_t *pool = pool_get(rows[i].id);

        options.thread_name_prefix = rows[i].prefix;
        ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_start(pool, &options));
        ASSERT_STATUS(APR_SUCCESS, outcome(submit(pool, own_name, name)));
        CU_ASSERT(strlen(name) >= 15 || !strcmp(name, rows[i].expected));
        CU_ASSERT(!strncmp(name, rows[i].expected, strlen(name)));
        drain_and_leave(pool);
    }
}

static void idle_workers_leave(void)
{
    static const int mins[] = { -1, 1, 2 };
    stopper_t stoppers[4];
    unsigned k, round;
    int i;

    for (k = 0; k < COUNT(mins); k++) {
        options_t options = with_hooks(mins[k], 4);
        unsigned stay = mins[k] < 0 ? 0 : (unsigned)mins[k];
        pool_t *pool;

        options.idle_timeout = 100;
        pool = pool_with(&options);
        for (round = 0; round < 20; round++) {
            for (i = 0; i < 4; i++)
                occupy(pool, &stoppers[i]);
            CU_ASSERT_EQUAL(stats_of(pool).workers, 4);
            for (i = 0; i < 4; i++)
                door_open(&stoppers[i].go);
            ASSERT_STATUS(APR_SUCCESS,
                          brood_thread_manager_wait_idle(pool, FOREVER));
            WAIT_UNTIL(stats_of(pool).workers == stay);
            for (i = 0; i < 4; i++)
                stopper_fini(&stoppers[i]);
        }
        drain(pool);
        CU_ASSERT_EQUAL(starts(), exits());
        leave_tree();
    }
}

static void resizing_while_it_works(void)
{
    options_t options = with_hooks(1, 1);
    pool_t *pool = pool_with(&options);
    stopper_t stoppers[6];
    int i;

    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_resize(pool, 3, 6));
    CU_ASSERT_EQUAL(stats_of(pool).workers, 3);
    for (i = 0; i < 6; i++)
        occupy(pool, &stoppers[i]);
    CU_ASSERT_EQUAL(stats_of(pool).workers, 6);
    ASSERT_STATUS(APR_EINVAL, brood_thread_manager_resize(pool, 3, 2));
    ASSERT_STATUS(APR_EINVAL, brood_thread_manager_resize(pool, 0, 2));
    ASSERT_STATUS(APR_EINVAL, brood_thread_manager_resize(pool, 7, 0));
    ASSERT_STATUS(APR_EINVAL, brood_thread_manager_resize(pool, 0, -1));
    ASSERT_STATUS(APR_EINVAL,
                  brood_thread_manager_resize(pool, 0, BROOD__WORKERS_MAX + 1));
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_resize(pool, 1, 2));
    for (i = 0; i < 6; i++)
        door_open(&stoppers[i].go);
    WAIT_UNTIL(stats_of(pool).workers <= 2);
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(pool, nothing, NULL)));
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_resize(pool, 2, 0));
    CU_ASSERT_EQUAL(stats_of(pool).workers, 2);
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_resize(pool, 0, 0));
    drain(pool);
    CU_ASSERT_EQUAL(starts(), exits());
    for (i = 0; i < 6; i++)
        stopper_fini(&stoppers[i]);
    leave_tree();
}

/* Many at once: never fewer stay than there have to be. */
static void shrinking_twice_leaves_enough(void)
{
    unsigned round;

    for (round = 0; round < 30; round++) {
        pool_t *pool = pool_of(8, 8);

        WAIT_UNTIL(stats_of(pool).idle == 8);
        ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_resize(pool, 1, 3));
        ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_resize(pool, 1, 2));
        ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_resize(pool, 1, 1));
        WAIT_UNTIL(stats_of(pool).workers <= 1);
        CU_ASSERT_EQUAL(stats_of(pool).workers, 1);
        ASSERT_STATUS(APR_SUCCESS, outcome(submit(pool, nothing, NULL)));
        drain_and_leave(pool);
    }
}

/* Those that had to stay may leave once fewer have to. */
static void lowering_the_minimum_lets_idle_ones_go(void)
{
    options_t options = options_of(4, 4);
    pool_t *pool;

    options.idle_timeout = 100;
    pool = pool_with(&options);
    WAIT_UNTIL(stats_of(pool).idle == 4);
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_resize(pool, 1, 0));
    WAIT_UNTIL(stats_of(pool).workers == 1);
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_resize(pool, -1, 0));
    WAIT_UNTIL(stats_of(pool).workers == 0);
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(pool, nothing, NULL)));
    drain_and_leave(pool);
}

/* ---- threads that cannot be made ------------------------------------------ */

static void a_start_without_threads_fails(void)
{
    options_t options = with_hooks(3, 3);
    pool_t *pool = pool_get("test");
    unsigned n;

    for (n = 1; n <= 3; n++) {
        brood__fault_at(BROOD__FAULT_THREAD, n);
        ASSERT_STATUS(APR_EAGAIN, brood_thread_manager_start(pool, &options));
        CU_ASSERT(!brood_thread_manager_is_running(pool));
        CU_ASSERT_EQUAL(stats_of(pool).workers, 0);
        CU_ASSERT_EQUAL(starts(), exits());
        ASSERT_STATUS(BROOD_ENOTSTARTED, brood_thread_manager_submit(
                                             NULL, pool, nothing, NULL, NULL));
    }
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_start(pool, &options));
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(pool, nothing, NULL)));
    drain_and_leave(pool);
}

/* Nothing of its settings is left. */
static void a_start_that_fails_changes_nothing(void)
{
    options_t good = options_of(1, 1), bad = options_of(2, 2);
    pool_t *pool = pool_get("test");
    char type[10];

    good.task_type = "good";
    bad.task_type = "bad";
    bad.capacity = 1;
    brood__fault_at(BROOD__FAULT_THREAD, 2);
    ASSERT_STATUS(APR_EAGAIN, brood_thread_manager_start(pool, &bad));
    CU_ASSERT_PTR_NULL(brood_thread_manager_task_type(pool, type, 10));
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_start(pool, &good));
    drain(pool);
    brood__fault_at(BROOD__FAULT_THREAD, 1);
    ASSERT_STATUS(APR_EAGAIN, brood_thread_manager_start(pool, &bad));
    CU_ASSERT_PTR_NOT_NULL_FATAL(
        brood_thread_manager_task_type(pool, type, 10));
    CU_ASSERT_STRING_EQUAL(type, "good");
    CU_ASSERT_EQUAL(pool->executor.options.max_workers, 1);
    CU_ASSERT_EQUAL(brood__load(&pool->executor.capacity, relaxed), 0);
    leave_tree();
}

static void a_submit_without_any_thread_fails(void)
{
    brood_task_options_t options[3];
    pool_t *pool = pool_of(-1, 2);
    brood_future_t *future = NULL;
    atomic_int counter = 0;
    unsigned i;

    for (i = 0; i < COUNT(options); i++) {
        options[i] = task_options();
        options[i].priority = (int)i - 1;
        brood__fault_at(BROOD__FAULT_THREAD, 1);
        ASSERT_STATUS(APR_EAGAIN,
                      brood_thread_manager_submit(&future, pool, count,
                                                  &counter, &options[i]));
        CU_ASSERT_PTR_NULL(future);
    }
    CU_ASSERT_EQUAL(stats_of(pool).queued, 0);
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(pool, count, &counter)));
    drain_and_leave(pool);
    CU_ASSERT_EQUAL(brood__load(&counter, relaxed), 1);
}

/* One worker lives: the task queues, and the next submit tries again. */
static void a_submit_with_one_thread_queues(void)
{
    brood_future_t *futures[2];
    stopper_t stopper;
    int round;

    for (round = 0; round < 50; round++) {
        pool_t *pool = pool_of(1, 2);

        brood__fault_at(BROOD__FAULT_THREAD, 1);
        occupy(pool, &stopper);
        futures[0] = submit(pool, nothing, NULL);
        WAIT_UNTIL(!brood__fault_pending(BROOD__FAULT_THREAD)
                   || settled(futures[0]));
        futures[1] = submit(pool, open_door, &stopper.go);
        ASSERT_STATUS(APR_SUCCESS, outcome(futures[0]));
        ASSERT_STATUS(APR_SUCCESS, outcome(futures[1]));
        brood__fault_at(BROOD__FAULT_THREAD, 0);
        drain_and_leave(pool);
        stopper_fini(&stopper);
    }
}

static void a_resize_without_threads_fails(void)
{
    pool_t *pool = pool_of(1, 4);
    brood_stats_t stats;

    brood__fault_at(BROOD__FAULT_THREAD, 2);
    ASSERT_STATUS(APR_EAGAIN, brood_thread_manager_resize(pool, 4, 8));
    CU_ASSERT(brood_thread_manager_is_running(pool));
    CU_ASSERT_EQUAL(stats_of(pool).workers, 1); /* as before */
    ASSERT_STATUS(APR_EINVAL, brood_thread_manager_resize(pool, 5, 0));
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_resize(pool, 4, 0));
    stats = stats_of(pool);
    CU_ASSERT_EQUAL(stats.workers, 4);
    drain_and_leave(pool);
}

static const test_t tests[] = {
    TEST_KEEPS(hooks_run_once_on_each_thread, KEEPS_MEMORY),
    TEST_KEEPS(nothing_of_a_hook_is_left_to_the_tasks, KEEPS_MEMORY),
    TEST(workers_have_names),
    TEST(idle_workers_leave),
    TEST(resizing_while_it_works),
    TEST(shrinking_twice_leaves_enough),
    TEST(lowering_the_minimum_lets_idle_ones_go),
    TEST(a_start_without_threads_fails),
    TEST(a_start_that_fails_changes_nothing),
    TEST(a_submit_without_any_thread_fails),
    TEST(a_submit_with_one_thread_queues),
    TEST(a_resize_without_threads_fails),
};

HARNESS_MAIN_WARM("crew", tests, warm_up)
