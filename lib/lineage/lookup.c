/* SPDX-License-Identifier: Apache-2.0 */

/*
 * lookup.c: find the manager that the asker's ancestors provide, or make it.
 *
 * The walk takes no lock and writes nothing. Memory order: (A) an entry, and
 * the manager in it, are complete before they are stored with release into the
 * node's list or the entry; the walk loads both with acquire.
 *
 * Most threads ask for the same again and again, so each remembers what it
 * found: from which node, and how many managers had been made known by then. A
 * node at the same address has another serial, or is the service node of
 * another manager, which then was made known since. (B) Whoever makes one
 * known counts it afterwards, with release; who remembers has loaded the
 * count, with acquire, before he walked. So a count that has not changed says
 * that a walk would find the same; and a manager that was made known before
 * the asker asked is counted. While the asker's node has memory, so has all
 * that it found above itself (node.h).
 */

#include <brood/errors.h>
#include <brood/manager.h>

#include <string.h>

#include "base/alloc.h"
#include "lineage/collector.h"
#include "lineage/life.h"
#include "lineage/make.h"

#define FLAGS (BROOD_GET_FORCE_CREATE | BROOD_GET_STRICT | BROOD_GET_AT_OWNER)

typedef struct wanted_t {
    const brood__kind_t *kind;
    const char *id;
    uint64_t hash;
    unsigned flags;
} wanted_t;

brood__node_t *(*brood__running_owner)(void);

/* How often a manager was made known. */
static atomic_ullong g_changes;

static int flags_are_good(unsigned flags);
static uint64_t hash_of(const char *id);
static brood__manager_t *remember(brood__node_t *node, const wanted_t *wanted);
BROOD__INLINE int is_called(const brood__manager_t *manager,
                            const wanted_t *wanted);
BROOD__INLINE brood__manager_t *in_entry(brood__entry_t *entry,
                                         const wanted_t *wanted);
BROOD__INLINE brood__manager_t *at_node(brood__node_t *node,
                                        const wanted_t *wanted);
static brood__manager_t *walk(brood__node_t *node, const wanted_t *wanted);
static apr_status_t create(brood__manager_t **manager, const wanted_t *wanted);
static apr_status_t create_at(brood__manager_t **manager,
                              const wanted_t *wanted, brood__node_t *node);
static int install(brood__manager_t *manager, brood__entry_t **entry,
                   const wanted_t *wanted, brood__manager_t **winner);

apr_status_t brood__manager_get(brood__manager_t **manager,
                                const brood__kind_t *kind, const char *id,
                                unsigned flags)
{
    wanted_t wanted = { kind, id, 0, flags };
    apr_status_t rv = brood__life_check();

    if (!manager)
        return rv == APR_SUCCESS ? APR_EINVAL : rv;
    *manager = NULL;
    if (rv == APR_SUCCESS && BROOD__UNLIKELY(!flags_are_good(flags)))
        rv = APR_EINVAL;
    if (rv == APR_SUCCESS)
        rv = brood__self_ready();
    if (rv != APR_SUCCESS)
        return rv;
    wanted.hash = hash_of(id);
    if (!(flags & BROOD_GET_FORCE_CREATE)) {
        *manager = remember(brood__self.now.scope->node, &wanted);
        if (BROOD__LIKELY(*manager != NULL))
            return APR_SUCCESS;
        if (flags & BROOD_GET_STRICT)
            return BROOD_ENOTFOUND;
    }
    return create(manager, &wanted);
}

brood__manager_t *brood__manager_find(const brood__kind_t *kind, const char *id,
                                      int (*accept)(brood__manager_t *))
{
    const wanted_t wanted = { kind, id, hash_of(id), 0 };
    brood__manager_t *manager;
    brood__node_t *node;

    if (!brood__life_on() || brood__self_ready() != APR_SUCCESS)
        return NULL;
    for (node = brood__self.now.scope->node; node; node = node->parent) {
        manager = at_node(node, &wanted);
        if (manager && (!accept || accept(manager)))
            return manager;
    }
    return NULL;
}

static int flags_are_good(unsigned flags)
{
    return !(flags & ~FLAGS)
           && (!(flags & BROOD_GET_STRICT) || flags == BROOD_GET_STRICT);
}

/* The first four bytes, which cost nothing and tell most ids apart. NULL, "" and
 * "0" are three ids. */
static uint64_t hash_of(const char *id)
{
    uint64_t hash = 1;
    int i;

    if (!id)
        return 0;
    for (i = 0; i < 4 && id[i]; i++)
        hash = hash << 8 | (unsigned char)id[i];
    return hash;
}

/* As walk(). */
static brood__manager_t *remember(brood__node_t *node, const wanted_t *wanted)
{
    size_t at = ((uintptr_t)wanted->kind / 64 + wanted->hash) % BROOD__MEMOS;
    brood__memo_t *memo = &brood__self.memos[at];
    brood__manager_t *manager = memo->manager;
    unsigned long long changes = brood__load(&g_changes, acquire); /* (B) */

    if (BROOD__LIKELY(manager && memo->changes == changes && memo->node == node
                      && memo->serial == node->serial
                      && memo->hash == wanted->hash
                      && memo->kind == wanted->kind)
        && is_called(manager, wanted)
        && !brood__load(&manager->retiring, relaxed))
        return manager;
    manager = walk(node, wanted);
    memo->node = node;
    memo->serial = node->serial;
    memo->hash = wanted->hash;
    memo->kind = wanted->kind;
    memo->changes = changes;
    memo->manager = manager;
    return manager;
}

