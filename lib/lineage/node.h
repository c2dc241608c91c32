/* SPDX-License-Identifier: Apache-2.0 */

/*
 * node.h: the family tree itself.
 *
 * A node has two counts. `live` is what makes it a living member: the scopes
 * that stand on it (see scope.h) and its living children. When it drops to 0
 * the node is dead for ever: it leaves the tree, gives its parent's count back,
 * and its managers go to the collector. `memory` is what keeps the bytes: life
 * itself counts one, so does each manager that is not finished yet, and each
 * child (dead ones and service nodes too, so that a pointer to a parent is
 * always good).
 *
 *     LIVING --(1)--> DEAD --(2)--> freed
 *
 *   (1) whoever takes `live` to 0, once; on any thread, under no lock.
 *   (2) whoever takes `memory` to 0. It drops the owner's reference to each
 *       manager.
 *
 * A walk to the root needs no lock and writes nothing: the chain is not cut
 * while its lower end has memory, and entries and managers stay with it. So
 * what a manager's hooks find, while their owner is already dead, is memory all
 * the same; it is `retiring` then.
 */

#ifndef BROOD_LINEAGE_NODE_H
#define BROOD_LINEAGE_NODE_H

#include <apr_errno.h>

#include "base/atomic.h"
#include "base/list.h"

struct brood__manager_t;

/* A manager under its id. Entries are only ever added in front, and freed with
 * the node; force-create stores another manager into the entry. */
typedef struct brood__entry_t {
    struct brood__entry_t *next; /* fixed before publication */
    const void *kind;            /* brood__kind_t; fixed */
    uint64_t hash;               /* of the id; fixed */
    _Atomic(struct brood__manager_t *) manager;
} brood__entry_t;

typedef enum {
    BROOD__NODE_THREAD, /* of a thread */
    BROOD__NODE_TASK,   /* of a task that needed one */
    BROOD__NODE_SERVICE /* where a manager's own hooks stand */
} brood__node_e;

typedef struct brood__node_t {
    atomic_llong live;
    atomic_int memory;
    brood__node_e type;           /* fixed */
    uint64_t serial;              /* fixed */
    atomic_int ended;             /* its thread or task has returned */
    int n_managers;               /* under the registry's lock */
    struct brood__node_t *parent; /* fixed; NULL for a root; a service node's
                                     is the owner of its manager */
    struct brood__node_t *grandparent; /* fixed; the parent's parent */
    _Atomic(brood__entry_t *) entries; /* added under the registry's lock */
    brood__link_t managers; /* all of them; under the registry's lock */
    brood__link_t link;     /* in the tree; under the registry's lock */
} brood__node_t;

/* A new living node with one count of `live`, the caller's. A service node
 * shows its parent's serial and does not keep its parent alive. NULL when
 * memory ran out. `parent` must be living, or NULL. */
brood__node_t *brood__node_make(brood__node_t *parent, brood__node_e type);

/* One more count of life; the caller must know that the node lives. */
void brood__node_live(brood__node_t *node);

/* The same on a node that may have died but has memory: 0 then. */
int brood__node_try_live(brood__node_t *node);

/* Give one count of life back. */
void brood__node_unlive(brood__node_t *node);

void brood__node_retain(brood__node_t *node);
void brood__node_release(brood__node_t *node);

/* Living nodes, for tests and for the end of the library. */
size_t brood__node_count(void);

/* What brood_lineage_each() shows of a living node. */
typedef struct brood__node_view_t {
    uint64_t serial;
    uint64_t parent_serial;
    brood__node_e type;
    int ended;
    int n_managers;
} brood__node_view_t;

/* A copy of the tree, parents before children, without service nodes; free it
 * with brood__free(). APR_ENOMEM or APR_SUCCESS. */
apr_status_t brood__node_snapshot(brood__node_view_t **views, size_t *n);

#endif /* BROOD_LINEAGE_NODE_H */
