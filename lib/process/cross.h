/* SPDX-License-Identifier: Apache-2.0 */

/* cross.h: context variables that cross to a worker process. */

#ifndef BROOD_PROCESS_CROSS_H
#define BROOD_PROCESS_CROSS_H

#include "lineage/self.h"
#include "task/buffer.h"

/* The caller's variables that have a codec, as bytes; *bytes is NULL when there
 * are none. APR_ENOMEM, BROOD_ETOOBIG, or what an encode() returned. Calls the
 * program. */
apr_status_t brood__cross_encode(brood_buffer_t **bytes);

/* In a worker: a scope at the node of *scope, with the variables. The caller
 * owns a reference to the new one. Calls the program. */
apr_status_t brood__cross_decode(brood__scope_t **scope,
                                 const unsigned char *bytes, size_t size);

#endif /* BROOD_PROCESS_CROSS_H */
