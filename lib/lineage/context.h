/* SPDX-License-Identifier: Apache-2.0 */

/* context.h: context variables of the library's own (the open transaction). */

#ifndef BROOD_LINEAGE_CONTEXT_H
#define BROOD_LINEAGE_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include <brood/context.h>

/* As brood_context_set() and _get(). `key` is the even address of something
 * static. */
apr_status_t brood__context_set(const void *key, void *value,
                                void (*release)(void *value));
void *brood__context_get(const void *key);

/* A key whose values cross to other processes. */
typedef struct brood__crossing_t {
    const char *name;
    const void *key; /* for the above */
    brood_context_encode_fn *encode;
    brood_context_decode_fn *decode;
    void (*release)(void *value);
} brood__crossing_t;

/* The n-th of them, in the order of their making; 0: there are no more. */
int brood__crossing(size_t n, brood__crossing_t *crossing);

#endif /* BROOD_LINEAGE_CONTEXT_H */
