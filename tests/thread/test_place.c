/* SPDX-License-Identifier: Apache-2.0 */

/* test_place.c: where tasks stand, and what becomes of managers whose owner has
 * gone. */

#include <stdlib.h>

#include "thread/pool.h"

static pool_t *g_pool;
static brood_context_key_t *g_key;

typedef struct look_t {
    pool_t *found;
    void *value; /* of the context variable */
    apr_status_t rv;
} look_t;

static apr_status_t look(void *baton, void **value)
{
    look_t *seen = baton;

    (void)value;
    seen->rv = brood_thread_manager_get(&seen->found, "mine", BROOD_GET_STRICT);
    seen->value = brood_context_get(g_key);
    return APR_SUCCESS;
}

/* Made in a task: found by what that task submits, and by nobody else. */
static apr_status_t make_then_submit(void *baton, void **value)
{
    look_t *seen = baton;
    pool_t *mine = NULL;
    brood_future_t *future = NULL;
    apr_status_t rv;

    rv = brood_thread_manager_get(&mine, "mine", 0);
    (void)brood_context_set(g_key, seen, NULL);
    if (rv == APR_SUCCESS)
        rv = brood_thread_manager_submit(&future, g_pool, look, seen, NULL);
    if (rv == APR_SUCCESS)
        rv = brood_future_get(future, NULL, FOREVER);
    brood_future_release(future);
    *value = mine;
    return rv;
}

static void a_task_stands_where_its_submitter_does(void)
{
    look_t seen[2] = { { NULL, NULL, APR_EGENERAL },
                       { NULL, NULL, APR_EGENERAL } };
    brood_future_t *future;
    void *mine = NULL;
    int i;

    ASSERT_STATUS(APR_SUCCESS, brood_context_key_make(&g_key, "place"));
    g_pool = pool_of(1, 2);
    for (i = 0; i < 100; i++) {
        future = submit(g_pool, make_then_submit, &seen[0]);
        ASSERT_STATUS(APR_SUCCESS, brood_future_get(future, &mine, FOREVER));
        ASSERT_STATUS(APR_SUCCESS, seen[0].rv);
        CU_ASSERT_PTR_EQUAL(seen[0].found, mine);
        CU_ASSERT_PTR_EQUAL(seen[0].value, &seen[0]);
        brood_future_release(future);
        /* Nothing is left to the next task of that worker. */
        ASSERT_STATUS(APR_SUCCESS, outcome(submit(g_pool, look, &seen[1])));
        ASSERT_STATUS(BROOD_ENOTFOUND, seen[1].rv);
        CU_ASSERT_PTR_NULL(seen[1].value);
    }
    drain_and_leave(g_pool);
}

static apr_status_t get_at_owner(void *unused, void **value)
{
    pool_t *found = NULL;
    apr_status_t rv = brood_thread_manager_get(&found, "shared",
                                               BROOD_GET_AT_OWNER);

    (void)unused;
    *value = found;
    return rv;
}

static void at_owner_makes_it_for_later_tasks(void)
{
    brood_future_t *futures[2];
    void *found[2] = { NULL, NULL };
    int i;

    g_pool = pool_of(1, 1);
    for (i = 0; i < 2; i++) {
        futures[i] = submit(g_pool, get_at_owner, NULL);
        ASSERT_STATUS(APR_SUCCESS,
                      brood_future_get(futures[i], &found[i], FOREVER));
        brood_future_release(futures[i]);
    }
    CU_ASSERT(found[0] && found[0] == found[1]);
    CU_ASSERT_EQUAL(brood_thread_manager_owner_serial(found[0]),
                    brood_thread_manager_owner_serial(g_pool));
    drain_and_leave(g_pool);
}

/* ---- a thread that makes a manager and goes ------------------------------- */

typedef struct legacy_t {
    options_t options;
    unsigned n;
    stopper_t stopper;
    atomic_int ran;
    brood_future_t *futures[20];
    pool_t *kept;
} legacy_t;

