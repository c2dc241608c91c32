/* SPDX-License-Identifier: Apache-2.0 */

/* http.c: from evhttp's callback to a route, and from there to an answer. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <brood.h>
#include <jansson.h>

#include "clients.h"
#include "json.h"
#include "metrics.h"
#include "shop.h"

enum { READ = EVHTTP_REQ_GET | EVHTTP_REQ_HEAD, WRITE = EVHTTP_REQ_POST };

typedef struct {
    const char *path; /* ends with '/': a number follows */
    unsigned methods;
    route_e route;
    void (*run)(request_t *request);
    size_t max_body; /* 0: MAX_BODY */
} entry_t;

static void show_health(request_t *request);

static const entry_t routes[] = {
    { "/items", READ, ROUTE_ITEMS, items_list, 0 },
    { "/items/", READ, ROUTE_ITEM, items_show, 0 },
    { "/orders", WRITE, ROUTE_ORDERS, orders_place, 0 },
    { "/thumb", WRITE, ROUTE_THUMB, thumbs_make, THUMB_MAX_BODY },
    { "/metrics", READ, ROUTE_METRICS, metrics_show, 0 },
    { "/healthz", READ, ROUTE_HEALTHZ, show_health, 0 },
};

/* --- Answers ------------------------------------------------------------- */

void http_error(request_t *request, int code, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    /* What is quoted from the request may be no UTF-8. */
    if (json_answer(request, code, json_pack("{s:s}", "error", text)))
        json_answer(request, code, json_pack("{s:s}", "error", "bad request"));
    request->code = code;
}

void http_failure(request_t *request, apr_status_t status)
{
    char text[128];

    if (APR_STATUS_IS_ENOENT(status))
        http_error(request, 404, "no such item");
    else if (status == STORE_EBUSY || status == BROOD_EFULL)
        http_error(request, 503, "too many orders at once, try again");
    else if (status == STORE_ELOST)
        http_error(request, 503, "the database is not to be had");
    else if (status == STORE_EQUERY)
        http_error(request, 500, "the database refused a statement");
    else if (status == BROOD_ESTOPPED)
        http_error(request, 503, "the shop closes");
    else {
        brood_strerror(status, text, sizeof(text));
        shop_log("status %d: %s", status, text);
        http_error(request, 500, "%s", text);
    }
}

static void show_health(request_t *request)
{
    if (request->shop->closing)
        http_error(request, 503, "the shop closes");
    else
        json_answer(request, 200, json_pack("{s:s}", "status", "ok"));
}

/* Refusals are always logged, but not what is ordinary business. */
static void log_answer(const request_t *request, apr_interval_time_t taken)
{
    int code = request->code;
    int ordinary = code < 400 || code == 402 || code == 409;

    if (ordinary && !request->shop->options->verbose)
        return;
    shop_log("%s %s %s: %d after %d ms",
             clients_name(evhttp_request_get_connection(request->http)),
             clients_method(request->http),
             evhttp_request_get_uri(request->http), code, (int)(taken / 1000));
}

/* To HEAD: say how long the body is, and keep it. */
static void withhold_body(request_t *request)
{
    size_t len = evbuffer_get_length(request->body);
    char text[24];

    snprintf(text, sizeof(text), "%lu", (unsigned long)len);
    evhttp_add_header(evhttp_request_get_output_headers(request->http),
                      "Content-Length", text);
    evbuffer_drain(request->body, len);
}

/* Send what was decided. evhttp takes the request, and frees it if the client
 * has gone meanwhile. */
static void answer(request_t *request)
{
    struct evkeyvalq *headers;
    apr_interval_time_t taken = apr_time_now() - request->since;

    if (!request->code) /* memory ran out on the way */
        http_error(request, 500, "out of memory");
    headers = evhttp_request_get_output_headers(request->http);
    evhttp_add_header(headers, "Content-Type",
                      request->type ? request->type : "application/json");
    if (request->allow)
        evhttp_add_header(headers, "Allow", request->allow);
    if (request->code == 503)
        evhttp_add_header(headers, "Retry-After", "1");
    if (request->shop->closing)
        evhttp_add_header(headers, "Connection", "close");
    metrics_request(request->route, request->code, taken);
    log_answer(request, taken);
    if (evhttp_request_get_command(request->http) == EVHTTP_REQ_HEAD)
        withhold_body(request);
    evhttp_send_reply(request->http, request->code, NULL, request->body);
    request->http = NULL;
}

