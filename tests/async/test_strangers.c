/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_strangers.c: calls from threads that brood has not seen, where the n-th
 * request for memory, or for a thread, fails, for every n. Each then says so or
 * succeeds, and loses nothing.
 */

#include "async/fixture.h"

#include <stdio.h>

#include "process/tasks.h"

#define MOST 200 /* requests of one call */

static brood_thread_manager_t *g_pool;
static brood_loop_manager_t *g_loop;
static brood_process_manager_t *g_workers;
static brood_affinity_pool_t *g_affinity;
static brood_context_key_t *g_key;
static brood_lineage_t *g_place;
static brood_promise_t *g_promise;
static brood_future_t *g_pending;
static apr_pool_t *g_memory;
static _Thread_local brood_future_t *tl_made; /* to be waited for at the end */

static const brood_process_entry_t table[] = { { "echo", task_echo },
                                               { NULL, NULL } };

static apr_status_t nothing(void *unused, void **value)
{
    (void)unused;
    (void)value;
    return APR_SUCCESS;
}

static void nothing_posted(void *unused)
{
    (void)unused;
}

static void nothing_noticed(brood_future_t *future, void *unused)
{
    (void)future;
    (void)unused;
}

/* ---- the calls; each takes back what it has made ------------------------------- */

static apr_status_t get_threads(void)
{
    brood_thread_manager_t *m;

    return brood_thread_manager_get(&m, "mine", BROOD_GET_FORCE_CREATE);
}

static apr_status_t get_loop(void)
{
    brood_loop_manager_t *m;

    return brood_loop_manager_get(&m, "mine", BROOD_GET_FORCE_CREATE);
}

static apr_status_t get_processes(void)
{
    brood_process_manager_t *m;

    return brood_process_manager_get(&m, "mine", BROOD_GET_FORCE_CREATE);
}

static apr_status_t submit_plain(void)
{
    return brood_thread_manager_submit(NULL, g_pool, nothing, NULL, NULL);
}

static apr_status_t submit_one(void)
{
    return brood_thread_manager_submit(&tl_made, g_pool, nothing, NULL, NULL);
}

static apr_status_t submit_urgent(void)
{
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;

    options.priority = BROOD_PRIORITY_HIGH;
    return brood_thread_manager_submit(&tl_made, g_pool, nothing, NULL,
                                       &options);
}

static apr_status_t submit_three(void)
{
    static const brood_task_t tasks[3] = { { nothing, NULL },
                                           { nothing, NULL },
                                           { nothing, NULL } };

    return brood_thread_manager_submit_many(NULL, g_pool, tasks, 3, NULL);
}

static apr_status_t map(void)
{
    static char array[10];

    return brood_thread_manager_map(&tl_made, g_pool, nothing, array, 10, 1, 1,
                                    NULL);
}

static apr_status_t submit_to_loop(void)
{
    return brood_loop_manager_submit(&tl_made, g_loop, nothing, NULL, NULL);
}

static apr_status_t submit_to_loop_later(void)
{
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;

    options.delay = 1;
    return brood_loop_manager_submit(&tl_made, g_loop, nothing, NULL, &options);
}

static apr_status_t post(void)
{
    return brood_loop_manager_post(g_loop, nothing_posted, NULL);
}

static apr_status_t submit_to_process(void)
{
    return brood_process_manager_submit(&tl_made, g_workers, "echo", "x", 1,
                                        NULL);
}

static apr_status_t submit_with_affinity(void)
{
    apr_status_t rv = brood_affinity_pool_submit(&tl_made, g_affinity, "mine",
                                                 nothing, NULL, NULL);

    if (rv == APR_SUCCESS)
        rv = brood_affinity_pool_release(g_affinity, "mine");
    return rv;
}

static apr_status_t use(void)
{
    return brood_affinity_pool_use(g_affinity);
}

static apr_status_t sync_to_async(void)
{
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;

    options.pool = g_affinity;
    return brood_sync_to_async(&tl_made, nothing, NULL, &options);
}

static apr_status_t one_transaction(void)
{
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;

    options.pool = g_affinity;
    options.flags = BROOD_TRANSACTIONAL;
    return brood_sync_to_async(&tl_made, nothing, NULL, &options);
}

static apr_status_t async_to_sync(void)
{
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;

    options.loop = g_loop;
    return brood_async_to_sync(NULL, nothing, NULL, &options);
}