/* A manager with a task in the way and some behind it; then the owner ends. */
static void *leave_a_manager(void *baton)
{
    legacy_t *legacy = baton;
    pool_t *pool = NULL;
    unsigned i;

    (void)brood_thread_manager_get(&pool, "legacy", 0);
    (void)brood_thread_manager_start(pool, &legacy->options);
    (void)brood_thread_manager_submit(NULL, pool, be_in_the_way,
                                      &legacy->stopper, NULL);
    door_wait(&legacy->stopper.begun);
    for (i = 0; i < legacy->n; i++)
        (void)brood_thread_manager_submit(&legacy->futures[i], pool, count,
                                          &legacy->ran, NULL);
    legacy->kept = brood_thread_manager_retain(pool);
    return NULL;
}

static void inherit(legacy_t *legacy, int daemon, unsigned n)
{
    memset(legacy, 0, sizeof(*legacy));
    legacy->options = options_of(1, 1);
    legacy->options.daemon = daemon;
    legacy->n = n;
    stopper_init(&legacy->stopper);
    on_foreign_thread(leave_a_manager, legacy);
}

/* Queued tasks keep their submitter's node alive: they all run. */
static void queued_tasks_keep_the_owner_alive(void)
{
    static const int daemons[] = { 0, 1 };
    legacy_t legacy;
    unsigned i, k;

    for (k = 0; k < COUNT(daemons); k++) {
        inherit(&legacy, daemons[k], 20);
        CU_ASSERT(brood_thread_manager_is_running(legacy.kept));
        door_open(&legacy.stopper.go);
        for (i = 0; i < 20; i++)
            ASSERT_STATUS(APR_SUCCESS, outcome(legacy.futures[i]));
        CU_ASSERT_EQUAL(brood__load(&legacy.ran, relaxed), 20);
        WAIT_UNTIL(!brood_thread_manager_is_running(legacy.kept));
        brood_thread_manager_release(legacy.kept);
        stopper_fini(&legacy.stopper);
        leave_tree();
    }
}

static void never_called(brood_future_t *future, void *unused)
{
    (void)future;
    (void)unused;
    abort();
}

/* Also those calls that have nothing to do on a stopped one. */
static void refuses_to_stop(pool_t *pool)
{
    brood_stats_t stats = BROOD_STATS_INIT;

    ASSERT_STATUS(BROOD_ESTOPPED,
                  brood_thread_manager_stop(pool, BROOD_STOP_DRAIN, FOREVER));
    ASSERT_STATUS(BROOD_ESTOPPED,
                  brood_thread_manager_stop(pool, BROOD_STOP_CANCEL, 0));
    ASSERT_STATUS(BROOD_ESTOPPED,
                  brood_thread_manager_wait_idle(pool, FOREVER));
    ASSERT_STATUS(BROOD_ESTOPPED, brood_thread_manager_stats(pool, &stats));
}

/* Of a collected manager only the memory is left. */
static void a_collected_manager_refuses_everything(void)
{
    brood_target_t where = BROOD_TARGET_INIT;
    brood_promise_t *promise;
    brood_future_t *future;
    legacy_t legacy;
    char line[100];
    pool_t *pool;

    inherit(&legacy, 0, 0);
    pool = legacy.kept;
    door_open(&legacy.stopper.go);
    WAIT_UNTIL(!brood_thread_manager_is_running(pool));
    (void)brood__collector_wait(-1);
    ASSERT_STATUS(BROOD_ESTOPPED, brood_thread_manager_submit(
                                      &future, pool, nothing, NULL, NULL));
    ASSERT_STATUS(BROOD_ESTOPPED, brood_thread_manager_start(pool, NULL));
    ASSERT_STATUS(BROOD_ESTOPPED, brood_thread_manager_resize(pool, 1, 1));
    ASSERT_STATUS(
        BROOD_ESTOPPED,
        brood_thread_manager_map(NULL, pool, nothing, line, 1, 1, 0, NULL));
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_promise_make(&promise, &future, NULL));
    where.threads = pool;
    ASSERT_STATUS(BROOD_ESTOPPED,
                  brood_future_notify(future, &where, never_called, NULL));
    refuses_to_stop(pool);
    brood_promise_release(promise);
    brood_future_release(future);
    CU_ASSERT_STRING_EQUAL(brood_thread_manager_id(pool), "legacy");
    CU_ASSERT(strstr(brood_thread_manager_describe(pool, line, sizeof(line)),
                     "<thread manager 'legacy': 0 workers, owner #")
              == line);
    brood_thread_manager_release(pool);
    stopper_fini(&legacy.stopper);
    leave_tree();
}

