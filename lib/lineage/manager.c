/* SPDX-License-Identifier: Apache-2.0 */

/* manager.c: the life of a manager; lookup.c finds and makes them. */

#include "lineage/manager.h"

#include <stdio.h>

#include "base/alloc.h"
#include "lineage/collector.h"
#include "lineage/make.h"
#include "lineage/owner.h"
#include "os/lock.h"

/* Every manager that has an owner whose memory is there. Under the registry's
 * lock. */
static brood__link_t g_all = { &g_all, &g_all };
static size_t g_n_all;

static atomic_size_t g_count;  /* managers whose memory is there */
static atomic_ullong g_serial; /* the last one given out */

static apr_status_t make_base(brood__manager_t *manager, const char *id);
static void drop_base(brood__manager_t *manager);
static void free_manager(brood__manager_t *manager);
static void mark_retiring(brood__manager_t *manager);
static void begin_retire(brood__manager_t *manager)
    BROOD__REQUIRES(brood__registry);
static void retire(brood__job_t *job);
static void finish(brood__job_t *job);
static void cancel(brood__job_t *job);
static size_t copy_live(brood__manager_t **managers, size_t room,
                        const brood__kind_t *kind)
    BROOD__REQUIRES(brood__registry);

/* ---- birth ---------------------------------------------------------------- */

apr_status_t brood__manager_make(brood__manager_t **manager,
                                 const brood__kind_t *kind, const char *id,
                                 uint64_t hash, brood__node_t *owner)
{
    brood__manager_t *m = brood__alloc_aligned(kind->size, kind->align);
    apr_status_t rv;

    *manager = NULL;
    if (!m)
        return APR_ENOMEM;
    brood__add(&g_count, 1, relaxed);
    m->kind = kind;
    m->hash = hash;
    m->owner = owner;
    rv = make_base(m, id);
    if (rv == APR_SUCCESS)
        rv = kind->make(m);
    if (rv != APR_SUCCESS) {
        drop_base(m);
        free_manager(m);
        return rv;
    }
    *manager = m;
    return APR_SUCCESS;
}

void brood__manager_unmake(brood__manager_t *manager)
{
    drop_base(manager);
    brood__manager_release(manager);
}

void brood__manager_own(brood__manager_t *manager)
{
    brood__list_append(&manager->owner->managers, &manager->of_owner);
    manager->owner->n_managers++;
    brood__list_append(&g_all, &manager->all);
    g_n_all++;
}

static apr_status_t make_base(brood__manager_t *manager, const char *id)
{
    brood__node_t *place;

    atomic_init(&manager->refs, 1);
    manager->serial = brood__add(&g_serial, 1, relaxed) + 1;
    manager->owner_serial = manager->owner->serial;
    brood__node_retain(manager->owner);
    brood__list_init(&manager->of_owner);
    brood__list_init(&manager->all);
    brood__list_init(&manager->job.link);

    manager->id = brood__strdup(id);
    place = brood__node_make(manager->owner, BROOD__NODE_SERVICE);
    if (place)
        manager->service = brood__scope_make(place, NULL);
    if (!manager->service || (id && !manager->id))
        return APR_ENOMEM;
    return APR_SUCCESS;
}

/* What ties it to the tree. */
static void drop_base(brood__manager_t *manager)
{
    brood__scope_t *service = manager->service;
    brood__node_t *owner = manager->owner;

    manager->service = NULL;
    manager->owner = NULL;
    if (service)
        brood__scope_release(service, 1);
    brood__node_release(owner); /* may free the manager */
}

/* ---- references ----------------------------------------------------------- */

void brood__manager_retain(brood__manager_t *manager)
{
    brood__add(&manager->refs, 1, relaxed);
}

void brood__manager_release(brood__manager_t *manager)
{
    if (manager && brood__sub(&manager->refs, 1, acq_rel) == 1) { /* (4) */
        manager->kind->free(manager);
        free_manager(manager);
    }
}

size_t brood__manager_count(void)
{
    return brood__load(&g_count, relaxed);
}

static void free_manager(brood__manager_t *manager)
{
    brood__free(manager->id);
    brood__free_aligned(manager);
    brood__sub(&g_count, 1, relaxed);
}

/* ---- death ---------------------------------------------------------------- */

/* All are marked before the first is dealt with: none finds another. */
void brood__owner_died(brood__node_t *node)
{
    brood__link_t *link;

    BROOD__LIST_EACH (&node->managers, link)
        mark_retiring(BROOD__CONTAINER(link, brood__manager_t, of_owner));
    BROOD__LIST_EACH (&node->managers, link)
        begin_retire(BROOD__CONTAINER(link, brood__manager_t, of_owner));
}

void brood__managers_retire(void)
{
    brood__link_t *link;

    brood__registry_lock();
    BROOD__LIST_EACH (&g_all, link)
        mark_retiring(BROOD__CONTAINER(link, brood__manager_t, all));
    BROOD__LIST_EACH (&g_all, link)
        begin_retire(BROOD__CONTAINER(link, brood__manager_t, all));
    brood__registry_unlock();
}

void brood__manager_retired(brood__manager_t *manager)
{
    manager->job.fn = finish;
    brood__collector_push(&manager->job); /* (2) */
}

