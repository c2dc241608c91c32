/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHOP_STORE_H
#define SHOP_STORE_H

/*
 * store.h: what the shop asks of its database, and nothing else.
 *
 * Plain blocking calls that know nothing of brood. A connection belongs to one
 * thread. Values never become part of a statement's text: they are bound.
 */

#include <stdint.h>

#include <apr_errno.h>
#include <apr_pools.h>

/* Another writer, or the server, took too long: try again later. */
#define STORE_EBUSY (APR_OS_START_USERERR + 1)
/* The connection is gone; the next store_revive() makes a new one. */
#define STORE_ELOST (APR_OS_START_USERERR + 2)
/* The database refused a statement; store_error() has its words. */
#define STORE_EQUERY (APR_OS_START_USERERR + 3)
/* The URL is none, or names a database that this build does not know. */
#define STORE_EURL (APR_OS_START_USERERR + 4)

/* A database: its URL and what its connections share. */
typedef struct store_t store_t;

/* One connection. */
typedef struct store_conn_t store_conn_t;

typedef struct store_item_t {
    int64_t id;
    const char *name; /* good until the callback returns */
    int64_t price;    /* cents */
    int64_t stock;
} store_item_t;

/* Shown one item; anything but APR_SUCCESS ends the walk and is returned. */
typedef apr_status_t store_item_fn(const store_item_t *item, void *baton);

/* What must hold at every moment: initial == stock + sold, sold == ordered,
 * and `wrong`, the number of items for which that is not so, is 0. */
typedef struct store_sums_t {
    int64_t initial;
    int64_t stock;
    int64_t sold;
    int64_t ordered;
    int64_t orders;
    int64_t wrong;
} store_sums_t;

/*
 * Name a database: "sqlite:PATH" or "postgresql://...". Nothing is opened yet.
 * STORE_EURL: not one of these.
 */
apr_status_t store_create(store_t **store, const char *url, apr_pool_t *pool);

/* Make the tables and the goods, unless they are there. On failure `error` says
 * why. */
apr_status_t store_furnish(store_t *store, char *error, apr_size_t len);

/* Connect. On failure *conn is NULL and `error` says why. */
apr_status_t store_open(store_conn_t **conn, store_t *store, char *error,
                        apr_size_t len);

/* Accepts NULL; an open transaction is rolled back. */
void store_close(store_conn_t *conn);

/* Connect again if the connection was lost. */
apr_status_t store_revive(store_conn_t *conn);

/* The words of the last failure. */
const char *store_error(const store_conn_t *conn);

/*
 * Transactions. A begin waits for other writers, up to five seconds, then
 * STORE_EBUSY. A commit that failed has been rolled back, except after
 * STORE_ELOST, when nobody knows. A rollback outside one does nothing.
 */
apr_status_t store_begin(store_conn_t *conn);
apr_status_t store_commit(store_conn_t *conn);
apr_status_t store_rollback(store_conn_t *conn);
int store_in_transaction(const store_conn_t *conn);

/* All items, in order of their ids. */
apr_status_t store_items(store_conn_t *conn, store_item_fn *fn, void *baton);

/* One item. APR_ENOENT: there is none of that id. */
apr_status_t store_item(store_conn_t *conn, int64_t id, store_item_fn *fn,
                        void *baton);

/* The steps of an order. APR_ENOENT: no such item, or not enough of it. */
apr_status_t store_take(store_conn_t *conn, int64_t item, int64_t quantity);
apr_status_t store_sell(store_conn_t *conn, int64_t item, int64_t quantity);
apr_status_t store_order(store_conn_t *conn, int64_t item, int64_t quantity,
                         int64_t total, int64_t *id);

/* The books, as of one moment. */
apr_status_t store_sums(store_conn_t *conn, store_sums_t *sums);

#endif /* SHOP_STORE_H */
