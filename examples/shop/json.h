/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHOP_JSON_H
#define SHOP_JSON_H

/* json.h: answers in JSON. */

#include <apr_errno.h>

#include <jansson.h>

#include "shop.h"

/* Decide the answer; takes `json`. APR_ENOMEM: nothing is decided. */
apr_status_t json_answer(request_t *request, int code, json_t *json);

#endif /* SHOP_JSON_H */
