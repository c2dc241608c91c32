/* SPDX-License-Identifier: Apache-2.0 */

/* store.c: the shop's tables and statements, for any kind of database. */

#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "store_driver.h"

#define N_ITEMS 100

const char *const store_sql[STORE_N_STATEMENTS] = {
#define STORE_STATEMENT_SQL(name, sql) sql,
    STORE_STATEMENTS(STORE_STATEMENT_SQL)
#undef STORE_STATEMENT_SQL
};

/* The path or URL behind a prefix; NULL when `url` does not start with it. */
static const char *behind(const char *url, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncmp(url, prefix, len) == 0 && url[len] ? url + len : NULL;
}

apr_status_t store_create(store_t **store, const char *url, apr_pool_t *pool)
{
    store_t *s = apr_pcalloc(pool, sizeof(*s));

    *store = NULL;
    if (behind(url, "sqlite:")) {
        s->driver = &store_sqlite;
        s->where = apr_pstrdup(pool, behind(url, "sqlite:"));
        /* Each connection would see a database of its own. */
        if (strcmp(s->where, ":memory:") == 0)
            return STORE_EURL;
    }
#ifdef SHOP_POSTGRESQL
    if (behind(url, "postgresql://") || behind(url, "postgres://")) {
        s->driver = &store_pgsql;
        s->where = apr_pstrdup(pool, url);
    }
#endif
    if (!s->driver)
        return STORE_EURL;

    *store = s;
    return s->driver->create(s, pool);
}

apr_status_t store_failed(store_conn_t *conn, apr_status_t status,
                          const char *text)
{
    char *c;

    apr_cpystrn(conn->error, text && *text ? text : "no reason given",
                sizeof(conn->error));
    for (c = conn->error; *c; c++)
        if (*c == '\n' || *c == '\r' || *c == '\t')
            *c = ' ';
    while (c > conn->error && c[-1] == ' ')
        *--c = '\0';
    return status;
}

const char *store_error(const store_conn_t *conn)
{
    return conn->error;
}

/* --- Connections --------------------------------------------------------- */

apr_status_t store_open(store_conn_t **conn, store_t *store, char *error,
                        apr_size_t len)
{
    store_conn_t *c = calloc(1, sizeof(*c));
    apr_status_t rv;

    *conn = NULL;
    if (!c)
        return APR_ENOMEM;
    c->store = store;
    rv = store->driver->connect(c);
    if (rv != APR_SUCCESS) {
        apr_cpystrn(error, c->error, len);
        free(c);
        return rv;
    }
    *conn = c;
    return APR_SUCCESS;
}

void store_close(store_conn_t *conn)
{
    if (!conn)
        return;
    store_rollback(conn);
    conn->store->driver->disconnect(conn);
    free(conn);
}

apr_status_t store_revive(store_conn_t *conn)
{
    if (!conn->store->driver->is_lost(conn))
        return APR_SUCCESS;
    conn->store->driver->disconnect(conn);
    return conn->store->driver->connect(conn);
}

/* --- Transactions -------------------------------------------------------- */

apr_status_t store_begin(store_conn_t *conn)
{
    return conn->store->driver->begin(conn);
}

apr_status_t store_commit(store_conn_t *conn)
{
    return conn->store->driver->commit(conn);
}

apr_status_t store_rollback(store_conn_t *conn)
{
    if (!store_in_transaction(conn))
        return APR_SUCCESS;
    return conn->store->driver->rollback(conn);
}

int store_in_transaction(const store_conn_t *conn)
{
    return conn->store->driver->in_transaction(conn);
}

/* --- Tables and goods ---------------------------------------------------- */

static apr_status_t make_tables(store_conn_t *conn)
{
    const store_driver_t *driver = conn->store->driver;
    apr_status_t rv;
    char sql[512];

    rv = driver->command(
        conn, "CREATE TABLE IF NOT EXISTS items (id BIGINT PRIMARY KEY,"
              " name VARCHAR(80) NOT NULL, price BIGINT NOT NULL,"
              " initial BIGINT NOT NULL,"
              " stock BIGINT NOT NULL CHECK (stock >= 0))");
    if (rv == APR_SUCCESS)
        rv = driver->command(conn,
                             "CREATE TABLE IF NOT EXISTS sales ("
                             " item BIGINT PRIMARY KEY REFERENCES items (id),"
                             " sold BIGINT NOT NULL CHECK (sold >= 0))");
    apr_snprintf(sql, sizeof(sql),
                 "CREATE TABLE IF NOT EXISTS orders (id %s,"
                 " item BIGINT NOT NULL REFERENCES items (id),"
                 " quantity BIGINT NOT NULL CHECK (quantity > 0),"
                 " total BIGINT NOT NULL)",
                 driver->serial);
    if (rv == APR_SUCCESS)
        rv = driver->command(conn, sql);
    return rv;
}

/* A hundred things: plenty of most, and of each tenth so few that it runs
 * out. */
