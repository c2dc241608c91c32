/* SPDX-License-Identifier: Apache-2.0 */

/* orders.c: POST /orders, which is a transaction. */

#include <string.h>

#include <apr_strings.h>

#include <jansson.h>

#include "json.h"
#include "metrics.h"
#include "shop.h"

#define MAX_QUANTITY 1000

/* --- The JSON of an order ------------------------------------------------ */

static int check_fields(request_t *request, const json_t *json)
{
    order_t *order = &request->order;
    const json_t *item = json_object_get(json, "item");
    const json_t *quantity = json_object_get(json, "quantity");
    const json_t *fail = json_object_get(json, "fail");

    if (!json_is_object(json))
        http_error(request, 422, "an order is a JSON object");
    else if (!json_is_integer(item))
        http_error(request, 422, "\"item\" must be an integer");
    else if (!json_is_integer(quantity))
        http_error(request, 422, "\"quantity\" must be an integer");
    else if (json_integer_value(quantity) < 1
             || json_integer_value(quantity) > MAX_QUANTITY)
        http_error(request, 422, "\"quantity\" must be from 1 to %d",
                   MAX_QUANTITY);
    else if (fail && !json_is_boolean(fail))
        http_error(request, 422, "\"fail\" must be true or false");
    else {
        order->item = json_integer_value(item);
        order->quantity = json_integer_value(quantity);
        order->fail = json_is_true(fail);
        return 1;
    }
    return 0;
}

int orders_check(request_t *request, const char *text, size_t len)
{
    json_error_t error;
    json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    int good;

    if (!json) {
        http_error(request, 400, "bad JSON in line %d, column %d: %s",
                   error.line, error.column, error.text);
        return 0;
    }
    good = check_fields(request, json);
    json_decref(json);
    return good;
}

/* --- The steps, all on the transaction's thread -------------------------- */

static apr_status_t begin(void *baton)
{
    order_t *order = baton;
    store_conn_t *conn;
    apr_status_t rv = database_ready(&conn, &order->trace);

    if (rv == APR_SUCCESS)
        rv = store_begin(conn);
    return database_judge("begin an order", rv);
}

static apr_status_t end(void *baton, apr_status_t outcome)
{
    order_t *order = baton;
    store_conn_t *conn = database_here(&order->trace);

    if (outcome != APR_SUCCESS)
        return database_judge("roll back an order", store_rollback(conn));
    return database_judge("commit an order", store_commit(conn));
}

static apr_status_t note_item(const store_item_t *item, void *baton)
{
    order_t *order = baton;

    order->price = item->price;
    order->stock = item->stock;
    return APR_SUCCESS;
}

static apr_status_t check_stock(void *baton, void **result)
{
    order_t *order = baton;
    store_conn_t *conn = database_here(&order->trace);
    apr_status_t rv = store_item(conn, order->item, note_item, order);

    (void)result;
    if (rv == APR_SUCCESS && order->stock < order->quantity)
        rv = SHOP_ESTOCK;
    return rv;
}

static apr_status_t take_from_stock(void *baton, void **result)
{
    order_t *order = baton;
    store_conn_t *conn = database_here(&order->trace);
    apr_status_t rv = store_take(conn, order->item, order->quantity);

    (void)result;
    /* Another transaction was faster. */
    return APR_STATUS_IS_ENOENT(rv) ? SHOP_ESTOCK : rv;
}

static apr_status_t add_to_sales(void *baton, void **result)
{
    order_t *order = baton;

    (void)result;
    return store_sell(database_here(&order->trace), order->item,
                      order->quantity);
}

static apr_status_t write_order(void *baton, void **result)
{
    order_t *order = baton;

    (void)result;
    return store_order(database_here(&order->trace), order->item,
                       order->quantity, order->price * order->quantity,
                       &order->id);
}

/* --- The coroutine ------------------------------------------------------- */

/* Between the steps the loop serves others; the thread waits for us. */
static apr_status_t take_steps(database_t *database, order_t *order)
{
    apr_status_t rv;

    rv = database_call(database, "check stock", check_stock, order);
    if (rv == APR_SUCCESS)
        rv = database_call(database, "take from stock", take_from_stock, order);
    if (rv == APR_SUCCESS)
        rv = database_call(database, "add to sales", add_to_sales, order);
    if (rv == APR_SUCCESS)
        rv = database_call(database, "write order", write_order, order);
    if (rv == APR_SUCCESS && order->fail)
        rv = SHOP_EDECLINED;
    return rv;
}

static apr_status_t place(database_t *database, order_t *order)
{
    brood_transaction_options_t options = BROOD_TRANSACTION_OPTIONS_INIT;
    brood_transaction_t *transaction;
    apr_status_t rv, ended;

    options.pool = database_threads(database);
    options.begin_timeout = apr_time_from_sec(5);
    options.on_begin = begin;
    options.on_end = end;
    options.baton = order;
    rv = brood_transaction_begin(&transaction, &options);
    if (rv != APR_SUCCESS)
        return rv;

    apr_cpystrn(order->transaction, brood_transaction_id(),
                sizeof(order->transaction));
    rv = take_steps(database, order);
    ended = brood_transaction_end(transaction, rv);
    if (order->trace.split)
        shop_log("transaction %s used two connections", order->transaction);
    metrics_transaction(rv == APR_SUCCESS && ended == APR_SUCCESS,
                        &order->trace);
    return rv != APR_SUCCESS ? rv : ended;
}

void orders_place(request_t *request)
{
    order_t *order = &request->order;
    apr_status_t rv = place(request->shop->database, order);

    if (rv == SHOP_ESTOCK)
        http_error(request, 409, "only %lld left of item %lld",
                   (long long)order->stock, (long long)order->item);
    else if (rv == SHOP_EDECLINED)
        http_error(request, 402, "the payment was declined");
    else if (rv == APR_SUCCESS)
        rv = json_answer(request, 201,
                         json_pack("{s:I, s:I, s:I, s:I, s:s}", "order",
                                   (json_int_t)order->id, "item",
                                   (json_int_t)order->item, "quantity",
                                   (json_int_t)order->quantity, "total",
                                   (json_int_t)(order->price * order->quantity),
                                   "transaction", order->transaction));
    if (!request->code)
        http_failure(request, rv);
}