/* Never started, and collected: nothing to start any more. */
static void *get_and_keep(void *kept)
{
    pool_t *pool = NULL;

    (void)brood_thread_manager_get(&pool, "never", 0);
    *(pool_t **)kept = brood_thread_manager_retain(pool);
    return NULL;
}

static void one_that_never_ran_is_stopped_too(void)
{
    pool_t *pool = NULL;

    on_foreign_thread(get_and_keep, &pool);
    (void)brood__collector_wait(-1);
    ASSERT_STATUS(BROOD_ESTOPPED, brood_thread_manager_start(pool, NULL));
    ASSERT_STATUS(BROOD_ESTOPPED,
                  brood_thread_manager_submit(NULL, pool, nothing, NULL, NULL));
    ASSERT_STATUS(BROOD_ESTOPPED, brood_thread_manager_resize(pool, 1, 1));
    refuses_to_stop(pool);
    brood_thread_manager_release(pool);
    leave_tree();
}

static apr_status_t wait_until_canceled(void *begun, void **value)
{
    (void)value;
    door_open(begun);
    while (!brood_task_canceled())
        brood__os_yield();
    return BROOD_ECANCELED;
}

/* Its own process: the library ends while a task runs. */
static int terminate_with_a_daemon(void *unused)
{
    options_t options = options_of(1, 1);
    brood_future_t *queued = NULL;
    atomic_int counter = 0;
    pool_t *pool = NULL;
    door_t begun;

    (void)unused;
    door_init(&begun);
    options.daemon = 1;
    if (brood_initialize() != APR_SUCCESS
        || brood_thread_manager_get(&pool, NULL, 0) != APR_SUCCESS
        || brood_thread_manager_start(pool, &options) != APR_SUCCESS
        || brood_thread_manager_submit(NULL, pool, wait_until_canceled, &begun,
                                       NULL)
               != APR_SUCCESS)
        return 1;
    door_wait(&begun);
    if (brood_thread_manager_submit(&queued, pool, count, &counter, NULL)
        != APR_SUCCESS)
        return 2;
    brood_terminate();
    return brood__load(&counter, relaxed) != 0;
}

static int terminate_without_a_daemon(void *unused)
{
    options_t options = options_of(1, 1);
    atomic_int counter = 0;
    pool_t *pool = NULL;
    int i;

    (void)unused;
    if (brood_initialize() != APR_SUCCESS
        || brood_thread_manager_get(&pool, NULL, 0) != APR_SUCCESS
        || brood_thread_manager_start(pool, &options) != APR_SUCCESS)
        return 1;
    for (i = 0; i < 1000; i++)
        if (brood_thread_manager_submit(NULL, pool, count, &counter, NULL)
            != APR_SUCCESS)
            return 2;
    brood_terminate();
    return brood__load(&counter, relaxed) != 1000;
}

/* ---- a forked child -------------------------------------------------------- */

#define REFUSED(call) ((call) != BROOD_EFORKED)

static int use_in_child(void *pool)
{
    brood_task_options_t options = task_options();
    brood_task_t task = { nothing, NULL };
    brood_stats_t stats = BROOD_STATS_INIT;
    brood_future_t *future = (brood_future_t *)&stats;
    pool_t *other = NULL;
    int i, wrong = 0;

    options.priority = BROOD_PRIORITY_HIGH;
    for (i = 0; i < 200; i++)
        wrong += REFUSED(brood_thread_manager_submit(&future, pool, nothing,
                                                     NULL, NULL))
                 || future;
    wrong += REFUSED(
        brood_thread_manager_submit(NULL, pool, nothing, NULL, NULL));
    wrong += REFUSED(
        brood_thread_manager_submit(NULL, pool, nothing, NULL, &options));
    wrong += REFUSED(
        brood_thread_manager_submit_many(NULL, pool, &task, 1, NULL));
    wrong += REFUSED(
        brood_thread_manager_map(NULL, pool, nothing, &task, 1, 1, 0, NULL));
    wrong += REFUSED(brood_thread_manager_get(&other, NULL, 0));
    wrong += REFUSED(brood_thread_manager_start(pool, NULL));
    wrong += REFUSED(brood_thread_manager_resize(pool, 1, 1));
    wrong += REFUSED(brood_thread_manager_wait_idle(pool, FOREVER));
    wrong += REFUSED(
        brood_thread_manager_stop(pool, BROOD_STOP_DRAIN, FOREVER));
    wrong += REFUSED(brood_thread_manager_stats(pool, &stats));
    wrong += brood_thread_manager_is_running(pool);
    return wrong;
}

