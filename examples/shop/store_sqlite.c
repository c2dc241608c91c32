/* SPDX-License-Identifier: Apache-2.0 */

/*
 * store_sqlite.c: SQLite behind the store's interface.
 *
 * WAL, so readers and the writer do not wait for each other; but there is one
 * writer at a time. SQLite lets further ones poll, in steps of up to 100 ms.
 * The shop's own writers wait at a gate instead, and go on at once; SQLite's
 * busy timeout is left for writers of other processes.
 */

#include "store_driver.h"

#include <stdlib.h>

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

#include <sqlite3.h>

#define PATIENCE_MS 5000

/* Opened by whichever connection is in a transaction. */
typedef struct {
    apr_thread_mutex_t *lock; /* guards `taken` */
    apr_thread_cond_t *left;  /* `taken` became 0 */
    int taken;
} gate_t;

typedef struct {
    sqlite3 *db;
    int has_gate;
    sqlite3_stmt *statements[STORE_N_STATEMENTS]; /* made at first use */
} native_t;

static apr_status_t enter_gate(gate_t *gate)
{
    const apr_time_t until = apr_time_now() + apr_time_from_msec(PATIENCE_MS);
    apr_time_t now;
    apr_status_t rv = APR_SUCCESS;

    apr_thread_mutex_lock(gate->lock);
    while (gate->taken && (now = apr_time_now()) < until)
        (void)apr_thread_cond_timedwait(gate->left, gate->lock, until - now);
    if (gate->taken)
        rv = APR_TIMEUP;
    else
        gate->taken = 1;
    apr_thread_mutex_unlock(gate->lock);
    return rv;
}

static void leave_gate(store_conn_t *conn)
{
    native_t *native = conn->native;
    gate_t *gate = conn->store->shared;

    if (!native->has_gate)
        return;
    native->has_gate = 0;
    apr_thread_mutex_lock(gate->lock);
    gate->taken = 0;
    apr_thread_cond_signal(gate->left);
    apr_thread_mutex_unlock(gate->lock);
}

static apr_status_t create(store_t *store, apr_pool_t *pool)
{
    gate_t *gate = apr_pcalloc(pool, sizeof(*gate));
    apr_status_t rv = apr_thread_mutex_create(&gate->lock,
                                              APR_THREAD_MUTEX_DEFAULT, pool);

    if (rv == APR_SUCCESS)
        rv = apr_thread_cond_create(&gate->left, pool);
    store->shared = gate;
    return rv;
}

/* What SQLite's code means to the shop. */
static apr_status_t failed(store_conn_t *conn, int code)
{
    native_t *native = conn->native;

    code &= 0xff;
    return store_failed(conn,
                        code == SQLITE_BUSY || code == SQLITE_LOCKED
                            ? STORE_EBUSY
                            : STORE_EQUERY,
                        sqlite3_errmsg(native->db));
}

