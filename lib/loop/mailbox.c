/* SPDX-License-Identifier: Apache-2.0 */

/* mailbox.c: how work gets to a loop. */

#include <brood/errors.h>
#include <brood/loop_manager.h>

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "lineage/life.h"
#include "loop/core.h"
#include "observe/log.h"

/* A post whose function does not fit into a slot; see BROOD__POST_BIT. */
typedef struct kept_t {
    void (*fn)(void *);
    void *baton;
} kept_t;

/* What is submitted: a future, a late task, or, with neither, a call. */
typedef struct entry_t {
    brood_task_fn *fn;
    void *baton;
    brood_future_t *made;
    brood__late_t *late;
} entry_t;

static apr_status_t make_entry(brood_loop_manager_t *loop, entry_t *entry,
                               const brood_task_options_t *options, int needs,
                               int with_future);
static void unmake_entry(const entry_t *entry);
static apr_status_t take_in(brood_loop_manager_t *loop, brood__lane_t *lane,
                            const entry_t *entry, const char *type);
static apr_status_t why_not(brood_loop_manager_t *loop, unsigned rare,
                            const char *type);
static void tell_type(brood_loop_manager_t *loop, const char *type);
static int put(brood_loop_manager_t *loop, brood__lane_t *lane,
               brood_task_fn *fn, void *baton);
static apr_status_t put_future(brood_loop_manager_t *loop, brood__lane_t *lane,
                               brood_future_t *future);
static apr_status_t keep_post(brood_task_fn **slot, void **baton,
                              void (*fn)(void *));
static void errand_post(brood__home_t *home, brood__errand_t *errand);
static brood__notices_t *notices(brood__home_t *home, apr_status_t *status);
static void hold(brood__home_t *home, int delta);

const brood__home_ops_t brood__loop_home_ops = { .noun = "loop manager",
                                                 .post = errand_post,
                                                 .notices = notices,
                                                 .hold = hold,
                                                 .undelay = brood__loop_undelay,
                                                 .keeps_time = 1 };

apr_status_t brood__loop_future_mark(void *future, void **unused)
{
    (void)future;
    (void)unused;
    abort();
    return 1;
}

apr_status_t brood__loop_post_mark(void *kept, void **unused)
{
    (void)kept;
    (void)unused;
    abort();
    return 2; /* unlike the other, so that no linker makes one of the two */
}

/* ---- submit and post ----------------------------------------------------- */

/* (D) of inbox.h; (I) by its load of `rare`. */
BROOD__INLINE int put_fast(brood_loop_manager_t *loop, brood_task_fn *fn,
                           void *baton)
{
    brood__lane_t *lane = brood__inbox_enter_plain(&loop->inbox);

    if (BROOD__UNLIKELY(!lane))
        return 0;
    brood__lane_write(lane, fn, baton);
    if (brood__lane_publish(lane))
        brood__loop_notify(loop);
    brood__lane_leave(lane);
    return 1;
}

/* A task without options while nothing is out of the ordinary. False: nothing
 * happened. */
static int submit_fast(brood_future_t **future, brood_loop_manager_t *loop,
                       brood_task_fn *fn, void *baton)
{
    brood_future_t *made = NULL;
    int put;

    if (future) {
        if (!brood__self.now.scope
            || !(made = brood__future_make(brood__loop_home(loop), fn, baton,
                                           NULL)))
            return 0;
        made->scope = brood__self.now.scope;
        put = put_fast(loop, brood__loop_future_mark, made);
    } else {
        put = !((uintptr_t)fn & BROOD__POST_BIT) && put_fast(loop, fn, baton);
    }
    if (BROOD__LIKELY(put) && future)
        *future = made;
    else if (made)
        brood__future_unmake(made);
    return put;
}

