/* SPDX-License-Identifier: Apache-2.0 */

/* metrics.c: counters, and GET /metrics in Prometheus' text format. */

#include "metrics.h"

#include <stdatomic.h>

#include <brood.h>

#include "thumbs.h"

/* The codes that the shop answers with; libevent may add others. */
static const int codes[] = { 200, 201, 400, 402, 404, 405, 408, 409,
                             413, 415, 417, 422, 500, 501, 503, 0 };
#define N_CODES (sizeof(codes) / sizeof(codes[0]))

static const char *const route_labels[N_ROUTES] = {
#define ROUTE_LABEL(name, label) label,
    SHOP_ROUTES(ROUTE_LABEL)
#undef ROUTE_LABEL
};

/* Only the loop's thread looks at these. */
static unsigned long long g_requests[N_ROUTES][N_CODES];
static double g_seconds[N_ROUTES];

static atomic_int g_opened; /* connections ever */
static atomic_int g_closed;
static atomic_ullong g_committed;
static atomic_ullong g_rolled_back;
static atomic_ullong g_statements;
static atomic_ullong g_split;
static atomic_ullong g_left_open;

int metrics_connection_opened(void)
{
    return atomic_fetch_add(&g_opened, 1) + 1;
}

void metrics_connection_closed(void)
{
    atomic_fetch_add(&g_closed, 1);
}

void metrics_request(route_e route, int code, apr_interval_time_t taken)
{
    size_t i = 0;

    while (i < N_CODES - 1 && codes[i] != code)
        i++;
    g_requests[route][i]++;
    g_seconds[route] += (double)taken / 1e6;
}

void metrics_transaction(int committed, const trace_t *trace)
{
    atomic_fetch_add(committed ? &g_committed : &g_rolled_back, 1);
    atomic_fetch_add(&g_statements, (unsigned long long)trace->statements);
    if (trace->split)
        atomic_fetch_add(&g_split, 1);
}

unsigned long long metrics_committed(void)
{
    return atomic_load(&g_committed);
}

unsigned long long metrics_rolled_back(void)
{
    return atomic_load(&g_rolled_back);
}

void metrics_left_open(void)
{
    atomic_fetch_add(&g_left_open, 1);
}

/* --- GET /metrics -------------------------------------------------------- */

static apr_status_t add_text(const char *text, apr_size_t len, void *baton)
{
    return evbuffer_add(baton, text, len) == 0 ? APR_SUCCESS : APR_ENOMEM;
}

static void add_number(struct evbuffer *out, const char *name,
                       const char *labels, const char *type, const char *help,
                       long long value)
{
    if (help)
        evbuffer_add_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help,
                            name, type);
    evbuffer_add_printf(out, "%s%s %lld\n", name, labels, value);
}

static void add_requests(struct evbuffer *out)
{
    size_t route, code;

    evbuffer_add_printf(out, "# HELP shop_requests_total answers given\n"
                             "# TYPE shop_requests_total counter\n");
    for (route = 0; route < N_ROUTES; route++)
        for (code = 0; code < N_CODES; code++)
            if (g_requests[route][code])
                evbuffer_add_printf(out,
                                    "shop_requests_total{route=\"%s\","
                                    "code=\"%d\"} %llu\n",
                                    route_labels[route], codes[code],
                                    g_requests[route][code]);
    evbuffer_add_printf(out, "# HELP shop_request_seconds_total time from the "
                             "request to its answer\n"
                             "# TYPE shop_request_seconds_total counter\n");
    for (route = 0; route < N_ROUTES; route++)
        evbuffer_add_printf(out,
                            "shop_request_seconds_total{route=\"%s\"} %.6f\n",
                            route_labels[route], g_seconds[route]);
}

static void add_transactions(struct evbuffer *out)
{
    int opened = atomic_load(&g_opened);
    int closed = atomic_load(&g_closed);

    add_number(out, "shop_transactions_total", "{outcome=\"committed\"}",
               "counter", "orders begun, by how they ended",
               (long long)atomic_load(&g_committed));
    add_number(out, "shop_transactions_total", "{outcome=\"rolled_back\"}",
               NULL, NULL, (long long)atomic_load(&g_rolled_back));
    add_number(out, "shop_transaction_statements_total", "", "counter",
               "calls made by transactions, begin and end included",
               (long long)atomic_load(&g_statements));
    add_number(out, "shop_transactions_split_total", "", "counter",
               "transactions that used two threads or connections",
               (long long)atomic_load(&g_split));
    add_number(out, "shop_transactions_left_open_total", "", "counter",
               "contexts that ended with a transaction open",
               (long long)atomic_load(&g_left_open));
    add_number(out, "shop_connections_opened_total", "", "counter",
               "database connections ever opened, one a thread", opened);
    add_number(out, "shop_connections", "", "gauge",
               "database connections open now", opened - closed);
}

static void add_books(struct evbuffer *out, const store_sums_t *sums)
{
    add_number(out, "shop_units", "{state=\"initial\"}", "gauge",
               "the books: initial = stock + sold, sold = ordered",
               sums->initial);
    add_number(out, "shop_units", "{state=\"stock\"}", NULL, NULL, sums->stock);
    add_number(out, "shop_units", "{state=\"sold\"}", NULL, NULL, sums->sold);
    add_number(out, "shop_units", "{state=\"ordered\"}", NULL, NULL,
               sums->ordered);
    add_number(out, "shop_orders", "", "gauge", "orders in the database",
               sums->orders);
    add_number(out, "shop_items_wrong", "", "gauge",
               "items whose books do not balance", sums->wrong);
}

static apr_status_t read_books(void *baton, void **result)
{
    store_conn_t *conn;
    apr_status_t rv = database_ready(&conn, NULL);

    (void)result;
    return rv == APR_SUCCESS ? store_sums(conn, baton) : rv;
}

/* The counters are shown also when the database is not to be had. */
void metrics_show(request_t *request)
{
    store_sums_t sums;
    apr_status_t rv;

    rv = database_call(request->shop->database, "read the books", read_books,
                       &sums);
    request->code = 200;
    request->type = "text/plain; version=0.0.4";
    brood_observe_prometheus(add_text, request->body);
    add_requests(request->body);
    add_transactions(request->body);
    thumbs_show(request->body);
    add_number(request->body, "shop_database_up", "", "gauge",
               "the books could be read", rv == APR_SUCCESS);
    if (rv == APR_SUCCESS)
        add_books(request->body, &sums);
}