static apr_status_t command(store_conn_t *conn, const char *sql)
{
    native_t *native = conn->native;
    int code = sqlite3_exec(native->db, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? APR_SUCCESS : failed(conn, code);
}

/* --- Connections --------------------------------------------------------- */

static void drop_connection(store_conn_t *conn)
{
    native_t *native = conn->native;
    int i;

    if (!native)
        return;
    leave_gate(conn);
    for (i = 0; i < STORE_N_STATEMENTS; i++)
        sqlite3_finalize(native->statements[i]);
    sqlite3_close(native->db);
    free(native);
    conn->native = NULL;
}

static apr_status_t make_connection(store_conn_t *conn)
{
    native_t *native = calloc(1, sizeof(*native));
    apr_status_t rv;
    int code;

    conn->native = native;
    if (!native)
        return store_failed(conn, APR_ENOMEM, "out of memory");
    /* No mutex: the thread owns its connection. */
    code = sqlite3_open_v2(
        conn->store->where, &native->db,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX
            | (conn->store->may_create ? SQLITE_OPEN_CREATE : 0),
        NULL);
    if (code != SQLITE_OK)
        rv = store_failed(conn, STORE_EQUERY,
                          native->db ? sqlite3_errmsg(native->db)
                                     : sqlite3_errstr(code));
    else {
        sqlite3_busy_timeout(native->db, PATIENCE_MS);
        /* An order that was answered survives a crash of the shop. To survive
         * a power failure too costs an fsync each: synchronous=FULL. */
        rv = command(conn, "PRAGMA journal_mode=WAL;"
                           "PRAGMA synchronous=NORMAL;"
                           "PRAGMA foreign_keys=ON");
    }
    if (rv != APR_SUCCESS)
        drop_connection(conn);
    return rv;
}

static int is_lost(const store_conn_t *conn)
{
    return conn->native == NULL;
}

/* --- Statements ---------------------------------------------------------- */

static apr_status_t prepare(store_conn_t *conn, store_statement_e statement)
{
    native_t *native = conn->native;
    int code;

    if (native->statements[statement])
        return APR_SUCCESS;
    code = sqlite3_prepare_v3(native->db, store_sql[statement], -1,
                              SQLITE_PREPARE_PERSISTENT,
                              &native->statements[statement], NULL);
    return code == SQLITE_OK ? APR_SUCCESS : failed(conn, code);
}

static apr_status_t show_row(sqlite3_stmt *stmt, const store_query_t *query)
{
    const char *columns[8];
    int n = sqlite3_column_count(stmt);
    int i;

    for (i = 0; i < n && i < (int)(sizeof(columns) / sizeof(columns[0])); i++)
        columns[i] = (const char *)sqlite3_column_text(stmt, i);
    return query->row ? query->row(columns, query->baton) : APR_SUCCESS;
}

static apr_status_t run(store_conn_t *conn, store_query_t *query)
{
    native_t *native = conn->native;
    apr_status_t rv;
    sqlite3_stmt *stmt;
    int code = SQLITE_OK;
    int i;

    if (!native)
        return STORE_ELOST;
    rv = prepare(conn, query->statement);
    if (rv != APR_SUCCESS)
        return rv;
    stmt = native->statements[query->statement];
    for (i = 0; i < query->n_values && code == SQLITE_OK; i++)
        code = sqlite3_bind_int64(stmt, i + 1, query->values[i]);
    if (code != SQLITE_OK)
        return failed(conn, code);

    while ((code = sqlite3_step(stmt)) == SQLITE_ROW && rv == APR_SUCCESS) {
        query->changed++;
        rv = show_row(stmt, query);
    }
    if (rv == APR_SUCCESS && code != SQLITE_DONE)
        rv = failed(conn, code);
    else if (rv == APR_SUCCESS && sqlite3_column_count(stmt) == 0)
        query->changed = sqlite3_changes(native->db);
    sqlite3_reset(stmt);
    return rv;
}

/* --- Transactions -------------------------------------------------------- */

static int in_transaction(const store_conn_t *conn)
{
    const native_t *native = conn->native;

    return native && !sqlite3_get_autocommit(native->db);
}

static apr_status_t begin(store_conn_t *conn)
{
    native_t *native = conn->native;
    apr_status_t rv;

    if (!native)
        return STORE_ELOST;
    if (enter_gate(conn->store->shared) != APR_SUCCESS)
        return store_failed(conn, STORE_EBUSY,
                            "other orders held the database for too long");
    native->has_gate = 1;
    /* As a writer from the start: a reader that becomes one may be refused. */
    rv = command(conn, "BEGIN IMMEDIATE");
    if (rv != APR_SUCCESS)
        leave_gate(conn);
    return rv;
}

static apr_status_t rollback(store_conn_t *conn)
{
    /* After some failures SQLite has already done it. */
    apr_status_t rv = in_transaction(conn) ? command(conn, "ROLLBACK")
                                           : APR_SUCCESS;

    leave_gate(conn);
    return rv;
}

static apr_status_t commit(store_conn_t *conn)
{
    apr_status_t rv = command(conn, "COMMIT");

    if (rv != APR_SUCCESS)
        rollback(conn);
    leave_gate(conn);
    return rv;
}

const store_driver_t store_sqlite = {
    "INTEGER PRIMARY KEY",
    create,
    make_connection,
    drop_connection,
    is_lost,
    command,
    run,
    begin,
    commit,
    rollback,
    in_transaction,
};