static apr_status_t transaction(void)
{
    brood_transaction_options_t options = BROOD_TRANSACTION_OPTIONS_INIT;
    brood_transaction_t *made;
    apr_status_t rv;

    options.pool = g_affinity;
    rv = brood_transaction_begin(&made, &options);
    return rv == APR_SUCCESS ? brood_transaction_end(made, rv) : rv;
}

static apr_status_t capture(void)
{
    brood_lineage_t *place;
    apr_status_t rv = brood_lineage_capture(&place);

    if (rv == APR_SUCCESS)
        (void)brood_lineage_release(place);
    return rv;
}

static apr_status_t attach(void)
{
    apr_status_t rv = brood_lineage_attach(g_place);

    if (rv == APR_SUCCESS)
        brood_lineage_detach();
    return rv;
}

static apr_status_t serial(void)
{
    return brood_lineage_serial() ? APR_SUCCESS : APR_ENOMEM;
}

static int count_node(const brood_lineage_info_t *info, void *n)
{
    (void)info;
    ++*(int *)n;
    return 0;
}

static apr_status_t show_tree(void)
{
    int n = 0;
    apr_status_t rv = brood_lineage_each(count_node, &n);

    return rv == APR_SUCCESS && n == 0 ? APR_EGENERAL : rv;
}

static apr_status_t set(void)
{
    apr_status_t rv = brood_context_set(g_key, &g_key, NULL);

    return brood_context_get(g_key)
                   == (rv == APR_SUCCESS ? (void *)&g_key : NULL)
               ? rv
               : APR_EGENERAL;
}

static apr_status_t promise(void)
{
    brood_promise_t *made;
    apr_status_t rv = brood_promise_make(&made, &tl_made, NULL);

    return rv == APR_SUCCESS ? brood_promise_settle(made, rv, NULL) : rv;
}

static apr_status_t all(void)
{
    brood_future_t *made;
    apr_status_t rv = brood_future_all(&made, &g_pending, 1);

    if (rv == APR_SUCCESS)
        (void)brood_future_release(made);
    return rv;
}

static apr_status_t wait_any(void)
{
    brood_future_t *many[100];
    apr_size_t i, index;
    apr_status_t rv;

    for (i = 0; i < 100; i++)
        many[i] = g_pending;
    rv = brood_future_wait_any(many, 100, &index, 1);
    return rv == APR_TIMEUP ? APR_SUCCESS : rv;
}

static apr_status_t notify_thread(void)
{
    brood_target_t where = BROOD_TARGET_INIT;

    where.threads = g_pool;
    return brood_future_notify(g_pending, &where, nothing_noticed, NULL);
}

static apr_status_t notify_loop(void)
{
    brood_target_t where = BROOD_TARGET_INIT;

    where.loop = g_loop;
    return brood_future_notify(g_pending, &where, nothing_noticed, NULL);
}

static void *APR_THREAD_FUNC do_nothing(apr_thread_t *thread, void *unused)
{
    (void)thread;
    return unused;
}

static apr_status_t create_thread(void)
{
    apr_thread_t *thread;
    apr_status_t how,
        rv = brood_thread_create(&thread, NULL, do_nothing, NULL, g_memory);

    if (rv == APR_SUCCESS)
        (void)apr_thread_join(&how, thread); /* what it says differs */
    return rv;
}

static apr_status_t swallow(const char *text, apr_size_t len, void *unused)
{
    (void)text;
    (void)len;
    (void)unused;
    return APR_SUCCESS;
}

static apr_status_t write_metrics(void)
{
    return brood_observe_prometheus(swallow, NULL);
}

static const struct {
    const char *name;
    apr_status_t (*fn)(void);
} calls[] = {
#define CALL(fn)                                                               \
    {                                                                          \
#fn, fn                                                                \
    }
    CALL(get_threads),
    CALL(get_loop),
    CALL(get_processes),
    CALL(submit_plain),
    CALL(submit_one),
    CALL(submit_urgent),
    CALL(submit_three),
    CALL(map),
    CALL(submit_to_loop),
    CALL(submit_to_loop_later),
    CALL(post),
    CALL(submit_to_process),
    CALL(submit_with_affinity),
    CALL(use),
    CALL(sync_to_async),
    CALL(one_transaction),
    CALL(async_to_sync),
    CALL(transaction),
    CALL(capture),
    CALL(attach),
    CALL(serial),
    CALL(show_tree),
    CALL(set),
    CALL(promise),
    CALL(all),
    CALL(wait_any),
    CALL(notify_thread),
    CALL(notify_loop),
    CALL(create_thread),
    CALL(write_metrics),
#undef CALL
};