/* Its hash is right. */
BROOD__INLINE int is_called(const brood__manager_t *manager,
                            const wanted_t *wanted)
{
    return !manager->id || strcmp(manager->id, wanted->id) == 0;
}

/* The manager in an entry of this kind and id, else NULL. */
BROOD__INLINE brood__manager_t *in_entry(brood__entry_t *entry,
                                         const wanted_t *wanted)
{
    brood__manager_t *manager;

    if (entry->hash != wanted->hash || entry->kind != wanted->kind)
        return NULL;
    manager = brood__load(&entry->manager, acquire); /* (A) */
    return is_called(manager, wanted) ? manager : NULL;
}

/* What is retiring counts as not there, but while the library ends: then all
 * are, and tasks that are drained still find what they found before. */
BROOD__INLINE brood__manager_t *at_node(brood__node_t *node,
                                        const wanted_t *wanted)
{
    brood__entry_t *entry = brood__load(&node->entries, acquire); /* (A) */
    brood__manager_t *manager = NULL;

    while (entry && !(manager = in_entry(entry, wanted)))
        entry = entry->next;
    if (!entry)
        return NULL;
    if (BROOD__UNLIKELY(brood__load(&manager->retiring, relaxed))
        && brood__load(&brood__life, relaxed) != BROOD__LIFE_ENDING)
        return NULL;
    return manager;
}

/* Two generations a step: the time goes into waiting for the next pointer. */
static brood__manager_t *walk(brood__node_t *node, const wanted_t *wanted)
{
    brood__manager_t *manager = NULL;

    for (; node && !manager; node = node->grandparent) {
        manager = at_node(node, wanted);
        if (!manager && node->parent)
            manager = at_node(node->parent, wanted);
    }
    return manager;
}

/* On the current node, or on that of the running task's manager. */
static apr_status_t create(brood__manager_t **manager, const wanted_t *wanted)
{
    brood__node_t *node = NULL;
    apr_status_t rv;

    if (brood__load(&brood__life, relaxed) == BROOD__LIFE_ENDING)
        return BROOD_ESTOPPED;
    if ((wanted->flags & BROOD_GET_AT_OWNER) && brood__running_owner)
        node = brood__running_owner();
    if (node) {
        if (!brood__node_try_live(node))
            return BROOD_ESTOPPED;
        rv = create_at(manager, wanted, node);
        brood__node_unlive(node);
        return rv;
    }
    node = brood__self_node(1);
    return node ? create_at(manager, wanted, node) : APR_ENOMEM;
}

static apr_status_t create_at(brood__manager_t **manager,
                              const wanted_t *wanted, brood__node_t *node)
{
    brood__manager_t *made;
    brood__entry_t *entry;
    apr_status_t rv = brood__collector_ready();

    if (rv != APR_SUCCESS)
        return rv;
    rv = brood__manager_make(&made, wanted->kind, wanted->id, wanted->hash,
                             node);
    if (rv != APR_SUCCESS)
        return rv;
    entry = brood__alloc(sizeof(*entry));
    if (!entry) {
        brood__manager_unmake(made);
        return APR_ENOMEM;
    }
    if (!install(made, &entry, wanted, manager)) {
        brood__manager_unmake(made);
        rv = *manager ? APR_SUCCESS : BROOD_ESTOPPED;
    }
    brood__free(entry);
    return rv;
}

/*
 * Make it known, unless somebody was faster: then *winner is what he made.
 * Takes *entry if it needs it. A node has one entry per kind and id; what is in
 * it may have begun to retire, at the library's end, and is replaced then.
 */
static int install(brood__manager_t *manager, brood__entry_t **entry,
                   const wanted_t *wanted, brood__manager_t **winner)
{
    brood__node_t *node = manager->owner;
    brood__entry_t *old;
    int made = 0;

    *winner = NULL;
    brood__registry_lock();
    if (brood__load(&brood__life, relaxed) == BROOD__LIFE_ENDING)
        goto done;
    if (!(wanted->flags & BROOD_GET_FORCE_CREATE)) {
        *winner = walk(brood__self.now.scope->node, wanted);
        if (!*winner)
            *winner = at_node(node, wanted); /* with AT_OWNER it may not be
                                                above us */
        if (*winner)
            goto done;
    }
    made = 1;
    *winner = manager;
    brood__manager_own(manager);
    old = brood__load(&node->entries, relaxed);
    while (old && !in_entry(old, wanted))
        old = old->next;
    if (old) {
        brood__store(&old->manager, manager, release); /* (A) */
    } else {
        (*entry)->next = brood__load(&node->entries, relaxed);
        (*entry)->kind = wanted->kind;
        (*entry)->hash = wanted->hash;
        atomic_init(&(*entry)->manager, manager);
        brood__store(&node->entries, *entry, release); /* (A) */
        *entry = NULL;
    }
    brood__add(&g_changes, 1, release); /* (B) */
done:
    brood__registry_unlock();
    return made;
}