/* No other manager can be born to a node without memory. */
void brood__owner_freed(brood__node_t *node)
{
    brood__link_t *link;
    brood__link_t managers;

    if (brood__list_empty(&node->managers))
        return;
    brood__list_init(&managers);
    brood__registry_lock();
    BROOD__LIST_EACH (&node->managers, link) {
        brood__list_remove(
            &BROOD__CONTAINER(link, brood__manager_t, of_owner)->all);
        g_n_all--;
    }
    brood__list_splice(&managers, &node->managers);
    brood__registry_unlock();
    while ((link = brood__list_pop(&managers)) != NULL)
        brood__manager_release(
            BROOD__CONTAINER(link, brood__manager_t, of_owner));
}

static void mark_retiring(brood__manager_t *manager)
{
    brood__store(&manager->retiring, 1, release); /* (1) */
}

static void begin_retire(brood__manager_t *manager)
{
    if (manager->begun)
        return;
    manager->begun = 1;
    brood__collector_owe(1);
    manager->job.fn = retire;
    brood__collector_push(&manager->job);
}

static void retire(brood__job_t *job)
{
    brood__manager_t *manager = BROOD__CONTAINER(job, brood__manager_t, job);

    manager->kind->retire(manager);
}

static void finish(brood__job_t *job)
{
    brood__manager_t *manager = BROOD__CONTAINER(job, brood__manager_t, job);

    manager->kind->finish(manager); /* (3) */
    brood__registry_lock();
    manager->finished = 1;
    brood__registry_unlock();
    drop_base(manager);
    brood__collector_owe(-1);
}

size_t brood__managers_cancel(void)
{
    brood__manager_t *manager;
    brood__link_t *link;
    size_t n = 0;

    brood__registry_lock();
    BROOD__LIST_EACH (&g_all, link) {
        manager = BROOD__CONTAINER(link, brood__manager_t, all);
        if (manager->finished || manager->canceled)
            continue;
        manager->canceled = 1;
        brood__manager_retain(manager);
        manager->cancel_job.fn = cancel;
        brood__collector_push(&manager->cancel_job);
        n++;
    }
    brood__registry_unlock();
    return n;
}

/* Comes after retire(), because that was queued before. */
static void cancel(brood__job_t *job)
{
    brood__manager_t *manager = BROOD__CONTAINER(job, brood__manager_t,
                                                 cancel_job);
    int finished;

    brood__registry_lock();
    finished = manager->finished;
    brood__registry_unlock();
    if (!finished && manager->kind->cancel)
        manager->kind->cancel(manager);
    brood__manager_release(manager);
}

void brood__managers_forked(void)
{
    brood__manager_t *manager;
    brood__link_t *link;

    BROOD__LIST_EACH (&g_all, link) {
        manager = BROOD__CONTAINER(link, brood__manager_t, all);
        if (manager->kind->forked)
            manager->kind->forked(manager);
    }
}

/* ---- looking at all ------------------------------------------------------- */

apr_status_t brood__manager_each(const brood__kind_t *kind,
                                 int (*fn)(brood__manager_t *, void *),
                                 void *baton)
{
    brood__manager_t **managers = NULL;
    size_t room = 0;
    size_t n = 0;
    size_t i;
    int go_on = 1;

    do {
        brood__free(managers);
        room = n + 8;
        managers = brood__alloc(room * sizeof(brood__manager_t *));
        if (!managers)
            return APR_ENOMEM;
        brood__registry_lock();
        n = copy_live(managers, room, kind);
        brood__registry_unlock();
    } while (n > room);

    brood__lock_none_held();
    for (i = 0; i < n; i++) {
        go_on = go_on && fn(managers[i], baton) == 0;
        brood__manager_release(managers[i]);
    }
    brood__free(managers);
    return APR_SUCCESS;
}

/* Retained, if there is room for all; returns how many there are at most. */
static size_t copy_live(brood__manager_t **managers, size_t room,
                        const brood__kind_t *kind)
{
    brood__manager_t *manager;
    brood__link_t *link;
    size_t n = 0;

    if (g_n_all > room)
        return g_n_all;
    BROOD__LIST_EACH (&g_all, link) {
        manager = BROOD__CONTAINER(link, brood__manager_t, all);
        if ((kind && manager->kind != kind)
            || brood__load(&manager->retiring, relaxed))
            continue;
        brood__manager_retain(manager);
        managers[n++] = manager;
    }
    return n;
}

const char *brood__manager_describe(const brood__manager_t *manager,
                                    const char *noun, const char *detail,
                                    const char *type, char *buf, size_t len)
{
    const char *quote;

    if (!buf || !len)
        return buf;
    if (!manager) {
        (void)snprintf(buf, len, "<%s NULL>", noun);
        return buf;
    }
    quote = manager->id ? "'" : "";
    (void)snprintf(buf, len, "<%s %s%s%s: %s%s%s%s%sowner #%llu>",
                   manager->kind->noun, quote,
                   manager->id ? manager->id : "default", quote,
                   detail ? detail : "", detail && *detail ? ", " : "",
                   type ? "type '" : "", type ? type : "", type ? "', " : "",
                   (unsigned long long)manager->owner_serial);
    return buf;
}

const char *brood__manager_type(const char *type, char *buf, size_t len)
{
    if (type && len)
        (void)snprintf(buf, len, "%s", type);
    return type ? buf : NULL;
}
