/* SPDX-License-Identifier: Apache-2.0 */

/*
 * values.h: context variables: an immutable, shared chain.
 *
 * Setting one makes a new chain that shares the tail behind the entry it
 * replaces, so a thread that sets one variable a million times keeps a chain as
 * long as there are variables.
 */

#ifndef BROOD_LINEAGE_VALUES_H
#define BROOD_LINEAGE_VALUES_H

#include "base/atomic.h"

typedef struct brood__values_t brood__values_t;

/* Keys are compared by address. `release` may be NULL. The result holds one
 * reference and is NULL when the chain became empty; *failed tells an empty
 * chain from lack of memory. `values` stays the caller's. A NULL `value` takes
 * the variable out. */
brood__values_t *brood__values_with(brood__values_t *values, const void *key,
                                    void *value, void (*release)(void *),
                                    int *failed);
void *brood__values_get(const brood__values_t *values, const void *key);
brood__values_t *brood__values_retain(brood__values_t *values);
void brood__values_release(brood__values_t *values);

#endif /* BROOD_LINEAGE_VALUES_H */
