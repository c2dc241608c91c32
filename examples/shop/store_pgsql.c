/* SPDX-License-Identifier: Apache-2.0 */

/* store_pgsql.c: PostgreSQL behind the store's interface. */

#include "store_driver.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include <libpq-fe.h>

typedef struct {
    PGconn *pg;
    int prepared[STORE_N_STATEMENTS]; /* known to the server */
} native_t;

static apr_status_t create(store_t *store, apr_pool_t *pool)
{
    (void)store;
    (void)pool;
    return APR_SUCCESS;
}

/* --- Connections --------------------------------------------------------- */

static void drop_connection(store_conn_t *conn)
{
    native_t *native = conn->native;

    if (!native)
        return;
    PQfinish(native->pg);
    free(native);
    conn->native = NULL;
}

/* The server's notices are nobody's business. */
static void ignore_notice(void *baton, const char *message)
{
    (void)baton;
    (void)message;
}

static apr_status_t make_connection(store_conn_t *conn)
{
    /* What stands before dbname, the URL may change. */
    static const char *const names[] = { "connect_timeout",
                                         "fallback_application_name", "dbname",
                                         NULL };
    const char *values[4];
    native_t *native = calloc(1, sizeof(*native));
    PGresult *result;
    int ok;

    conn->native = native;
    if (!native)
        return store_failed(conn, APR_ENOMEM, "out of memory");
    values[0] = "5";
    values[1] = "brood-shop";
    values[2] = conn->store->where;
    values[3] = NULL;
    native->pg = PQconnectdbParams(names, values, 1);
    ok = PQstatus(native->pg) == CONNECTION_OK;
    if (ok) {
        PQsetNoticeProcessor(native->pg, ignore_notice, NULL);
        /* Also while waiting for a lock. */
        result = PQexec(native->pg, "SET statement_timeout = '5s'");
        ok = PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
    }
    if (!ok) {
        store_failed(conn, STORE_ELOST, PQerrorMessage(native->pg));
        drop_connection(conn);
        return STORE_ELOST;
    }
    return APR_SUCCESS;
}

static int is_lost(const store_conn_t *conn)
{
    const native_t *native = conn->native;

    return !native || PQstatus(native->pg) != CONNECTION_OK;
}

/* --- Statements ---------------------------------------------------------- */

/* What the server's answer means to the shop; takes the result. */
static apr_status_t judge(store_conn_t *conn, PGresult *result)
{
    native_t *native = conn->native;
    ExecStatusType status = PQresultStatus(result);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    apr_status_t rv = STORE_EQUERY;

    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        rv = APR_SUCCESS;
    else if (PQstatus(native->pg) != CONNECTION_OK)
        rv = store_failed(conn, STORE_ELOST, PQerrorMessage(native->pg));
    else {
        /* Class 40: deadlock or conflict, 53: out of resources, 55P03 and
         * 57014: waited too long. */
        if (state
            && (strncmp(state, "40", 2) == 0 || strncmp(state, "53", 2) == 0
                || strcmp(state, "55P03") == 0 || strcmp(state, "57014") == 0))
            rv = STORE_EBUSY;
        store_failed(conn, rv, PQresultErrorMessage(result));
    }
    PQclear(result);
    return rv;
}

static apr_status_t command(store_conn_t *conn, const char *sql)
{
    native_t *native = conn->native;

    if (!native)
        return STORE_ELOST;
    return judge(conn, PQexec(native->pg, sql));
}

static apr_status_t show_rows(const PGresult *result,
                              const store_query_t *query)
{
    apr_status_t rv = APR_SUCCESS;
    const char *columns[8];
    int n = PQnfields(result);
    int row, i;

    for (row = 0; row < PQntuples(result) && rv == APR_SUCCESS; row++) {
        for (i = 0; i < n && i < (int)(sizeof(columns) / sizeof(columns[0]));
             i++)
            columns[i] = PQgetisnull(result, row, i)
                             ? NULL
                             : PQgetvalue(result, row, i);
        if (query->row)
            rv = query->row(columns, query->baton);
    }
    return rv;
}

static apr_status_t run(store_conn_t *conn, store_query_t *query)
{
    native_t *native = conn->native;
    char text[4][24];
    const char *values[4];
    char name[16];
    PGresult *result;
    apr_status_t rv = APR_SUCCESS;
    int i;

    if (!native)
        return STORE_ELOST;
    apr_snprintf(name, sizeof(name), "s%d", (int)query->statement);
    if (!native->prepared[query->statement]) {
        rv = judge(conn, PQprepare(native->pg, name,
                                   store_sql[query->statement], 0, NULL));
        if (rv != APR_SUCCESS)
            return rv;
        native->prepared[query->statement] = 1;
    }
    for (i = 0; i < query->n_values && i < 4; i++) {
        apr_snprintf(text[i], sizeof(text[i]), "%" APR_INT64_T_FMT,
                     (apr_int64_t)query->values[i]);
        values[i] = text[i];
    }
    result = PQexecPrepared(native->pg, name, i, values, NULL, NULL, 0);
    if (PQresultStatus(result) == PGRES_TUPLES_OK) {
        query->changed = PQntuples(result);
        rv = show_rows(result, query);
    } else if (PQresultStatus(result) == PGRES_COMMAND_OK)
        query->changed = (int64_t)apr_atoi64(PQcmdTuples(result));
    if (rv != APR_SUCCESS) {
        PQclear(result);
        return rv;
    }
    return judge(conn, result);
}

/* --- Transactions -------------------------------------------------------- */

static int in_transaction(const store_conn_t *conn)
{
    const native_t *native = conn->native;
    PGTransactionStatusType status;

    if (!native)
        return 0;
    status = PQtransactionStatus(native->pg);
    return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

static apr_status_t begin(store_conn_t *conn)
{
    return command(conn, "BEGIN");
}

static apr_status_t commit(store_conn_t *conn)
{
    native_t *native = conn->native;
    PGresult *result;

    if (!native)
        return STORE_ELOST;
    result = PQexec(native->pg, "COMMIT");
    /* After a failed statement the server answers COMMIT with "ROLLBACK", and
     * calls that a success. */
    if (PQresultStatus(result) == PGRES_COMMAND_OK
        && strcmp(PQcmdStatus(result), "COMMIT") != 0) {
        PQclear(result);
        return store_failed(conn, STORE_EQUERY, "the server rolled back");
    }
    return judge(conn, result);
}

static apr_status_t rollback(store_conn_t *conn)
{
    return command(conn, "ROLLBACK");
}

const store_driver_t store_pgsql = {
    "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
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
