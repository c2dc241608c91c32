/* SPDX-License-Identifier: Apache-2.0 */

/* node.c: the family tree itself. */

#include "lineage/node.h"

#include "base/alloc.h"
#include "lineage/life.h"
#include "lineage/manager.h"
#include "lineage/owner.h"
#include "lineage/registry.h"

brood__lock_t brood__registry = BROOD__LOCK_INIT(BROOD__RANK_REGISTRY);

static atomic_ullong g_serial; /* the last one given out */

/* Living nodes, oldest first, so parents stand before their children. Both
 * under the registry's lock. */
static brood__link_t g_tree = { &g_tree, &g_tree };
static size_t g_n_nodes;

static int die(brood__node_t *node);
static void free_node(brood__node_t *node);
static size_t copy_views(brood__node_view_t *views, size_t room);

brood__node_t *brood__node_make(brood__node_t *parent, brood__node_e type)
{
    brood__node_t *node = brood__alloc(sizeof(*node));

    if (!node)
        return NULL;
    atomic_init(&node->live, 1);
    atomic_init(&node->memory, 1);
    node->type = type;
    node->parent = parent;
    brood__list_init(&node->managers);
    if (parent) {
        node->grandparent = parent->parent;
        brood__node_retain(parent);
        if (type != BROOD__NODE_SERVICE)
            brood__node_live(parent);
    }
    node->serial = parent && type == BROOD__NODE_SERVICE
                       ? parent->serial
                       : brood__add(&g_serial, 1, relaxed) + 1;

    brood__registry_lock();
    brood__list_append(&g_tree, &node->link);
    g_n_nodes++;
    brood__registry_unlock();
    return node;
}

void brood__node_live(brood__node_t *node)
{
    /* Relaxed: the caller has a count already, or knows who has. */
    brood__add(&node->live, 1, relaxed);
}

int brood__node_try_live(brood__node_t *node)
{
    long long seen = brood__load(&node->live, relaxed);

    while (seen > 0)
        if (brood__cas_weak(&node->live, &seen, seen + 1, relaxed))
            return 1;
    return 0;
}

/* Up the chain in a loop: it may be as long as there are threads. */
void brood__node_unlive(brood__node_t *node)
{
    brood__node_t *parent;

    while (node && brood__sub(&node->live, 1, acq_rel) == 1) { /* (1) */
        parent = node->type == BROOD__NODE_SERVICE ? NULL : node->parent;
        if (!die(node))
            return;
        node = parent;
    }
}

void brood__node_retain(brood__node_t *node)
{
    brood__add(&node->memory, 1, relaxed);
}

void brood__node_release(brood__node_t *node)
{
    brood__node_t *parent;

    while (node && brood__sub(&node->memory, 1, acq_rel) == 1) { /* (2) */
        parent = node->parent;
        free_node(node);
        node = parent;
    }
}

size_t brood__node_count(void)
{
    size_t n;

    brood__registry_lock();
    n = g_n_nodes;
    brood__registry_unlock();
    return n;
}

apr_status_t brood__node_snapshot(brood__node_view_t **views, size_t *n)
{
    size_t room = brood__node_count() + 8;
    brood__node_view_t *copy;

    for (;; room = *n + 8) {
        copy = brood__alloc(room * sizeof(*copy));
        if (!copy)
            return APR_ENOMEM;
        brood__registry_lock();
        *n = copy_views(copy, room);
        brood__registry_unlock();
        if (*n <= room)
            break;
        brood__free(copy);
    }
    *views = copy;
    return APR_SUCCESS;
}

/* The node's memory is still there: the parent, which the caller goes on with,
 * outlives it because the caller has not yet given that count of life back. */
static int die(brood__node_t *node)
{
    if (brood__life_forked())
        return 0;
    brood__registry_lock();
    brood__list_remove(&node->link);
    g_n_nodes--;
    brood__owner_died(node);
    brood__registry_unlock();
    brood__node_release(node);
    return 1;
}

static void free_node(brood__node_t *node)
{
    brood__entry_t *entry = brood__load(&node->entries, relaxed);
    brood__entry_t *next;

    brood__owner_freed(node);
    for (; entry; entry = next) {
        next = entry->next;
        brood__free(entry);
    }
    brood__free(node);
}

/* As many as there is room for; returns how many there are. */
static size_t copy_views(brood__node_view_t *views, size_t room)
{
    brood__link_t *link;
    brood__node_t *node;
    size_t n = 0;

    BROOD__LIST_EACH (&g_tree, link) {
        node = BROOD__CONTAINER(link, brood__node_t, link);
        if (node->type == BROOD__NODE_SERVICE)
            continue;
        if (n < room) {
            views[n].serial = node->serial;
            views[n].parent_serial = node->parent ? node->parent->serial : 0;
            views[n].type = node->type;
            views[n].ended = brood__load(&node->ended, relaxed);
            views[n].n_managers = node->n_managers;
        }
        n++;
    }
    return n;
}
