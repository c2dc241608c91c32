/* SPDX-License-Identifier: Apache-2.0 */

/* variable.c: context variables of this floor's own. */

#include "async/variable.h"

brood__scope_t *brood__scope_with(const brood__scope_t *scope, const void *key,
                                  void *value, void (*release)(void *value))
{
    brood__scope_t *made;
    int failed;

    brood__node_live(scope->node); /* the new scope's */
    made = brood__scope_make(scope->node, NULL);
    if (!made)
        return NULL;
    /* The value comes last: a failure must not release it. */
    made->values = brood__values_with(scope->values, key, value, release,
                                      &failed);
    if (failed) {
        brood__scope_release(made, 1);
        return NULL;
    }
    return made;
}