apr_status_t brood_loop_manager_submit(brood_future_t **future,
                                       brood_loop_manager_t *manager,
                                       brood_task_fn *fn, void *baton,
                                       const brood_task_options_t *options)
{
    brood_task_options_t full;
    apr_status_t rv;
    int needs = 0;

    if (future)
        *future = NULL;
    if (!manager || !fn)
        return APR_EINVAL;
    rv = brood__life_check();
    if (BROOD__LIKELY(rv == APR_SUCCESS && !options)
        && submit_fast(future, manager, fn, baton))
        return APR_SUCCESS;
    if (rv == APR_SUCCESS && options) {
        rv = brood__task_options(&full, options, &needs);
        options = &full;
    }
    if (rv == APR_SUCCESS && options)
        rv = brood__task_timers(options, brood__loop_home_ops.keeps_time);
    if (rv != APR_SUCCESS)
        return rv;
    return brood__loop_submit(future, manager, fn, baton, options, needs);
}

apr_status_t brood__loop_submit(brood_future_t **future,
                                brood_loop_manager_t *loop, brood_task_fn *fn,
                                void *baton,
                                const brood_task_options_t *options, int needs)
{
    const char *type = options ? options->type : NULL;
    entry_t entry = { fn, baton, NULL, NULL };
    apr_status_t rv = brood__self_ready();
    brood__lane_t *lane;

    if (rv != APR_SUCCESS)
        return rv;
    lane = brood__inbox_lane(&loop->inbox);
    if (!lane)
        return APR_ENOMEM;
    if (future || needs || ((uintptr_t)fn & BROOD__POST_BIT))
        rv = make_entry(loop, &entry, options, needs, future != NULL);
    if (rv != APR_SUCCESS)
        return rv;

    rv = take_in(loop, lane, &entry, type);
    if (BROOD__LIKELY(rv == APR_SUCCESS)) {
        if (future)
            *future = entry.made;
        else if (entry.made)
            brood_future_release(entry.made);
        return APR_SUCCESS;
    }
    unmake_entry(&entry);
    if (rv == BROOD_ETASKTYPE)
        tell_type(loop, type);
    return rv;
}

/* A late task becomes a call, where it would be taken for a post if its function
 * had that bit. */
static apr_status_t make_entry(brood_loop_manager_t *loop, entry_t *entry,
                               const brood_task_options_t *options, int needs,
                               int with_future)
{
    if (!with_future && needs == BROOD__NEEDS_DELAY
        && !((uintptr_t)entry->fn & BROOD__POST_BIT)) {
        entry->late = brood__late_make(entry->fn, entry->baton,
                                       options->delay * 1000);
        return entry->late ? APR_SUCCESS : APR_ENOMEM;
    }
    entry->made = brood__future_make(brood__loop_home(loop), entry->fn,
                                     entry->baton, needs ? options : NULL);
    return entry->made ? APR_SUCCESS : APR_ENOMEM;
}

static void unmake_entry(const entry_t *entry)
{
    if (entry->late)
        brood__late_unmake(entry->late);
    if (entry->made)
        brood__future_unmake(entry->made);
}

static apr_status_t take_in(brood_loop_manager_t *loop, brood__lane_t *lane,
                            const entry_t *entry, const char *type)
{
    apr_status_t rv = APR_SUCCESS;
    unsigned rare;

    brood__lane_enter(lane);                        /* (D) of inbox.h */
    rare = brood__load(&loop->inbox.rare, acquire); /* (I) */
    if (BROOD__UNLIKELY(rare != 0))
        rv = why_not(loop, rare, type);
    if (rv == APR_SUCCESS && entry->made)
        rv = put_future(loop, lane, entry->made);
    else if (rv == APR_SUCCESS && entry->late)
        brood__late_put(loop, entry->late);
    else if (rv == APR_SUCCESS && !put(loop, lane, entry->fn, entry->baton))
        rv = APR_ENOMEM;
    brood__lane_leave(lane);
    return rv;
}

