/* SPDX-License-Identifier: Apache-2.0 */

/* frame.c: where the running task or thread stands, and what ends with it. */

#include "base/alloc.h"
#include "lineage/self.h"
#include "lineage/values.h"

#define OWNS (BROOD__FRAME_OWNS_SCOPE | BROOD__FRAME_OWNS_NODE)

/* Where we stood before an attach. */
struct brood__attach_t {
    struct brood__attach_t *next;
    brood__scope_t *scope;
    unsigned owns;
};

static void leave(brood__scope_t *scope);

/* Releasing a value may give the frame a new place, which has to go, too: a few
 * times over, as POSIX does with a thread's variables. */
void brood__frame_clean(void)
{
    brood__frame_t *now = &brood__self.now;
    brood__scope_t *scope;
    int round;

    for (round = 0; round < 4; round++) {
        brood__self_run_at_end();
        while (now->attached)
            brood__self_detach();
        if (now->flags & BROOD__FRAME_OWNS_NODE)
            brood__store(&now->scope->node->ended, 1, relaxed);
        scope = now->flags & BROOD__FRAME_OWNS_SCOPE ? now->scope : NULL;
        now->flags &= ~OWNS;
        now->scope = NULL;
        if (!scope)
            break;
        leave(scope);
    }
}

void brood__self_run_at_end(void)
{
    brood__at_end_t *hook;

    while ((hook = brood__self.now.at_end) != NULL) {
        brood__self.now.at_end = hook->next;
        hook->fn(hook);
    }
}

brood__node_t *brood__self_node(int own)
{
    brood__frame_t *now = &brood__self.now;
    brood__node_t *node = now->scope->node;
    brood__scope_t *scope;

    if (!own || !(now->flags & BROOD__FRAME_IN_TASK) || now->attached
        || (now->flags & BROOD__FRAME_OWNS_NODE))
        return node;
    node = brood__node_make(node, BROOD__NODE_TASK);
    if (!node)
        return NULL;
    scope = brood__scope_make(node, brood__values_retain(now->scope->values));
    if (!scope)
        return NULL;
    brood__self_stand(scope);
    now->flags |= BROOD__FRAME_OWNS_NODE;
    return node;
}

void brood__self_stand(brood__scope_t *scope)
{
    brood__frame_t *now = &brood__self.now;
    brood__scope_t *old = now->flags & BROOD__FRAME_OWNS_SCOPE ? now->scope
                                                               : NULL;

    now->scope = scope;
    now->flags |= BROOD__FRAME_OWNS_SCOPE;
    if (old)
        leave(old);
}

apr_status_t brood__self_attach(brood__scope_t *scope)
{
    brood__frame_t *now = &brood__self.now;
    struct brood__attach_t *before = brood__alloc(sizeof(*before));

    if (!before)
        return APR_ENOMEM;
    before->next = now->attached;
    before->scope = now->scope;
    before->owns = now->flags & OWNS;
    now->attached = before;
    now->scope = scope;
    now->flags = (now->flags & ~OWNS) | BROOD__FRAME_OWNS_SCOPE;
    return APR_SUCCESS;
}

void brood__self_detach(void)
{
    brood__frame_t *now = &brood__self.now;
    struct brood__attach_t *before = now->attached;
    brood__scope_t *scope = now->scope;

    if (!before)
        return;
    now->attached = before->next;
    now->scope = before->scope;
    now->flags = (now->flags & ~OWNS) | before->owns;
    brood__free(before);
    leave(scope);
}

void brood__at_end_add(brood__at_end_t *hook)
{
    hook->next = brood__self.now.at_end;
    brood__self.now.at_end = hook;
}

void brood__at_end_remove(brood__at_end_t *hook)
{
    brood__at_end_t **at = &brood__self.now.at_end;

    while (*at && *at != hook)
        at = &(*at)->next;
    if (*at)
        *at = hook->next;
}

/* Our reference, and the purse's credits: nobody may submit from there for a
 * long time. Runs the releases of context values, so it comes last. */
static void leave(brood__scope_t *scope)
{
    if (brood__self.purse.scope == scope) {
        brood__purse_empty(&brood__self.purse);
        brood__self.purse.scope = NULL;
    }
    brood__scope_release(scope, 1);
}

void brood__self_remember(brood__scope_t *from, brood__scope_t *scope)
{
    brood__self_forget();
    brood__scope_retain(scope);
    brood__self.derived.from = from;
    brood__self.derived.scope = scope;
}

void brood__self_forget(void)
{
    brood__scope_t *from = brood__self.derived.from;
    brood__scope_t *scope = brood__self.derived.scope;

    brood__self.derived.from = brood__self.derived.scope = NULL;
    if (scope)
        brood__scope_release(scope, 1);
    if (from)
        brood__scope_release(from, 1);
}