/* ---- the strangers -------------------------------------------------------------- */

typedef struct stranger_t {
    apr_status_t (*fn)(void);
    brood__fault_e kind;
    unsigned n; /* the request that fails */
    int hit;    /* it came to that */
    apr_status_t rv, ended;
} stranger_t;

static int is_vacant(void)
{
    census_t census = { 0, 0, 0, 0 };

    return brood_affinity_pool_each(g_affinity, count_thread, &census)
               == APR_SUCCESS
           && census.leased == 0;
}

static void *live(void *baton)
{
    stranger_t *stranger = baton;

    tl_made = NULL;
    brood__fault_at(stranger->kind, stranger->n);
    stranger->rv = stranger->fn();
    stranger->hit = !brood__fault_pending(stranger->kind);
    brood__fault_at(stranger->kind, 0);
    stranger->ended = tl_made ? brood_future_get(tl_made, NULL, -1)
                              : APR_SUCCESS;
    if (stranger->rv != APR_SUCCESS && tl_made)
        stranger->rv = APR_EGENERAL; /* nothing must have been made */
    (void)brood_future_release(tl_made);
    /* A context that was given back ends later; there are few threads. */
    while (!is_vacant())
        brood__os_yield();
    return NULL;
}

/* How often it failed with `why`; -1: also in another way, or without end. */
static int walk(apr_status_t (*fn)(void), brood__fault_e kind, apr_status_t why)
{
    stranger_t stranger = { fn, kind, 0, 1, APR_SUCCESS, APR_SUCCESS };
    int failed = 0, odd = 0;
    pthread_t thread;

    while (stranger.hit && stranger.n++ < MOST) {
        if (pthread_create(&thread, NULL, live, &stranger))
            return -1;
        (void)pthread_join(thread, NULL);
        failed += stranger.rv == why;
        odd += (stranger.rv != APR_SUCCESS && stranger.rv != why)
               || (stranger.ended != APR_SUCCESS && stranger.ended != why);
    }
    return odd || stranger.n > MOST ? -1 : failed;
}

static void set_up(void)
{
    brood_affinity_pool_options_t affinity = BROOD_AFFINITY_POOL_OPTIONS_INIT;
    brood_process_manager_options_t processes =
        BROOD_PROCESS_MANAGER_OPTIONS_INIT;

    affinity.max_threads = processes.max_workers = 2;
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_initialize());
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_get(&g_pool, NULL, 0));
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_start(g_pool, NULL));
    ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_get(&g_loop, NULL, 0));
    ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_start(g_loop, NULL));
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_get(&g_workers, NULL, 0));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_process_manager_start(g_workers, &processes));
    ASSERT_STATUS(APR_SUCCESS, brood_affinity_pool_create(
                                   &g_affinity, &affinity, test_pool));
    ASSERT_STATUS(APR_SUCCESS, brood_context_key_make(&g_key, "key"));
    ASSERT_STATUS(APR_SUCCESS, brood_lineage_capture(&g_place));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_promise_make(&g_promise, &g_pending, NULL));
    ASSERT_STATUS(APR_SUCCESS, apr_pool_create(&g_memory, NULL));
}

static void tear_down(void)
{
    ASSERT_STATUS(APR_SUCCESS,
                  brood_promise_settle(g_promise, APR_SUCCESS, NULL));
    (void)brood_future_release(g_pending);
    (void)brood_lineage_release(g_place);
    apr_pool_destroy(g_memory);
    brood_terminate();
}

/* Each call needs memory; some need a thread. */
static void every_call_of_a_stranger_may_be_refused(void)
{
    size_t i;

    set_up();
    for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        const int memory = walk(calls[i].fn, BROOD__FAULT_MEMORY, APR_ENOMEM);
        const int thread = walk(calls[i].fn, BROOD__FAULT_THREAD, APR_EAGAIN);

        if (memory <= 0 || thread < 0)
            fprintf(stderr, "%s: %d, %d\n", calls[i].name, memory, thread);
        CU_ASSERT(memory > 0 && thread >= 0);
    }
    tear_down();
}

static const test_t tests[] = {
    TEST(every_call_of_a_stranger_may_be_refused),
};

PROCESS_MAIN_BARE("strangers", tests, table)
