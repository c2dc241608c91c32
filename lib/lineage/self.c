/* SPDX-License-Identifier: Apache-2.0 */

/* self.c: what the calling thread knows of itself, from first to last. */

#include "lineage/self.h"

#include "lineage/life.h"
#include "lineage/values.h"
#include "os/lock.h"

#define EXITS 8 /* floors that want to be told */

typedef void exit_fn(brood__self_t *self);

BROOD__THREAD_LOCAL brood__self_t brood__self;

/*
 * A record is touched by its thread, but for brood_terminate(), which cleans
 * those of resting threads:
 *
 *     linked --(1)--> cleaned by its own thread
 *        \----(2)---> claimed --(3)--> cleaned by brood_terminate()
 *
 *   (1) its thread, in its exit hook, which first waits while it is claimed.
 *   (2), (3) brood__self_exit_all().
 */
static brood__lock_t g_lock = BROOD__LOCK_INIT(BROOD__RANK_LEAF);
static brood__cond_t g_unclaimed = BROOD__COND_INIT;
static brood__link_t g_selves = { &g_selves, &g_selves }; /* under g_lock */
static exit_fn *g_exits[EXITS];                           /* under g_lock */
static brood__scope_t *g_default; /* under g_lock; one reference */

static brood__self_t *first_foreign(void) BROOD__REQUIRES(g_lock);
static void on_exit_hook(void *data);
static brood__scope_t *default_scope(void);
static void clean(brood__self_t *self);
static void tell_floors(brood__self_t *self);

apr_status_t brood__self_init(void)
{
    return brood__os_exit_hook(on_exit_hook);
}

apr_status_t brood__self_see(void)
{
    brood__scope_t *family = NULL;
    brood__scope_t *scope = NULL;
    brood__node_t *node;
    apr_status_t rv = brood__life_check();

    if (rv == APR_SUCCESS)
        rv = brood__self_watch();
    if (rv != APR_SUCCESS)
        return rv;
    family = default_scope();
    node = brood__node_make(family ? family->node : NULL, BROOD__NODE_THREAD);
    if (node)
        scope = brood__scope_make(
            node, brood__values_retain(family ? family->values : NULL));
    if (family)
        brood__scope_release(family, 1);
    if (!scope)
        return APR_ENOMEM;
    brood__self_stand(scope);
    brood__self.now.flags |= BROOD__FRAME_OWNS_NODE;
    return APR_SUCCESS;
}

apr_status_t brood__self_watch(void)
{
    apr_status_t rv;

    if (brood__self.seen)
        return APR_SUCCESS;
    rv = brood__self_init();
    if (rv == APR_SUCCESS)
        rv = brood__os_exit_hook_set(&brood__self);
    if (rv != APR_SUCCESS)
        return rv;
    brood__lock(&g_lock);
    brood__list_append(&g_selves, &brood__self.link);
    brood__self.seen = 1;
    brood__unlock(&g_lock);
    return APR_SUCCESS;
}

void brood__self_library(brood__scope_t *scope)
{
    brood__self.library = 1;
    brood__self.now.scope = scope;
    brood__self.now.flags = 0;
}

void brood__self_at_exit(void (*fn)(brood__self_t *self))
{
    int i;

    brood__lock(&g_lock);
    for (i = 0; i < EXITS && g_exits[i] != fn; i++)
        if (!g_exits[i]) {
            g_exits[i] = fn;
            break;
        }
    brood__unlock(&g_lock);
}

void brood__self_exit(void)
{
    if (brood__life_forked())
        return;
    brood__lock(&g_lock);
    while (brood__self.claimed)
        (void)brood__cond_wait(&g_unclaimed, &g_lock, -1);
    if (brood__self.seen) /* (1) */
        brood__list_remove(&brood__self.link);
    brood__self.seen = 0;
    brood__unlock(&g_lock);
    clean(&brood__self);
}

void brood__self_exit_all(void)
{
    brood__self_t *self;

    brood__lock(&g_lock);
    while ((self = first_foreign()) != NULL) {
        brood__list_remove(&self->link);
        self->claimed = 1; /* (2) */
        self->seen = 0;
        brood__unlock(&g_lock);
        clean(self);
        brood__lock(&g_lock);
        self->claimed = 0; /* (3) */
        brood__cond_wake_all(&g_unclaimed);
    }
    brood__unlock(&g_lock);
}

void brood__self_default(brood__scope_t *scope)
{
    brood__scope_t *old;

    brood__lock(&g_lock);
    old = g_default;
    g_default = scope;
    brood__unlock(&g_lock);
    if (old)
        brood__scope_release(old, 1);
}

/* Any record but those of library threads, which clean up after themselves. */
static brood__self_t *first_foreign(void)
{
    brood__link_t *link;
    brood__self_t *self;

    BROOD__LIST_EACH (&g_selves, link) {
        self = BROOD__CONTAINER(link, brood__self_t, link);
        if (!self->library)
            return self;
    }
    return NULL;
}

static void on_exit_hook(void *data)
{
    (void)data; /* this thread's record */
    brood__self_exit();
}

/* With a reference; NULL when there is none. */
static brood__scope_t *default_scope(void)
{
    brood__scope_t *scope;

    brood__lock(&g_lock);
    scope = g_default;
    if (scope)
        brood__scope_retain(scope);
    brood__unlock(&g_lock);
    return scope;
}

/* What runs here (context values are released, open transactions end) sees the
 * record's thread as the calling one. */
static void clean(brood__self_t *self)
{
    static const brood__frame_t nowhere;
    brood__frame_t mine;

    if (self == &brood__self) {
        brood__frame_clean();
    } else {
        mine = brood__self.now;
        brood__self.now = self->now;
        brood__frame_clean();
        brood__self.now = mine;
    }
    self->now = nowhere;
    tell_floors(self);
    brood__purse_empty(&self->purse);
    self->purse.scope = NULL;
}

static void tell_floors(brood__self_t *self)
{
    exit_fn *exits[EXITS];
    int i;

    brood__lock(&g_lock);
    for (i = 0; i < EXITS; i++)
        exits[i] = g_exits[i];
    brood__unlock(&g_lock);
    while (i-- > 0)
        if (exits[i])
            exits[i](self);
}