apr_status_t brood_loop_manager_post(brood_loop_manager_t *manager,
                                     void (*fn)(void *), void *baton)
{
    brood_task_fn *slot = (brood_task_fn *)((uintptr_t)fn | BROOD__POST_BIT);
    apr_status_t rv;
    brood__lane_t *lane;
    unsigned rare;

    if (!manager || !fn)
        return APR_EINVAL;
    rv = brood__life_check();
    if (rv == APR_SUCCESS)
        rv = brood__self_ready();
    if (BROOD__UNLIKELY((uintptr_t)fn & BROOD__POST_BIT) && rv == APR_SUCCESS)
        rv = keep_post(&slot, &baton, fn);
    if (BROOD__LIKELY(rv == APR_SUCCESS) && put_fast(manager, slot, baton))
        return APR_SUCCESS;
    if (rv != APR_SUCCESS)
        return rv;
    lane = brood__inbox_lane(&manager->inbox);
    if (lane) {
        brood__lane_enter(lane);                           /* (D) of inbox.h */
        rare = brood__load(&manager->inbox.rare, acquire); /* (I) */
        if (BROOD__UNLIKELY(rare != 0))
            rv = why_not(manager, rare, NULL);
        if (rv == APR_SUCCESS && !put(manager, lane, slot, baton))
            rv = APR_ENOMEM;
        brood__lane_leave(lane);
    }
    if (BROOD__LIKELY(lane && rv == APR_SUCCESS))
        return APR_SUCCESS;
    if (slot == brood__loop_post_mark)
        brood__free(baton);
    if (rv == BROOD_ETASKTYPE)
        tell_type(manager, NULL);
    return lane ? rv : APR_ENOMEM;
}

void brood__loop_call_post(const brood__call_t *call)
{
    kept_t kept;

    if (BROOD__UNLIKELY(call->fn == brood__loop_post_mark)) {
        kept = *(kept_t *)call->baton;
        brood__free(call->baton);
        kept.fn(kept.baton);
        return;
    }
    ((void (*)(void *))((uintptr_t)call->fn & ~BROOD__POST_BIT))(call->baton);
}

static apr_status_t keep_post(brood_task_fn **slot, void **baton,
                              void (*fn)(void *))
{
    kept_t *kept = brood__alloc(sizeof(*kept));

    if (!kept)
        return APR_ENOMEM;
    kept->fn = fn;
    kept->baton = *baton;
    *baton = kept;
    *slot = brood__loop_post_mark;
    return APR_SUCCESS;
}

/* Some bit of `rare` is set. While the loop drains, what runs there may still
 * submit: the loop's thread is where we are, so it cannot end meanwhile. */
static apr_status_t why_not(brood_loop_manager_t *loop, unsigned rare,
                            const char *type)
{
    apr_status_t rv = APR_SUCCESS;

    if (rare & BROOD__LOOP_FORKED)
        return BROOD_EFORKED;
    if ((rare & BROOD__LOOP_CLOSED)
        && (brood__loop_here != loop
            || brood__load(&loop->asked, relaxed) != BROOD__LOOP_STOP
            || !(brood__self.now.flags & BROOD__FRAME_IN_TASK)))
        rv = brood__load(&loop->ever, relaxed)
                     || brood__load(&loop->base.retiring, relaxed)
                 ? BROOD_ESTOPPED
                 : BROOD_ENOTSTARTED;
    else if ((rare & BROOD__LOOP_TYPED)
             && (!type || strcmp(type, loop->set.task_type)))
        rv = BROOD_ETASKTYPE;
    if (rv != APR_SUCCESS)
        brood__add(&loop->rejected, 1, relaxed);
    return rv;
}

static void tell_type(brood_loop_manager_t *loop, const char *type)
{
    char line[256], wanted[64];

    if (!brood_loop_manager_task_type(loop, wanted, sizeof(wanted)))
        return; /* it has none any more */
    brood_loop_manager_describe(loop, line, sizeof(line));
    brood__log(BROOD_LOG_INFO,
               "%s accepts tasks of type '%s', refused one of %s%s%s", line,
               wanted, type ? "type '" : "no type", type ? type : "",
               type ? "'" : "");
}

/* Inside enter and leave. */
static int put(brood_loop_manager_t *loop, brood__lane_t *lane,
               brood_task_fn *fn, void *baton)
{
    brood__scope_t *scope = brood__self.now.scope;

    brood__purse_spend(&brood__self.purse, scope);
    if (BROOD__UNLIKELY(!brood__lane_put(lane, fn, baton, scope))) {
        brood__purse_earn(&brood__self.purse, scope);
        return 0;
    }
    if (brood__lane_publish(lane)) /* contains the fence of (C) */
        brood__loop_notify(loop);
    return 1;
}

