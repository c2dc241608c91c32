/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHOP_THUMBS_H
#define SHOP_THUMBS_H

/*
 * thumbs.h: POST /thumb: pictures from anybody, so worker processes look at
 * them. A picture that kills its worker costs itself.
 */

#include <brood/process.h>

#include "shop.h"

/* What the worker processes offer; see brood_process_main(). */
extern const brood_process_entry_t thumbs_functions[];

/* Start the workers; stop them when no request is left. */
apr_status_t thumbs_start(void);
apr_status_t thumbs_stop(void);

/* Lines for GET /metrics. */
void thumbs_show(struct evbuffer *out);

#endif /* SHOP_THUMBS_H */