/* --- Requests ------------------------------------------------------------ */

static request_t *request_make(shop_t *shop, struct evhttp_request *http)
{
    request_t *request = calloc(1, sizeof(*request));

    if (!request)
        return NULL;
    request->body = evbuffer_new();
    if (!request->body) {
        free(request);
        return NULL;
    }
    request->shop = shop;
    request->http = http;
    request->route = ROUTE_OTHER;
    request->since = apr_time_now();
    return request;
}

/* Also called by brood, for a coroutine that never ran. */
static void request_free(void *baton)
{
    request_t *request = baton;

    evbuffer_free(request->body);
    free(request);
}

/* A number without a sign that fits; 0: it is none. */
static int read_number(const char *text, int64_t *number)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 18 || text[digits])
        return 0;
    *number = (int64_t)strtoll(text, NULL, 10);
    return 1;
}

/* NULL: the answer is decided, there is no such route. */
static const entry_t *find_route(request_t *request)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request->http);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    size_t i, len;

    for (i = 0; path && i < sizeof(routes) / sizeof(routes[0]); i++) {
        len = strlen(routes[i].path);
        if (routes[i].path[len - 1] == '/'
                ? strncmp(path, routes[i].path, len) == 0
                      && read_number(path + len, &request->item)
                : strcmp(path, routes[i].path) == 0) {
            request->route = routes[i].route;
            request->run = routes[i].run;
            return &routes[i];
        }
    }
    http_error(request, 404, "no such path");
    return NULL;
}

/*
 * What can be refused at once. It happens here and not in the coroutine: a bad
 * request costs no stack, and JSON may nest deeper than a small stack allows.
 * 0: the answer is decided.
 */
static int check(request_t *request, const entry_t *entry)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(request->http);
    const size_t most = entry->max_body ? entry->max_body : MAX_BODY;
    size_t len = evbuffer_get_length(in);
    const char *text;

    if (!(evhttp_request_get_command(request->http) & entry->methods)) {
        request->allow = entry->methods == READ ? "GET, HEAD" : "POST";
        http_error(request, 405, "only %s here", request->allow);
        return 0;
    }
    if (len > most) {
        http_error(request, 413, "the body is longer than %lu bytes",
                   (unsigned long)most);
        return 0;
    }
    if (entry->route != ROUTE_ORDERS)
        return 1;
    text = (const char *)evbuffer_pullup(in, -1);
    return orders_check(request, text ? text : "", len);
}

/* The coroutine. It ends on the thread on which it began, evhttp's. */
static apr_status_t serve(void *baton, void **result)
{
    request_t *request = baton;

    (void)result;
    request->run(request);
    answer(request);
    return APR_SUCCESS;
}

void http_request(struct evhttp_request *http, void *baton)
{
    shop_t *shop = baton;
    request_t *request = request_make(shop, http);
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;
    brood_loop_manager_t *loop;
    const entry_t *entry;
    apr_status_t rv;

    clients_busy(http);
    if (!request) {
        evhttp_send_error(http, 503, NULL);
        return;
    }
    entry = find_route(request);
    if (!entry || !check(request, entry)) {
        answer(request);
        request_free(request);
        return;
    }

    options.name = entry->path;
    options.destroy = request_free;
    rv = brood_loop_manager_current(&loop);
    if (rv == APR_SUCCESS)
        rv = brood_loop_manager_submit(NULL, loop, serve, request, &options);
    if (rv != APR_SUCCESS) {
        http_failure(request, rv);
        answer(request);
        request_free(request);
    }
}
