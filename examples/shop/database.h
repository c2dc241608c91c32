/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHOP_DATABASE_H
#define SHOP_DATABASE_H

/*
 * database.h: the store, called from coroutines.
 *
 * Each thread of an affinity pool has a connection, from the thread's start to
 * its exit. A call runs on one of these threads: any free one, or, in a
 * transaction, always the same.
 */

#include <apr_pools.h>

#include <brood.h>

#include "store.h"

/* The pool of threads that have connections. */
typedef struct database_t database_t;

/* Where the statements of a transaction ran. */
typedef struct trace_t {
    int statements;
    int connection;     /* number of the connection; 0: none yet */
    const void *thread; /* tells the thread */
    int split;          /* another thread or connection was seen */
} trace_t;

/*
 * Make the pool. `threads` 0: brood's default. `astray`: let every call of a
 * transaction step out of it, which is what happens without a library like
 * brood: to see what it is good for, and that the checks notice.
 */
apr_status_t database_create(database_t **database, store_t *store, int threads,
                             int astray, apr_pool_t *pool);

/* Let the calls end, close the connections. */
apr_status_t database_stop(database_t *database);

/* For transactions. */
brood_affinity_pool_t *database_threads(database_t *database);

/* In a coroutine: call `fn` on a thread that has a connection, and wait. */
apr_status_t database_call(database_t *database, const char *name,
                           brood_task_fn *fn, void *baton);

/* In such a call: the thread's connection, noted in `trace` (may be NULL). */
store_conn_t *database_here(trace_t *trace);

/* The same, for a call that starts something: connects again if need be. */
apr_status_t database_ready(store_conn_t **conn, trace_t *trace);

/* In such a call: log why `what` failed, if that was the database's doing.
 * Returns `status`. database_call() does it for its `fn`. */
apr_status_t database_judge(const char *what, apr_status_t status);

#endif /* SHOP_DATABASE_H */
