/* SPDX-License-Identifier: Apache-2.0 */

/*
 * fake.h: a kind of manager that does nothing but tell what is done to it, and
 * what the tests of this floor share.
 */

#ifndef BROOD_TESTS_FAKE_H
#define BROOD_TESTS_FAKE_H

#include <brood/errors.h>
#include <brood/init.h>
#include <brood/lineage.h>
#include <brood/manager.h>

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "lineage/collector.h"
#include "lineage/life.h"
#include "lineage/self.h"
#include "support/support.h"

typedef struct fake_t {
    brood__manager_t base;
    void *memory;
} fake_t;

/* What became of all fakes; and what the next ones do. */
static struct {
    atomic_int made, retired, finished, freed, canceled;
    atomic_int holds;    /* retire() does not yet say retired() */
    atomic_int refuses;  /* make() fails */
    atomic_int on_other; /* retire() or finish() off the collector */
    void (*in_finish)(brood__manager_t *manager);
} fakes;

static apr_status_t fake_make(brood__manager_t *manager)
{
    fake_t *fake = (fake_t *)(void *)manager;

    if (brood__load(&fakes.refuses, relaxed))
        return APR_EGENERAL;
    fake->memory = brood__alloc(10);
    if (!fake->memory)
        return APR_ENOMEM;
    brood__add(&fakes.made, 1, relaxed);
    return APR_SUCCESS;
}

static void fake_retire(brood__manager_t *manager)
{
    if (!brood__collector_is_self())
        brood__add(&fakes.on_other, 1, relaxed);
    brood__add(&fakes.retired, 1, release);
    if (!brood__load(&fakes.holds, relaxed))
        brood__manager_retired(manager);
}

static void fake_finish(brood__manager_t *manager)
{
    if (!brood__collector_is_self())
        brood__add(&fakes.on_other, 1, relaxed);
    if (fakes.in_finish)
        fakes.in_finish(manager);
    brood__add(&fakes.finished, 1, release);
}

static void fake_free(brood__manager_t *manager)
{
    fake_t *fake = (fake_t *)(void *)manager;

    brood__free(fake->memory);
    brood__add(&fakes.freed, 1, release);
}

static void fake_cancel(brood__manager_t *manager)
{
    brood__add(&fakes.canceled, 1, relaxed);
    if (brood__load(&fakes.holds, relaxed))
        brood__manager_retired(manager);
}

static const brood__kind_t fake_kind = {
    .noun = "fake manager",
    .size = sizeof(fake_t),
    .align = 16,
    .make = fake_make,
    .retire = fake_retire,
    .finish = fake_finish,
    .free = fake_free,
    .cancel = fake_cancel,
};

BROOD__UNUSED static brood__manager_t *get(const char *id, unsigned flags)
{
    brood__manager_t *manager = NULL;

    (void)brood__manager_get(&manager, &fake_kind, id, flags);
    return manager;
}

BROOD__UNUSED static int is_there(const char *id)
{
    return get(id, BROOD_GET_STRICT) != NULL;
}

/* The calling thread forgets its place in the tree, as at its end, and all that
 * nobody needs any more is collected. */
BROOD__UNUSED static void leave_tree(void)
{
    brood__self_exit();
    (void)brood__collector_wait(-1);
}

/* Begin with a root of one's own; the counters begin anew. */
BROOD__UNUSED static void fresh_root(void)
{
    leave_tree();
    memset(&fakes, 0, sizeof(fakes));
}

/* Run fn(baton) on a thread that brood does not know, to its end. */
BROOD__UNUSED static void on_foreign_thread(void *(*fn)(void *), void *baton)
{
    pthread_t thread;

    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, fn, baton), 0);
    pthread_join(thread, NULL);
}

/* As a worker does around a task that was submitted here. */
BROOD__UNUSED static void in_task(void (*fn)(void *), void *baton)
{
    brood__frame_t saved;
    brood__scope_t *scope;

    (void)brood__self_ready();
    scope = brood__self.now.scope;
    brood__scope_retain(scope);
    brood__frame_begin(&saved, scope, NULL);
    fn(baton);
    brood__frame_end(&saved);
    brood__scope_release(scope, 1);
}

/* Call `try` with the 1st, 2nd, ... allocation failing until it succeeds; it
 * must answer APR_ENOMEM until then and leave the memory as it was. Returns how
 * often it failed. */
BROOD__UNUSED static unsigned walk_failures(apr_status_t (*try)(void *baton),
                                            void *baton)
{
    const size_t before = brood__alloc_live();
    apr_status_t rv = APR_ENOMEM;
    unsigned n;

    for (n = 0; rv != APR_SUCCESS && n < 100; n++) {
        brood__fault_at(BROOD__FAULT_MEMORY, n + 1);
        rv = try(baton);
        brood__fault_at(BROOD__FAULT_MEMORY, 0);
        if (rv == APR_SUCCESS)
            break;
        ASSERT_STATUS(APR_ENOMEM, rv);
        CU_ASSERT_EQUAL(brood__alloc_live(), before);
    }
    return n;
}

/* For HARNESS_MAIN_WARM: the collector outlives the tests. */
BROOD__UNUSED static void warm_up(void)
{
    (void)brood__collector_ready();
}

#endif /* BROOD_TESTS_FAKE_H */