static apr_status_t make_goods(store_conn_t *conn)
{
    static const char *const colors[] = { "red",   "blue",  "green", "black",
                                          "white", "amber", "grey",  "pink",
                                          "brown", "clear" };
    static const char *const things[] = { "kettle", "lamp",  "chair", "clock",
                                          "rug",    "shelf", "bowl",  "spoon",
                                          "vase",   "broom" };
    const store_driver_t *driver = conn->store->driver;
    apr_status_t rv = APR_SUCCESS;
    char sql[256];
    int id;

    for (id = 1; id <= N_ITEMS && rv == APR_SUCCESS; id++) {
        int stock = id % 10 == 0 ? 50 : 1000000;

        apr_snprintf(sql, sizeof(sql),
                     "INSERT INTO items (id, name, price, initial, stock)"
                     " VALUES (%d, '%s %s', %d, %d, %d)",
                     id, colors[(id - 1) % 10], things[(id - 1) / 10],
                     250 + 37 * id, stock, stock);
        rv = driver->command(conn, sql);
        apr_snprintf(sql, sizeof(sql),
                     "INSERT INTO sales (item, sold) VALUES (%d, 0)", id);
        if (rv == APR_SUCCESS)
            rv = driver->command(conn, sql);
    }
    return rv;
}

/* Counts as a row that there is something. */
static apr_status_t ignore_item(const store_item_t *item, void *baton)
{
    (void)item;
    (void)baton;
    return APR_SUCCESS;
}

apr_status_t store_furnish(store_t *store, char *error, apr_size_t len)
{
    store_conn_t *conn;
    apr_status_t rv;

    store->may_create = 1;
    rv = store_open(&conn, store, error, len);
    store->may_create = 0;
    if (rv != APR_SUCCESS)
        return rv;

    rv = store_begin(conn);
    if (rv == APR_SUCCESS)
        rv = make_tables(conn);
    if (rv == APR_SUCCESS) {
        rv = store_item(conn, 1, ignore_item, NULL);
        if (APR_STATUS_IS_ENOENT(rv))
            rv = make_goods(conn);
    }
    if (rv == APR_SUCCESS)
        rv = store_commit(conn);
    if (rv != APR_SUCCESS)
        apr_cpystrn(error, conn->error, len);
    store_close(conn);
    return rv;
}

/* --- Statements ---------------------------------------------------------- */

typedef struct {
    store_item_fn *fn;
    void *baton;
} item_reader_t;

static int64_t number(const char *text)
{
    return text ? (int64_t)strtoll(text, NULL, 10) : 0;
}

static apr_status_t read_item(const char *const *columns, void *baton)
{
    item_reader_t *reader = baton;
    store_item_t item;

    item.id = number(columns[0]);
    item.name = columns[1] ? columns[1] : "";
    item.price = number(columns[2]);
    item.stock = number(columns[3]);
    return reader->fn(&item, reader->baton);
}

static apr_status_t read_number(const char *const *columns, void *baton)
{
    *(int64_t *)baton = number(columns[0]);
    return APR_SUCCESS;
}

static apr_status_t read_sums(const char *const *columns, void *baton)
{
    store_sums_t *sums = baton;

    sums->initial = number(columns[0]);
    sums->stock = number(columns[1]);
    sums->sold = number(columns[2]);
    sums->ordered = number(columns[3]);
    sums->orders = number(columns[4]);
    sums->wrong = number(columns[5]);
    return APR_SUCCESS;
}

/* Run a statement that must touch at least one row, else APR_ENOENT. */
static apr_status_t run(store_conn_t *conn, store_statement_e statement,
                        const int64_t *values, int n_values, store_row_fn *row,
                        void *baton)
{
    store_query_t query;
    apr_status_t rv;

    memset(&query, 0, sizeof(query));
    query.statement = statement;
    query.values = values;
    query.n_values = n_values;
    query.row = row;
    query.baton = baton;
    rv = conn->store->driver->run(conn, &query);
    if (rv == APR_SUCCESS && query.changed == 0)
        rv = APR_ENOENT;
    return rv;
}

apr_status_t store_items(store_conn_t *conn, store_item_fn *fn, void *baton)
{
    item_reader_t reader;

    reader.fn = fn;
    reader.baton = baton;
    return run(conn, STORE_ITEMS, NULL, 0, read_item, &reader);
}

apr_status_t store_item(store_conn_t *conn, int64_t id, store_item_fn *fn,
                        void *baton)
{
    item_reader_t reader;

    reader.fn = fn;
    reader.baton = baton;
    return run(conn, STORE_ITEM, &id, 1, read_item, &reader);
}

apr_status_t store_take(store_conn_t *conn, int64_t item, int64_t quantity)
{
    int64_t values[2];

    values[0] = quantity;
    values[1] = item;
    return run(conn, STORE_TAKE, values, 2, NULL, NULL);
}

apr_status_t store_sell(store_conn_t *conn, int64_t item, int64_t quantity)
{
    int64_t values[2];

    values[0] = quantity;
    values[1] = item;
    return run(conn, STORE_SELL, values, 2, NULL, NULL);
}

apr_status_t store_order(store_conn_t *conn, int64_t item, int64_t quantity,
                         int64_t total, int64_t *id)
{
    int64_t values[3];

    values[0] = item;
    values[1] = quantity;
    values[2] = total;
    return run(conn, STORE_ORDER, values, 3, read_number, id);
}

apr_status_t store_sums(store_conn_t *conn, store_sums_t *sums)
{
    return run(conn, STORE_SUMS, NULL, 0, read_sums, sums);
}
