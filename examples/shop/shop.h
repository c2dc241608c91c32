/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHOP_SHOP_H
#define SHOP_SHOP_H

/*
 * shop.h: what the files of the shop share.
 *
 *     connection -> evhttp -> [route, check] -> coroutine -> [answer]
 *                                                 |   ^
 *                            brood_sync_to_async  v   |
 *                                             a thread that has a
 *                                             database connection
 *
 * Everything about HTTP happens on the loop's thread, everything about the
 * database on the affinity pool's. What is done with pictures happens in worker
 * processes, see thumbs.h.
 */

#include <stdint.h>

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_time.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include "database.h"

/* Why an order was not placed, besides what store.h names. */
#define SHOP_ESTOCK    (APR_OS_START_USERERR + 101) /* not enough left */
#define SHOP_EDECLINED (APR_OS_START_USERERR + 102) /* "fail" was asked for */

/* Bytes of a body, at most; of a picture, at most. */
#define MAX_BODY       (64 * 1024)
#define THUMB_MAX_BODY (8 * 1024 * 1024)

/* Every route: name in the metrics. */
#define SHOP_ROUTES(XX)                                                        \
    XX(ITEMS, "items")                                                         \
    XX(ITEM, "item")                                                           \
    XX(ORDERS, "orders")                                                       \
    XX(THUMB, "thumb")                                                         \
    XX(METRICS, "metrics")                                                     \
    XX(HEALTHZ, "healthz")                                                     \
    XX(OTHER, "other")

typedef enum {
#define SHOP_ROUTE_ID(name, label) ROUTE_##name,
    SHOP_ROUTES(SHOP_ROUTE_ID)
#undef SHOP_ROUTE_ID
        N_ROUTES
} route_e;

typedef struct shop_options_t {
    const char *address;
    int port; /* 0: a free one */
    const char *database;
    int threads;  /* 0: brood's default */
    int patience; /* seconds for a client to send a request */
    int verbose;  /* log every request */
    int astray;   /* leave transactions on purpose; see database.h */
} shop_options_t;

typedef struct shop_t {
    const shop_options_t *options;
    database_t *database;
    struct event_base *base;
    struct evhttp *http;
    struct evconnlistener *listener;
    struct event *signals[2];
    struct event *pause;    /* ends a pause of the listener */
    struct event *deadline; /* of a graceful stop */
    int closing;            /* a stop began: every answer closes */
    int failed;             /* the exit code */
} shop_t;

/* An order, from its JSON to its row. */
typedef struct order_t {
    int64_t item;
    int64_t quantity;
    int fail; /* roll back at the end, as if the payment was declined */
    int64_t price;
    int64_t stock;
    int64_t id;
    char transaction[48];
    trace_t trace;
} order_t;

/* One request, from evhttp's callback to its answer. */
typedef struct request_t {
    shop_t *shop;
    struct evhttp_request *http;
    route_e route;
    void (*run)(struct request_t *request); /* what the route does */
    apr_time_t since;
    int64_t item; /* of /items/N */
    order_t order;
    int code;              /* of the answer */
    const char *type;      /* content type; NULL: JSON */
    const char *allow;     /* for 405 */
    struct evbuffer *body; /* of the answer */
} request_t;

/* --- log.c --------------------------------------------------------------- */

/* One line to standard error, whatever bytes it is made of. */
void shop_log(const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 1, 2)))
#endif
    ;

/* --- server.c ------------------------------------------------------------ */

/* Hooks of the loop manager. */
void server_start(struct event_base *base, void *baton);
void server_exit(struct event_base *base, void *baton);

/* --- http.c -------------------------------------------------------------- */

/* evhttp's callback for every request. */
void http_request(struct evhttp_request *http, void *baton);

/* Decide the answer: an error in JSON. */
void http_error(request_t *request, int code, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/* Decide the answer: what a status of store.h, shop.h or brood means. */
void http_failure(request_t *request, apr_status_t status);

/* --- items.c, orders.c, thumbs.c, metrics.c: what the routes do ---------- */

/* Each runs as a coroutine and decides the answer. */
void items_list(request_t *request);
void items_show(request_t *request);
void orders_place(request_t *request);
void thumbs_make(request_t *request);
void metrics_show(request_t *request);

/* Read an order's JSON; 0: the answer is decided, it was bad. */
int orders_check(request_t *request, const char *text, size_t len);

#endif /* SHOP_SHOP_H */
