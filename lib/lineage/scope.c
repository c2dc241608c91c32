/* SPDX-License-Identifier: Apache-2.0 */

/* scope.c: where a piece of work stands. */

#include "lineage/scope.h"

#include "base/alloc.h"
#include "lineage/values.h"

brood__scope_t *brood__scope_make(brood__node_t *node,
                                  struct brood__values_t *values)
{
    brood__scope_t *scope = brood__alloc_aligned(sizeof(*scope), BROOD__LINE);

    if (!scope) {
        brood__values_release(values);
        brood__node_unlive(node);
        return NULL;
    }
    atomic_init(&scope->refs, 1);
    scope->node = node;
    scope->values = values;
    return scope;
}

void brood__scope_free(brood__scope_t *scope)
{
    brood__values_release(scope->values);
    brood__node_unlive(scope->node);
    brood__free_aligned(scope);
}