static void a_forked_child_is_refused_everything(void)
{
    atomic_int counter = 0;
    pool_t *pool;
    int i;

    TEST_NEEDS_FORK();
    pool = pool_of(2, 2);
    for (i = 0; i < 20; i++) {
        submit_plain(pool, count, &counter);
        CU_ASSERT_EQUAL(test_in_child(use_in_child, pool), 0);
    }
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(pool, nothing, NULL)));
    drain_and_leave(pool);
    CU_ASSERT_EQUAL(brood__load(&counter, relaxed), 20);
}

static uint64_t g_hook_serials[2];

static void note_serials(void *unused)
{
    (void)unused;
    g_hook_serials[0] = brood_lineage_serial();
    g_hook_serials[1] = brood_lineage_parent_serial();
}

/* It shows the owner's serials, though it is not the owner. */
static void a_hook_stands_at_the_managers_owner(void)
{
    options_t options = options_of(1, 1);
    pool_t *pool;

    options.on_worker_start = note_serials;
    pool = pool_with(&options);
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(pool, nothing, NULL)));
    CU_ASSERT_NOT_EQUAL(g_hook_serials[0], 0);
    CU_ASSERT_EQUAL(g_hook_serials[0], brood_lineage_serial());
    CU_ASSERT_EQUAL(g_hook_serials[0], brood_thread_manager_owner_serial(pool));
    CU_ASSERT_EQUAL(g_hook_serials[1], brood_lineage_parent_serial());
    drain_and_leave(pool);
}

static void to_unset_what_is_not_set_takes_nothing(void)
{
    brood_context_key_t *key = NULL;

    ASSERT_STATUS(APR_SUCCESS, brood_context_key_make(&key, "unset"));
    (void)brood_lineage_serial(); /* so that this thread is known */
    brood__fault_all(BROOD__FAULT_MEMORY);
    ASSERT_STATUS(APR_SUCCESS, brood_context_set(key, NULL, NULL));
    ASSERT_STATUS(APR_ENOMEM, brood_context_set(key, &key, NULL));
    brood__fault_at(BROOD__FAULT_MEMORY, 0);
    CU_ASSERT_PTR_NULL(brood_context_get(key));
    leave_tree();
}

static const test_t tests[] = {
    TEST_KEEPS(a_task_stands_where_its_submitter_does, KEEPS_MEMORY),
    TEST(at_owner_makes_it_for_later_tasks),
    TEST(queued_tasks_keep_the_owner_alive),
    TEST(a_collected_manager_refuses_everything),
    TEST(one_that_never_ran_is_stopped_too),
    TEST(a_forked_child_is_refused_everything),
    TEST(a_hook_stands_at_the_managers_owner),
    TEST_KEEPS(to_unset_what_is_not_set_takes_nothing, KEEPS_MEMORY),
};

/* These initialize by themselves, in a child that was forked before. */
static int g_ends[2];

static void the_end_drains_or_cancels(void)
{
    CU_ASSERT_EQUAL(g_ends[0], 0);
    CU_ASSERT_EQUAL(g_ends[1], 0);
}

int main(int argc, char **argv)
{
    test_t all[COUNT(tests) + 1];
    harness_t harness = {
        "place",         all,     COUNT(all), brood_initialize,
        brood_terminate, warm_up, NULL
    };

    g_ends[0] = test_in_child(terminate_with_a_daemon, NULL);
    g_ends[1] = test_in_child(terminate_without_a_daemon, NULL);
    memcpy(all, tests, sizeof(tests));
    all[COUNT(tests)] = (test_t)TEST(the_end_drains_or_cancels);
    return harness_main(&harness, argc, (const char *const *)argv);
}
