/* SPDX-License-Identifier: Apache-2.0 */

/* items.c: GET /items and GET /items/N, which are ordinary calls. */

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "json.h"
#include "shop.h"

static json_t *item_json(const store_item_t *item)
{
    return json_pack("{s:I, s:s, s:I, s:I}", "id", (json_int_t)item->id, "name",
                     item->name, "price", (json_int_t)item->price, "stock",
                     (json_int_t)item->stock);
}

/* --- On a thread that has a connection ----------------------------------- */

static apr_status_t append_item(const store_item_t *item, void *baton)
{
    return json_array_append_new(baton, item_json(item)) == 0 ? APR_SUCCESS
                                                              : APR_ENOMEM;
}

/* The text is made here too: it would only keep the loop from other work. */
static apr_status_t read_items(void *baton, void **result)
{
    request_t *request = baton;
    json_t *items = json_array();
    store_conn_t *conn;
    apr_status_t rv;

    (void)result;
    rv = database_ready(&conn, NULL);
    if (rv == APR_SUCCESS)
        rv = store_items(conn, append_item, items);
    if (rv == APR_SUCCESS)
        rv = json_answer(request, 200, json_pack("{s:O}", "items", items));
    json_decref(items);
    return rv;
}

static apr_status_t answer_item(const store_item_t *item, void *baton)
{
    return json_answer(baton, 200, item_json(item));
}

static apr_status_t read_item(void *baton, void **result)
{
    request_t *request = baton;
    store_conn_t *conn;
    apr_status_t rv;

    (void)result;
    rv = database_ready(&conn, NULL);
    if (rv != APR_SUCCESS)
        return rv;
    return store_item(conn, request->item, answer_item, request);
}

/* --- Coroutines ---------------------------------------------------------- */

void items_list(request_t *request)
{
    apr_status_t rv;

    rv = database_call(request->shop->database, "list items", read_items,
                       request);
    if (rv != APR_SUCCESS)
        http_failure(request, rv);
}

void items_show(request_t *request)
{
    apr_status_t rv;

    rv = database_call(request->shop->database, "show an item", read_item,
                       request);
    if (rv != APR_SUCCESS)
        http_failure(request, rv);
}
