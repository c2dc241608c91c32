/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHOP_CLIENTS_H
#define SHOP_CLIENTS_H

/*
 * clients.h: the connections, watched for what evhttp does not tell: clients
 * that are too slow, requests that evhttp itself refuses, and when the last
 * answer has left. Only the loop's thread calls these.
 */

#include "shop.h"

/* Watch every connection that `shop->http` will accept. */
int clients_watch(shop_t *shop);

/* The connection's request is complete; its answer is up to us. */
void clients_busy(struct evhttp_request *request);

/* Close what is idle, and call `done` once the last answer has left. */
void clients_drain(void (*done)(void *baton), void *baton);

/* For the log. */
const char *clients_name(struct evhttp_connection *connection);
const char *clients_method(struct evhttp_request *request);

#endif /* SHOP_CLIENTS_H */
