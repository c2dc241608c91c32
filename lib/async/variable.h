/* SPDX-License-Identifier: Apache-2.0 */

/*
 * variable.h: context variables of this floor's own (lineage/context.h), read
 * on hot paths, and set for a scope that is yet to be stood at.
 */

#ifndef BROOD_ASYNC_VARIABLE_H
#define BROOD_ASYNC_VARIABLE_H

#include "lineage/context.h"
#include "lineage/self.h"
#include "lineage/values.h"

/* What the caller sees; NULL when unset. */
BROOD__INLINE void *brood__variable(const void *key)
{
    const brood__scope_t *scope = brood__self.now.scope;

    return scope && scope->values ? brood__values_get(scope->values, key)
                                  : NULL;
}

/* A scope like `scope`, in which a variable is set anew, with one reference.
 * NULL when memory ran out; then `value` stays the caller's. A NULL `value`
 * takes the variable out. */
brood__scope_t *brood__scope_with(const brood__scope_t *scope, const void *key,
                                  void *value, void (*release)(void *value));

#endif /* BROOD_ASYNC_VARIABLE_H */
