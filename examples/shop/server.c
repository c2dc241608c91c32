/* SPDX-License-Identifier: Apache-2.0 */

/* server.c: evhttp on brood's loop, from its first turn to a graceful end. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include <brood.h>
#include <event2/listener.h>
#include <event2/util.h>

#include "clients.h"
#include "shop.h"

/* evhttp reads this much of a body before we can say that it is too long. It
 * knows one limit for all paths. */
#define HARD_MAX_BODY    (THUMB_MAX_BODY + MAX_BODY)
#define MAX_HEADERS      (16 * 1024)
#define IDLE_SECONDS     60
#define BACKLOG          512
#define GRACEFUL_SECONDS 30

/* One shop per process. */
static shop_t *g_shop;

/* --- The end ------------------------------------------------------------- */

static void stop_loop(brood_stop_e how)
{
    brood_loop_manager_t *loop;

    if (brood_loop_manager_current(&loop) == APR_SUCCESS)
        brood_loop_manager_stop(loop, how, 0);
}

static void all_answered(void *baton)
{
    (void)baton;
    shop_log("every accepted request is answered");
    stop_loop(BROOD_STOP_DRAIN);
}

static void out_of_patience(evutil_socket_t fd, short what, void *baton)
{
    shop_t *shop = baton;

    (void)fd;
    (void)what;
    shop_log("requests hang for %d s: giving them up", GRACEFUL_SECONDS);
    shop->failed = 1;
    stop_loop(BROOD_STOP_CANCEL);
}

static void forget(struct event **event)
{
    if (*event)
        event_free(*event);
    *event = NULL;
}

/* SIGTERM or SIGINT. A second one kills: our handlers are gone. */
static void asked_to_stop(evutil_socket_t number, short what, void *baton)
{
    const struct timeval patience = { GRACEFUL_SECONDS, 0 };
    shop_t *shop = baton;

    (void)what;
    shop_log("signal %d: no new connections", (int)number);
    forget(&shop->signals[0]);
    forget(&shop->signals[1]);
    forget(&shop->pause);
    evconnlistener_disable(shop->listener);
    shop->closing = 1;
    evtimer_add(shop->deadline, &patience);
    clients_drain(all_answered, shop);
}

void server_exit(struct event_base *base, void *baton)
{
    shop_t *shop = baton;

    (void)base;
    forget(&shop->signals[0]);
    forget(&shop->signals[1]);
    forget(&shop->pause);
    forget(&shop->deadline);
    if (shop->http)
        evhttp_free(shop->http); /* and the listener */
}

/* --- The beginning ------------------------------------------------------- */

static void accept_again(evutil_socket_t fd, short what, void *baton)
{
    shop_t *shop = baton;

    (void)fd;
    (void)what;
    evconnlistener_enable(shop->listener);
}

/* Out of descriptors, say. The connection stays in the queue, and trying at
 * once again would only spin. */
static void accept_failed(struct evconnlistener *listener, void *baton)
{
    const struct timeval pause = { 0, 200000 };

    (void)baton; /* evhttp's */
    shop_log("cannot accept: %s; pausing",
             evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
    evconnlistener_disable(listener);
    evtimer_add(g_shop->pause, &pause);
}

static int listen_there(shop_t *shop)
{
    struct sockaddr_storage address;
    int len = sizeof(address);
    char text[64];

    apr_snprintf(text, sizeof(text),
                 strchr(shop->options->address, ':') ? "[%s]:%d" : "%s:%d",
                 shop->options->address, shop->options->port);
    /* Port 0 is not accepted as a text. */
    if (shop->options->port == 0)
        *strrchr(text, ':') = '\0';
    if (evutil_parse_sockaddr_port(text, (struct sockaddr *)&address, &len)) {
        shop_log("%s is no address", shop->options->address);
        return -1;
    }
    shop->listener = evconnlistener_new_bind(
        shop->base, NULL, NULL,
        LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_CLOSE_ON_FREE,
        BACKLOG, (struct sockaddr *)&address, len);
    if (!shop->listener) {
        shop_log("cannot listen at %s, port %d: %s", shop->options->address,
                 shop->options->port,
                 evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
        return -1;
    }
    if (!evhttp_bind_listener(shop->http, shop->listener)) {
        evconnlistener_free(shop->listener);
        return -1;
    }
    /* evhttp sets callbacks of its own, but none for errors. */
    evconnlistener_set_error_cb(shop->listener, accept_failed);
    return 0;
}

static int start(shop_t *shop)
{
    static const int numbers[] = { SIGTERM, SIGINT };
    int i;

    shop->http = evhttp_new(shop->base);
    shop->pause = evtimer_new(shop->base, accept_again, shop);
    shop->deadline = evtimer_new(shop->base, out_of_patience, shop);
    if (!shop->http || !shop->pause || !shop->deadline || clients_watch(shop))
        return -1;
    for (i = 0; i < 2; i++) {
        shop->signals[i] = evsignal_new(shop->base, numbers[i], asked_to_stop,
                                        shop);
        if (!shop->signals[i] || evsignal_add(shop->signals[i], NULL))
            return -1;
    }
    evhttp_set_gencb(shop->http, http_request, shop);
    evhttp_set_timeout(shop->http, IDLE_SECONDS);
    evhttp_set_max_headers_size(shop->http, MAX_HEADERS);
    evhttp_set_max_body_size(shop->http, HARD_MAX_BODY);
    /* So that wrong ones get our 405 and not evhttp's 501. */
    evhttp_set_allowed_methods(
        shop->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD
                        | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE
                        | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
#ifdef EVHTTP_SERVER_LINGERING_CLOSE
    /* A client that still sends must be able to read why we refuse. */
    evhttp_set_flags(shop->http, EVHTTP_SERVER_LINGERING_CLOSE);
#endif
    return listen_there(shop);
}

static void announce(const shop_t *shop)
{
    struct sockaddr_storage address;
    ev_socklen_t len = sizeof(address);
    const char *host = shop->options->address;
    int port = 0;

    if (getsockname((apr_os_sock_t)evconnlistener_get_fd(shop->listener),
                    (struct sockaddr *)&address, &len)
        == 0)
        port = address.ss_family == AF_INET6
                   ? ntohs(((struct sockaddr_in6 *)&address)->sin6_port)
                   : ntohs(((struct sockaddr_in *)&address)->sin_port);
    printf(strchr(host, ':') ? "shop: listening on http://[%s]:%d\n"
                             : "shop: listening on http://%s:%d\n",
           host, port);
    fflush(stdout);
}

/* A hook cannot fail, so the loop is ended on its first turn. */
static void give_up(evutil_socket_t fd, short what, void *baton)
{
    (void)fd;
    (void)what;
    (void)baton;
    stop_loop(BROOD_STOP_CANCEL);
}

void server_start(struct event_base *base, void *baton)
{
    const struct timeval now = { 0, 0 };
    shop_t *shop = baton;

    g_shop = shop;
    shop->base = base;
    if (start(shop) == 0) {
        announce(shop);
        return;
    }
    shop->failed = 1;
    event_base_once(base, -1, EV_TIMEOUT, give_up, shop, &now);
}
