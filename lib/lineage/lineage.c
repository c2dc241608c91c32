/* SPDX-License-Identifier: Apache-2.0 */

/* lineage.c: the public face of the family tree. */

#include <brood/lineage.h>

#include <brood/errors.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "lineage/life.h"
#include "lineage/self.h"
#include "lineage/values.h"
#include "os/lock.h"

/* A capture is one reference to a scope. */
struct brood_lineage_t {
    brood__scope_t scope;
};

/* What a new thread takes with it: from its creator to its first function. */
typedef struct start_t {
    apr_thread_start_t fn;
    void *data;
    brood__scope_t *scope; /* on a node of its own */
} start_t;

static apr_status_t prepare(start_t **start, apr_thread_start_t fn, void *data);
static void abandon(start_t *start);
static void *APR_THREAD_FUNC begin(apr_thread_t *thread, void *data);

apr_status_t brood_thread_create(apr_thread_t **thread, apr_threadattr_t *attr,
                                 apr_thread_start_t fn, void *data,
                                 apr_pool_t *pool)
{
    start_t *start = NULL;
    apr_status_t rv = brood__life_check();

    if (rv == APR_SUCCESS && (!thread || !fn || !pool))
        rv = APR_EINVAL;
    if (thread)
        *thread = NULL;
    if (rv == APR_SUCCESS)
        rv = prepare(&start, fn, data);
    if (rv != APR_SUCCESS)
        return rv;

    rv = brood__fault(BROOD__FAULT_THREAD)
             ? APR_EAGAIN
             : apr_thread_create(thread, attr, begin, start, pool);
    if (rv != APR_SUCCESS) {
        *thread = NULL;
        abandon(start);
    }
    return rv;
}

apr_status_t brood_lineage_capture(brood_lineage_t **lineage)
{
    apr_status_t rv = brood__life_check();

    if (!lineage)
        return rv == APR_SUCCESS ? APR_EINVAL : rv;
    *lineage = NULL;
    if (rv == APR_SUCCESS)
        rv = brood__self_ready();
    if (rv != APR_SUCCESS)
        return rv;
    brood__scope_retain(brood__self.now.scope);
    *lineage = BROOD__CONTAINER(brood__self.now.scope, brood_lineage_t, scope);
    return APR_SUCCESS;
}

brood_lineage_t *brood_lineage_release(brood_lineage_t *lineage)
{
    if (lineage && !brood__life_forked())
        brood__scope_release(&lineage->scope, 1);
    return NULL;
}

apr_status_t brood_lineage_attach(brood_lineage_t *lineage)
{
    apr_status_t rv = brood__life_check();

    if (rv == APR_SUCCESS && !lineage)
        rv = APR_EINVAL;
    if (rv == APR_SUCCESS)
        rv = brood__self_watch(); /* its exit detaches */
    if (rv != APR_SUCCESS)
        return rv;
    brood__scope_retain(&lineage->scope);
    rv = brood__self_attach(&lineage->scope);
    if (rv != APR_SUCCESS)
        brood__scope_release(&lineage->scope, 1);
    return rv;
}

void brood_lineage_detach(void)
{
    if (brood__life_on())
        brood__self_detach();
}

apr_status_t brood_lineage_set_default(brood_lineage_t *lineage)
{
    apr_status_t rv = brood__life_check();

    if (rv != APR_SUCCESS)
        return rv;
    if (lineage)
        brood__scope_retain(&lineage->scope);
    brood__self_default(lineage ? &lineage->scope : NULL);
    return APR_SUCCESS;
}

uint64_t brood_lineage_serial(void)
{
    brood__node_t *node;

    if (!brood__life_on() || brood__self_ready() != APR_SUCCESS)
        return 0;
    node = brood__self_node(1);
    return node ? node->serial : 0;
}

uint64_t brood_lineage_parent_serial(void)
{
    brood__node_t *node;

    if (!brood__life_on() || brood__self_ready() != APR_SUCCESS)
        return 0;
    node = brood__self_node(1);
    if (node && node->type == BROOD__NODE_SERVICE)
        node = node->parent; /* it shows its owner's serial */
    return node && node->parent ? node->parent->serial : 0;
}

apr_status_t brood_lineage_each(brood_lineage_each_fn *fn, void *baton)
{
    brood_lineage_info_t info = { sizeof(info), 0, 0, 0, 0, 0 };
    brood__node_view_t *views;
    apr_status_t rv = brood__life_check();
    size_t n;
    size_t i;
    int go_on = 1;

    if (rv == APR_SUCCESS && !fn)
        rv = APR_EINVAL;
    if (rv == APR_SUCCESS)
        rv = brood__node_snapshot(&views, &n);
    if (rv != APR_SUCCESS)
        return rv;
    brood__lock_none_held();
    for (i = 0; i < n && go_on; i++) {
        info.serial = views[i].serial;
        info.parent_serial = views[i].parent_serial;
        info.is_task = views[i].type == BROOD__NODE_TASK;
        info.is_alive = !views[i].ended;
        info.managers = views[i].n_managers;
        go_on = fn(&info, baton) == 0;
    }
    brood__free(views);
    return APR_SUCCESS;
}

/* The child is there before its thread, and sees the creator's variables. */
static apr_status_t prepare(start_t **start, apr_thread_start_t fn, void *data)
{
    apr_status_t rv = brood__self_ready();
    brood__node_t *node;
    start_t *s;

    if (rv != APR_SUCCESS)
        return rv;
    s = brood__alloc(sizeof(*s));
    node = s ? brood__self_node(1) : NULL;
    node = node ? brood__node_make(node, BROOD__NODE_THREAD) : NULL;
    if (node)
        s->scope = brood__scope_make(
            node, brood__values_retain(brood__self.now.scope->values));
    if (!s || !s->scope) {
        brood__free(s);
        return APR_ENOMEM;
    }
    s->fn = fn;
    s->data = data;
    *start = s;
    return APR_SUCCESS;
}

static void abandon(start_t *start)
{
    brood__scope_release(start->scope, 1);
    brood__free(start);
}

/* `fn` may call apr_thread_exit() and never return: what is to be done at the
 * end is left to the exit hook. Where even that cannot be set, we are left. */
static void *APR_THREAD_FUNC begin(apr_thread_t *thread, void *data)
{
    const start_t start = *(start_t *)data;
    const int watched = brood__self_watch() == APR_SUCCESS;
    void *result;

    brood__free(data);
    brood__self_stand(start.scope);
    brood__self.now.flags |= BROOD__FRAME_OWNS_NODE;
    result = start.fn(thread, start.data);
    if (!watched)
        brood__self_exit();
    return result;
}
