/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHOP_METRICS_H
#define SHOP_METRICS_H

/*
 * metrics.h: the shop's own counters; brood has its own too.
 *
 * May be called on any thread, except metrics_request(): the loop's.
 */

#include <apr_time.h>

#include "shop.h"

/* Returns the number of the connection, from 1. */
int metrics_connection_opened(void);
void metrics_connection_closed(void);

/* An answer was given. */
void metrics_request(route_e route, int code, apr_interval_time_t taken);

/* A transaction ended. */
void metrics_transaction(int committed, const trace_t *trace);

/* For the last line of the log. */
unsigned long long metrics_committed(void);
unsigned long long metrics_rolled_back(void);

/* A context ended with a transaction open. */
void metrics_left_open(void);

#endif /* SHOP_METRICS_H */
