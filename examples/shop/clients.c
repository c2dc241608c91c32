/* SPDX-License-Identifier: Apache-2.0 */

/*
 * clients.c: the connections, watched for what evhttp does not tell.
 *
 *     IDLE --(1)--> READING --(2)--> ANSWERING --(3)--> IDLE
 *                      |  ^                      |
 *                      |  `---------(4)----------'
 *                      `--(5)--> 408, closed
 *
 *   (1) bytes arrived, see bytes_came(): the deadline runs.
 *   (2) evhttp called us, or answered by itself, see bytes_leave().
 *   (3) the answer has left.
 *   (4) the same, and bytes of the next request are there.
 *   (5) the deadline.
 *
 * Whatever the state, the client closes when its connection does.
 */

#include "clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include <brood.h>
#include <event2/bufferevent.h>

#include "metrics.h"

typedef struct client_t {
    struct evhttp_connection *connection;
    struct bufferevent *stream;
    struct event *deadline;
    enum { IDLE, READING, ANSWERING } state;
    apr_time_t since; /* READING: when that began */
} client_t;

/* One shop per process, on one loop's thread. */
static shop_t *g_shop;
static apr_pool_t *g_pool;
static apr_hash_t *g_clients; /* by connection */
static void (*g_drained)(void *baton);
static void *g_drained_baton;

static void bytes_leave(struct evbuffer *out,
                        const struct evbuffer_cb_info *info, void *baton);

/* --- Names --------------------------------------------------------------- */

const char *clients_name(struct evhttp_connection *connection)
{
    static char name[64];
    char *address;
    ev_uint16_t port;

    if (!connection)
        return "(gone)";
    evhttp_connection_get_peer(connection, &address, &port);
    apr_snprintf(name, sizeof(name), "%s:%d", address, (int)port);
    return name;
}

const char *clients_method(struct evhttp_request *request)
{
    switch (evhttp_request_get_command(request)) {
    case EVHTTP_REQ_GET:
        return "GET";
    case EVHTTP_REQ_POST:
        return "POST";
    case EVHTTP_REQ_HEAD:
        return "HEAD";
    case EVHTTP_REQ_PUT:
        return "PUT";
    case EVHTTP_REQ_DELETE:
        return "DELETE";
    default:
        return "(other)";
    }
}

/* --- One client ---------------------------------------------------------- */

/* The connection closes, whoever wants it. */
static void gone(struct evhttp_connection *connection, void *baton)
{
    client_t *client = baton;

    if (client->state == READING && !g_drained)
        shop_log("%s left in the middle of a request",
                 clients_name(connection));
    apr_hash_set(g_clients, &client->connection, sizeof(client->connection),
                 NULL);
    event_free(client->deadline);
    free(client);
    if (g_drained && apr_hash_count(g_clients) == 0) {
        void (*drained)(void *baton) = g_drained;

        g_drained = NULL;
        drained(g_drained_baton);
    }
}

/* (5) Closing is all that evhttp does about a slow client; tell it why. */
static void too_slow(evutil_socket_t fd, short what, void *baton)
{
    static const char text[] = "HTTP/1.1 408 Request Timeout\r\n"
                               "Content-Type: application/json\r\n"
                               "Content-Length: 39\r\n"
                               "Connection: close\r\n"
                               "\r\n"
                               "{\"error\":\"the request took too long\"}\r\n";
    client_t *client = baton;

    (void)fd;
    (void)what;
    shop_log("%s is too slow: 408", clients_name(client->connection));
    metrics_request(ROUTE_OTHER, 408, apr_time_now() - client->since);
    client->state = ANSWERING;
    /* Small enough for any socket's buffer; if it is not, so be it. */
    if (send((apr_os_sock_t)bufferevent_getfd(client->stream), text,
             sizeof(text) - 1, 0)
        < 0)
        shop_log("it does not listen either");
    evhttp_connection_free(client->connection);
}

static void start_reading(client_t *client)
{
    struct timeval patience = { 0, 0 };

    patience.tv_sec = g_shop->options->patience;
    client->state = READING;
    client->since = apr_time_now();
    event_add(client->deadline, &patience);
}

