/* SPDX-License-Identifier: Apache-2.0 */

/*
 * manager.h: what every kind of manager shares: an owner, an id, a life.
 *
 * A kind embeds brood__manager_t as its first member. References to memory:
 * one is the owner's (given back with the owner's own memory), each
 * brood_*_retain() one more.
 *
 *     LIVE --(1)--> RETIRING --(2)--> RETIRED --(3)--> FINISHED --(4)--> freed
 *
 *   (1) the owner died, or the library ends: `retiring` is set, and the
 *       collector calls kind->retire(), which refuses from now on and begins to
 *       stop; it must not wait for tasks.
 *   (2) the kind, on any thread, when nothing of the manager runs any more:
 *       brood__manager_retired().
 *   (3) the collector: kind->finish(), which joins threads. Then the service
 *       scope goes, and the owner's memory is no longer kept by this manager.
 *   (4) the last reference: kind->free(), on whichever thread.
 *
 * The owner's memory outlasts its managers' service scopes and whatever stands
 * on them, so what a hook of one manager finds stays good until that manager
 * is finished itself.
 */

#ifndef BROOD_LINEAGE_MANAGER_H
#define BROOD_LINEAGE_MANAGER_H

#include <brood/manager.h>

#include "base/versioned.h"
#include "lineage/self.h"

struct brood__home_ops_t;
struct brood__manager_t;

typedef struct brood__kind_t {
    const char *noun; /* "thread manager" */
    size_t size;      /* of the whole object */
    size_t align;
    /* Make the rest of a zeroed object whose base is filled. Called under no
     * lock, also for a manager that loses a race and is freed unseen. */
    apr_status_t (*make)(struct brood__manager_t *manager);
    void (*retire)(struct brood__manager_t *manager); /* (1); drain, or cancel
                                                         what is a daemon */
    void (*finish)(struct brood__manager_t *manager); /* (3) */
    /* Free what make() made; the object itself is freed by the registry. On any
     * thread; `service` and `owner` are NULL by now. */
    void (*free)(struct brood__manager_t *manager); /* (4) */
    /* The library ends and RETIRING took too long: cancel what runs. On the
     * collector, after retire() and before finish(). NULL: nothing to do. */
    void (*cancel)(struct brood__manager_t *manager);
    /* In a forked child, on its only thread: make hot paths refuse. Takes no
     * lock. NULL: nothing to do. */
    void (*forked)(struct brood__manager_t *manager);
} brood__kind_t;

/* A chore for the collector; see collector.h. */
typedef struct brood__job_t {
    brood__link_t link;
    void (*fn)(struct brood__job_t *job);
} brood__job_t;

typedef struct brood__manager_t {
    const struct brood__home_ops_t *home; /* see task/home.h; set by make() */
    const brood__kind_t *kind;
    char *id; /* NULL: the default */
    uint64_t hash;
    uint64_t serial; /* of the manager, never reused */
    uint64_t owner_serial;
    brood__node_t *owner;    /* one count of its memory; until (3) */
    brood__scope_t *service; /* where hooks stand; from birth until (3) */
    atomic_int refs;
    atomic_int retiring;    /* (1) has begun */
    brood__link_t of_owner; /* under the registry's lock */
    brood__link_t all;      /* under the registry's lock */
    brood__job_t job;       /* what the collector has to do next */
    brood__job_t cancel_job;
    int begun; /* the job of (1) was queued; these under the registry's lock */
    int canceled; /* cancel_job was queued */
    int finished; /* (3) */
} brood__manager_t;

/* Look up, or make; see brood/manager.h. The handle is borrowed. Beside what is
 * said there: APR_EINIT, BROOD_EFORKED; BROOD_ESTOPPED when the library ends or
 * AT_OWNER's owner is dying; APR_ENOMEM, or why the collector's thread could not
 * be made. *manager is NULL unless APR_SUCCESS. */
apr_status_t brood__manager_get(brood__manager_t **manager,
                                const brood__kind_t *kind, const char *id,
                                unsigned flags);

/* The nearest manager of a kind and id for which `accept` is true; NULL when
 * there is none. Makes nothing. */
brood__manager_t *brood__manager_find(const brood__kind_t *kind, const char *id,
                                      int (*accept)(brood__manager_t *));

void brood__manager_retain(brood__manager_t *manager);
void brood__manager_release(brood__manager_t *manager); /* accepts NULL */

/* Arrow (2), once, after kind->retire() was called. The caller must not look at
 * the manager afterwards, unless it holds a reference. */
void brood__manager_retired(brood__manager_t *manager);

/* Call fn for each manager of a kind (NULL: of every kind) that is not yet
 * retiring, each retained for the call, under no lock. */
apr_status_t brood__manager_each(const brood__kind_t *kind,
                                 int (*fn)(brood__manager_t *, void *),
                                 void *baton);

/* Written by a floor that knows which manager runs the calling task: the node
 * that owns it, or NULL. */
extern brood__node_t *(*brood__running_owner)(void);

/* "<thread manager 'render': DETAIL, type 'TYPE', owner #7>", cut to fit; without
 * quotes for the default id: "<thread manager default: ...". `detail` may be
 * NULL, and `type`: it takes any. `noun` is used for NULL: "<thread manager
 * NULL>". */
const char *brood__manager_describe(const brood__manager_t *manager,
                                    const char *noun, const char *detail,
                                    const char *type, char *buf, size_t len);

/* The answer to "which type of task?": `type`, cut to fit, or NULL for none.
 * Under the lock that keeps it. */
const char *brood__manager_type(const char *type, char *buf, size_t len);

/* The size that a caller's counters say; 0 when no version has it. What callers
 * of brood 0.1 pass never changes. */
BROOD__INLINE size_t brood__stats_size(const brood_stats_t *stats)
{
    return brood__versioned_size(
        stats, BROOD__SIZE_TO(brood_stats_t, run_time_sum), sizeof(*stats));
}

/* Managers whose memory is there. */
size_t brood__manager_count(void);

/* ---- for the end of the library ------------------------------------------ */

/* Arrow (1) for all of them. */
void brood__managers_retire(void);

/* kind->cancel() for those that are not finished, once; they retire already.
 * Returns how many there were. */
size_t brood__managers_cancel(void);

/* In a forked child, by life.c. */
void brood__managers_forked(void);

#endif /* BROOD_LINEAGE_MANAGER_H */