static apr_status_t put_future(brood_loop_manager_t *loop, brood__lane_t *lane,
                               brood_future_t *future)
{
    brood__extra_t *extra = future->extra;

    future->scope = brood__self.now.scope;
    if (BROOD__UNLIKELY(extra != NULL)) {
        if (extra->delay) {
            brood__loop_delay(loop, future);
            return APR_SUCCESS;
        }
        if (brood__extra_queue_timeout(extra)) {
            if (!brood__lane_reserve(lane, 1))
                return APR_ENOMEM;
            brood__future_queued(future);
        }
    }
    return put(loop, lane, brood__loop_future_mark, future) ? APR_SUCCESS
                                                            : APR_ENOMEM;
}

/* ---- arrivals ------------------------------------------------------------ */

/* (G) A push releases what the link belongs to; the swap that takes the whole
 * stack acquires it: all pushes between are exchanges of the same word. */
void brood__loop_arrive(brood_loop_manager_t *loop, brood__link_t *link,
                        uintptr_t kind)
{
    uintptr_t seen = 0; /* mostly; a look would move the line once more */

    do
        link->next = (brood__link_t *)seen;
    while (!brood__cas_weak(&loop->arrivals, &seen, (uintptr_t)link | kind,
                            release));       /* (G) */
    brood__light_fence(&loop->inbox.fences); /* (C) */
}

void brood__loop_take_arrivals(brood_loop_manager_t *loop)
{
    uintptr_t newest, oldest = 0, next;

    if (!brood__load(&loop->arrivals, relaxed))
        return;
    newest = brood__swap(&loop->arrivals, 0, acquire); /* (G) */
    for (; newest; newest = next) {                    /* turn it around */
        brood__link_t *link = (brood__link_t *)(newest & ~BROOD__ARRIVES);

        next = (uintptr_t)link->next;
        link->next = (brood__link_t *)oldest;
        oldest = newest;
    }
    for (; oldest; oldest = next) {
        brood__link_t *link = (brood__link_t *)(oldest & ~BROOD__ARRIVES);

        next = (uintptr_t)link->next;
        if (oldest & BROOD__ARRIVES_COROUTINE)
            brood__coroutine_ready(
                loop, BROOD__CONTAINER(link, brood__coroutine_t, arrival));
        else if (oldest & BROOD__ARRIVES_LATE)
            brood__late_set(
                loop, BROOD__CONTAINER(link, brood__late_t, time.way.link));
        else
            brood__loop_errand(loop,
                               BROOD__CONTAINER(link, brood__errand_t, link));
    }
}

void brood__loop_notify(brood_loop_manager_t *loop)
{
    if (brood__load(&loop->inbox.need, relaxed)
        && brood__swap(&loop->inbox.need, 0, relaxed)) {
        brood__add(&loop->wakes, 1, relaxed);
        event_active(&loop->wake, EV_READ, 0);
    }
}

/* ---- as the target of futures -------------------------------------------- */

static void errand_post(brood__home_t *home, brood__errand_t *errand)
{
    brood_loop_manager_t *loop = (brood_loop_manager_t *)(void *)home;

    brood__add(&loop->by_errand, 1, relaxed);
    brood__loop_arrive(loop, &errand->link, 0);
    brood__loop_notify(loop);
}

static brood__notices_t *notices(brood__home_t *home, apr_status_t *status)
{
    brood_loop_manager_t *loop = (brood_loop_manager_t *)(void *)home;
    unsigned rare = brood__load(&loop->inbox.rare, acquire); /* (I) */

    rare &= ~(unsigned)BROOD__LOOP_TYPED;
    *status = rare ? why_not(loop, rare, NULL) : APR_SUCCESS;
    return &loop->notices;
}

static void hold(brood__home_t *home, int delta)
{
    brood__manager_t *base = (brood__manager_t *)(void *)home;

    if (delta > 0)
        brood__manager_retain(base);
    else
        brood__manager_release(base);
}
