/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHOP_STORE_DRIVER_H
#define SHOP_STORE_DRIVER_H

/*
 * store_driver.h: what store.c asks of one kind of database.
 *
 * To add a kind, fill a store_driver_t and name it in store.c.
 */

#include "store.h"

/*
 * Every statement with values, once, for all kinds of databases. The first
 * place of $1 comes before that of $2, and so on: SQLite counts them that way.
 */
#define STORE_STATEMENTS(XX)                                                   \
    XX(ITEMS, "SELECT id, name, price, stock FROM items ORDER BY id")          \
    XX(ITEM, "SELECT id, name, price, stock FROM items WHERE id = $1")         \
    XX(TAKE, "UPDATE items SET stock = stock - $1"                             \
             " WHERE id = $2 AND stock >= $1")                                 \
    XX(SELL, "UPDATE sales SET sold = sold + $1 WHERE item = $2")              \
    XX(ORDER, "INSERT INTO orders (item, quantity, total)"                     \
              " VALUES ($1, $2, $3) RETURNING id")                             \
    XX(SUMS,                                                                   \
       "SELECT (SELECT CAST(sum(initial) AS BIGINT) FROM items),"              \
       " (SELECT CAST(sum(stock) AS BIGINT) FROM items),"                      \
       " (SELECT CAST(sum(sold) AS BIGINT) FROM sales),"                       \
       " (SELECT CAST(coalesce(sum(quantity), 0) AS BIGINT) FROM orders),"     \
       " (SELECT count(*) FROM orders),"                                       \
       " (SELECT count(*) FROM items"                                          \
       " JOIN sales ON sales.item = items.id"                                  \
       " LEFT JOIN (SELECT item, sum(quantity) AS ordered FROM orders"         \
       " GROUP BY item) o ON o.item = items.id"                                \
       " WHERE stock + sold <> initial"                                        \
       " OR sold <> coalesce(ordered, 0))")

typedef enum {
#define STORE_STATEMENT_ID(name, sql) STORE_##name,
    STORE_STATEMENTS(STORE_STATEMENT_ID)
#undef STORE_STATEMENT_ID
        STORE_N_STATEMENTS
} store_statement_e;

extern const char *const store_sql[STORE_N_STATEMENTS];

/* Shown one row, each column as text, NULL for SQL's NULL. */
typedef apr_status_t store_row_fn(const char *const *columns, void *baton);

/* A statement to run and where its rows go. */
typedef struct store_query_t {
    store_statement_e statement;
    const int64_t *values;
    int n_values;
    store_row_fn *row; /* NULL: it has no rows */
    void *baton;
    int64_t changed; /* out: rows that it changed or returned */
} store_query_t;

typedef struct store_driver_t {
    const char *serial; /* the type of an id that counts by itself */
    apr_status_t (*create)(store_t *store, apr_pool_t *pool);
    apr_status_t (*connect)(store_conn_t *conn);
    void (*disconnect)(store_conn_t *conn);
    int (*is_lost)(const store_conn_t *conn);
    apr_status_t (*command)(store_conn_t *conn, const char *sql);
    apr_status_t (*run)(store_conn_t *conn, store_query_t *query);
    apr_status_t (*begin)(store_conn_t *conn);
    apr_status_t (*commit)(store_conn_t *conn);
    apr_status_t (*rollback)(store_conn_t *conn);
    int (*in_transaction)(const store_conn_t *conn);
} store_driver_t;

struct store_t {
    const store_driver_t *driver;
    const char *where; /* the path or the whole URL, as the driver wants it */
    int may_create;    /* a file that is not there */
    void *shared;      /* the driver's, from create() */
};

struct store_conn_t {
    store_t *store;
    void *native; /* the driver's, from connect(); NULL: not connected */
    char error[256];
};

/* Note why something failed, without line ends. Returns `status`. */
apr_status_t store_failed(store_conn_t *conn, apr_status_t status,
                          const char *text);

extern const store_driver_t store_sqlite;
#ifdef SHOP_POSTGRESQL
extern const store_driver_t store_pgsql;
#endif

#endif /* SHOP_STORE_DRIVER_H */