/* (1) */
static void bytes_came(struct evbuffer *in, const struct evbuffer_cb_info *info,
                       void *baton)
{
    client_t *client = baton;

    (void)in;
    if (info->n_added && client->state == IDLE)
        start_reading(client);
}

/* (2) for what evhttp answers by itself: it is no HTTP, or far too long. */
static void bytes_leave(struct evbuffer *out,
                        const struct evbuffer_cb_info *info, void *baton)
{
    client_t *client = baton;
    char line[13] = "";
    int code;

    if (!info->n_added || client->state == ANSWERING)
        return;
    evbuffer_copyout(out, line, sizeof(line) - 1);
    code = atoi(line + 9); /* behind "HTTP/1.1 " */
    if (code < 200)        /* 100 Continue */
        return;
    client->state = ANSWERING;
    event_del(client->deadline);
    shop_log("%s sent what evhttp refuses: %d",
             clients_name(client->connection), code);
    metrics_request(ROUTE_OTHER, code, apr_time_now() - client->since);
}

/* (3), (4) */
static void answer_left(struct evhttp_request *request, void *baton)
{
    client_t *client = baton;

    (void)request;
    client->state = IDLE;
    if (evbuffer_get_length(bufferevent_get_input(client->stream)))
        start_reading(client);
}

/* The first bytes of a connection. evhttp made itself the baton of the stream's
 * callbacks, and only so it tells its connection that early. */
static void first_bytes(struct evbuffer *in,
                        const struct evbuffer_cb_info *info, void *baton)
{
    struct bufferevent *stream = baton;
    client_t *client;
    void *connection;

    (void)info;
    bufferevent_getcb(stream, NULL, NULL, NULL, &connection);
    client = calloc(1, sizeof(*client));
    if (!client)
        return; /* the next bytes try again */
    client->connection = connection;
    client->stream = stream;
    client->deadline = evtimer_new(g_shop->base, too_slow, client);
    if (!client->deadline) {
        free(client);
        return;
    }
    evbuffer_remove_cb(in, first_bytes, stream);
    evbuffer_add_cb(in, bytes_came, client);
    evbuffer_add_cb(bufferevent_get_output(stream), bytes_leave, client);
    evhttp_connection_set_closecb(connection, gone, client);
    apr_hash_set(g_clients, &client->connection, sizeof(client->connection),
                 client);
    start_reading(client);
}

/* --- All of them --------------------------------------------------------- */

static struct bufferevent *make_stream(struct event_base *base, void *baton)
{
    struct bufferevent *stream = bufferevent_socket_new(base, -1,
                                                        BEV_OPT_CLOSE_ON_FREE);

    (void)baton;
    if (stream)
        evbuffer_add_cb(bufferevent_get_input(stream), first_bytes, stream);
    return stream;
}

int clients_watch(shop_t *shop)
{
    g_shop = shop;
    if (apr_pool_create(&g_pool, NULL) != APR_SUCCESS)
        return -1;
    g_clients = apr_hash_make(g_pool);
    evhttp_set_bevcb(shop->http, make_stream, NULL);
    return 0;
}

void clients_busy(struct evhttp_request *request)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(
        request);
    client_t *client = apr_hash_get(g_clients, &connection, sizeof(connection));

    if (!client)
        return;
    client->state = ANSWERING;
    event_del(client->deadline);
    evhttp_request_set_on_complete_cb(request, answer_left, client);
}

void clients_drain(void (*done)(void *baton), void *baton)
{
    apr_hash_index_t *index;
    void *value;

    for (index = apr_hash_first(NULL, g_clients); index;
         index = apr_hash_next(index)) {
        client_t *client;

        apr_hash_this(index, NULL, NULL, &value);
        client = value;
        /* Closing takes it out of the hash, which APR allows here. */
        if (client->state == IDLE)
            evhttp_connection_free(client->connection);
    }
    if (apr_hash_count(g_clients) == 0) {
        done(baton);
        return;
    }
    g_drained = done;
    g_drained_baton = baton;
}
