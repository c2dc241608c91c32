/* SPDX-License-Identifier: Apache-2.0 */

/* context.h: context variables of the library's own (the open transaction). */

#ifndef BROOD_LINEAGE_CONTEXT_H
#define BROOD_LINEAGE_CONTEXT_H

#include <apr_errno.h>

/* As brood_context_set() and _get(). `key` is the even address of something
 * static. */
apr_status_t brood__context_set(const void *key, void *value,
                                void (*release)(void *value));
void *brood__context_get(const void *key);

#endif /* BROOD_LINEAGE_CONTEXT_H */
