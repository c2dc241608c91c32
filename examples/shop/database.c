/* SPDX-License-Identifier: Apache-2.0 */

/* database.c: a pool of threads that each have a connection. */

#include "database.h"

#include "metrics.h"
#include "shop.h"

struct database_t {
    store_t *store;
    brood_affinity_pool_t *threads;
    int astray;
};

/* The connection of this thread, and its number. */
static _Thread_local store_conn_t *tl_conn;
static _Thread_local int tl_number;

/* --- Hooks of the affinity pool ------------------------------------------ */

static apr_status_t open_connection(void *baton)
{
    database_t *database = baton;
    char error[256] = "";
    apr_status_t rv;

    rv = store_open(&tl_conn, database->store, error, sizeof(error));
    if (rv != APR_SUCCESS) {
        shop_log("cannot connect to the database: %s", error);
        return rv;
    }
    tl_number = metrics_connection_opened();
    return APR_SUCCESS;
}

static void close_connection(void *baton)
{
    (void)baton;
    store_close(tl_conn);
    tl_conn = NULL;
    metrics_connection_closed();
}

/* A context is over, and its thread will serve others: nothing may be left. */
static void leave_clean(const char *context_id, void *baton)
{
    (void)baton;
    if (!store_in_transaction(tl_conn))
        return;
    shop_log("context %s left a transaction open: rolling back", context_id);
    metrics_left_open();
    store_rollback(tl_conn);
}

/* --- The pool ------------------------------------------------------------ */

apr_status_t database_create(database_t **database, store_t *store, int threads,
                             int astray, apr_pool_t *pool)
{
    brood_affinity_pool_options_t options = BROOD_AFFINITY_POOL_OPTIONS_INIT;
    database_t *d = apr_pcalloc(pool, sizeof(*d));

    d->store = store;
    d->astray = astray;
    options.max_threads = threads;
    options.keep_general_threads = 1; /* connections are dear */
    options.on_thread_start = open_connection;
    options.on_thread_exit = close_connection;
    options.on_context_end = leave_clean;
    options.hook_baton = d;
    *database = d;
    return brood_affinity_pool_create(&d->threads, &options, pool);
}

apr_status_t database_stop(database_t *database)
{
    return brood_affinity_pool_shutdown(database->threads, BROOD_STOP_DRAIN,
                                        apr_time_from_sec(30));
}

brood_affinity_pool_t *database_threads(database_t *database)
{
    return database->threads;
}

/* --- Calls --------------------------------------------------------------- */

/* A call on its way to a thread. */
typedef struct {
    const char *name;
    brood_task_fn *fn;
    void *baton;
} call_t;

static apr_status_t do_call(void *baton, void **result)
{
    call_t *call = baton;

    return database_judge(call->name, call->fn(call->baton, result));
}

apr_status_t database_judge(const char *what, apr_status_t status)
{
    if (status == STORE_EBUSY || status == STORE_ELOST
        || status == STORE_EQUERY)
        shop_log("cannot %s: %s", what, store_error(tl_conn));
    return status;
}

apr_status_t database_call(database_t *database, const char *name,
                           brood_task_fn *fn, void *baton)
{
    call_t call = { name, fn, baton };
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;
    brood_task_options_t task = BROOD_TASK_OPTIONS_INIT;
    brood_transaction_t *left = NULL;
    brood_future_t *future;
    apr_status_t rv;

    task.name = name;
    task.flags = BROOD_TASK_QUIET; /* every status is read below */
    options.pool = database->threads;
    options.task = &task;
    if (database->astray)
        brood_transaction_suspend(&left);
    rv = brood_sync_to_async(&future, do_call, &call, &options);
    if (left)
        brood_transaction_resume(left);
    if (rv != APR_SUCCESS)
        return rv;

    /* Also when we are canceled: until it ends, the call uses our stack. */
    do
        rv = brood_future_wait(future, -1);
    while (rv == BROOD_EINTERRUPTED);
    if (rv == APR_SUCCESS)
        rv = brood_future_result(future, NULL);
    brood_future_release(future);
    return rv;
}

store_conn_t *database_here(trace_t *trace)
{
    if (!trace)
        return tl_conn;
    if (trace->statements++ == 0) {
        trace->connection = tl_number;
        trace->thread = &tl_conn;
    } else if (trace->connection != tl_number || trace->thread != &tl_conn)
        trace->split = 1;
    return tl_conn;
}

apr_status_t database_ready(store_conn_t **conn, trace_t *trace)
{
    *conn = database_here(trace);
    return store_revive(*conn);
}
