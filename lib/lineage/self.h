/* SPDX-License-Identifier: Apache-2.0 */

/*
 * self.h: what the calling thread knows of itself.
 *
 * One thread-local record, touched by its thread only. `now` is the part that
 * changes with the task: a worker sets it for each task, a loop exchanges it at
 * every switch of coroutines, a task run in place saves and restores it.
 */

#ifndef BROOD_LINEAGE_SELF_H
#define BROOD_LINEAGE_SELF_H

#include <apr_errno.h>

#include "lineage/scope.h"

struct brood_future_t;
struct brood__place_t;
struct brood__lane_t;
struct brood__manager_t;
struct brood__magazine_t;
struct brood__attach_t;

/* Called, newest first, when the task that registered it ends, or its thread.
 * May block; the frame is still the task's. Unregistered before the call. */
typedef struct brood__at_end_t {
    struct brood__at_end_t *next;
    void (*fn)(struct brood__at_end_t *self);
} brood__at_end_t;

typedef struct brood__frame_t {
    brood__scope_t *scope; /* submits are bound to it; NULL: never looked */
    struct brood_future_t *task;      /* that runs; NULL: none, or it has no
                                         future */
    struct brood__attach_t *attached; /* where we stood before, newest first */
    brood__at_end_t *at_end;
    unsigned flags; /* BROOD__FRAME_*; 0 for nearly every task */
} brood__frame_t;

#define BROOD__FRAME_OWNS_SCOPE 0x1u /* `scope` holds a reference of ours */
#define BROOD__FRAME_OWNS_NODE  0x2u /* ... and its node is this task's own */
#define BROOD__FRAME_IN_TASK    0x4u /* a task runs */
#define BROOD__FRAME_MASK       0xfu

#define BROOD__LANE_CACHE 8

/* What the last look-up of its kind found; see lookup.c. */
typedef struct brood__memo_t {
    const void *node; /* where it began; compared only */
    uint64_t serial;  /* of that */
    uint64_t hash;    /* of the id */
    const void *kind;
    unsigned long long changes;
    struct brood__manager_t *manager; /* NULL: nothing is remembered */
} brood__memo_t;

#define BROOD__MEMOS     4
#define BROOD__MAGAZINES 3

typedef struct brood__self_t {
    brood__frame_t now;
    brood__purse_t purse;
    struct brood__place_t *place; /* how this thread waits; NULL: a plain one */
    struct {
        uint64_t serial; /* of the mailbox; never reused */
        struct brood__lane_t *lane;
    } lanes[BROOD__LANE_CACHE];
    struct brood__lane_t *all_lanes; /* under the lanes' lock */
    struct brood__magazine_t *magazines[BROOD__MAGAZINES]; /* magazine.h */
    brood__memo_t memos[BROOD__MEMOS];
    int library;        /* one of brood's own threads */
    int seen;           /* the exit hook is set, and `link` is linked */
    int claimed;        /* brood_terminate() cleans this record just now */
    brood__link_t link; /* among all that are seen; these two under the lock of
                           self.c */
    struct {
        brood__scope_t *from, *scope; /* both held, or both NULL */
    } derived;                        /* see brood__self_remember() */
} brood__self_t;

extern BROOD__THREAD_LOCAL brood__self_t brood__self;

/* Make sure that `now.scope` is not NULL: gives a thread that brood never saw
 * its node. APR_ENOMEM, BROOD_EFORKED or APR_SUCCESS. */
apr_status_t brood__self_see(void);

BROOD__INLINE apr_status_t brood__self_ready(void)
{
    return BROOD__LIKELY(brood__self.now.scope != NULL) ? APR_SUCCESS
                                                        : brood__self_see();
}

/* Make sure that the thread's exit is noticed. */
apr_status_t brood__self_watch(void);

/* The exit hook itself exists from here on; once per process. */
apr_status_t brood__self_init(void);

/* A thread of brood's own begins: it stands at `scope` (borrowed; may be NULL
 * for one that never runs user code) and is no living descendant. */
void brood__self_library(brood__scope_t *scope);

/* Floors above want to be told when a thread ends; called in reverse order.
 * `self` is the calling thread's, or at the library's end that of any thread,
 * which then rests. Registering the same again does nothing. */
void brood__self_at_exit(void (*fn)(brood__self_t *self));

/* A library thread's last act; other threads' exit hooks call it themselves. A
 * thread that uses brood afterwards (in another library's exit handler) gets a
 * new node, which goes in the next round. */
void brood__self_exit(void);

/* The library ends: clean the records of all threads that are still there. */
void brood__self_exit_all(void);

/* What a thread or task registered with brood__at_end_add(), newest first. */
void brood__self_run_at_end(void);

/* A loop marks the tasks of its coroutines by a context variable of its own
 * (async/bridge.h). Many of them stand at one scope, so the scope that was made
 * from it is remembered until the loop rests, and shared. Takes over a reference
 * to `from`; takes one to `scope`. */
void brood__self_remember(brood__scope_t *from, brood__scope_t *scope);
void brood__self_forget(void);

/* The thread is about to sleep: it keeps nobody alive. */
BROOD__INLINE void brood__self_rest(void)
{
    brood__purse_empty(&brood__self.purse);
    if (brood__self.derived.scope)
        brood__self_forget();
}

/* ---- frames: around each task ------------------------------------------ */

/* Begin a task that stands at `scope`, whose reference the caller holds until
 * brood__frame_end(). The old frame comes back through `saved`. */
BROOD__INLINE void brood__frame_begin(brood__frame_t *saved,
                                      brood__scope_t *scope,
                                      struct brood_future_t *task)
{
    *saved = brood__self.now;
    brood__self.now.scope = scope;
    brood__self.now.task = task;
    brood__self.now.attached = NULL;
    brood__self.now.at_end = NULL;
    brood__self.now.flags = BROOD__FRAME_IN_TASK;
}

/* Run what the task (or thread) registered for its end, undo what it attached,
 * and drop what it made. `now` stands nowhere then. */
void brood__frame_clean(void);

/* End what begin began. */
BROOD__INLINE void brood__frame_end(const brood__frame_t *saved)
{
    if (BROOD__UNLIKELY(brood__self.now.flags != BROOD__FRAME_IN_TASK
                        || brood__self.now.at_end))
        brood__frame_clean();
    brood__self.now = *saved;
}

/* The node that lookups start from; brood__self_ready() was asked before. With
 * `own` a task that has none yet gets one of its own, unless it stands at an
 * attached place. Threads, and hooks of a manager (which run in no task), have
 * theirs. NULL when memory ran out. */
brood__node_t *brood__self_node(int own);

/* Replace the scope of the running task or thread by one of its own; takes the
 * reference over. */
void brood__self_stand(brood__scope_t *scope);

/* Stand at `scope` until brood__self_detach(), which does nothing when there is
 * nothing to undo. APR_ENOMEM: nothing changed, and the reference is still the
 * caller's. */
apr_status_t brood__self_attach(brood__scope_t *scope);
void brood__self_detach(void);

/* Where threads that brood never saw will stand; NULL: roots. Takes the
 * reference over. */
void brood__self_default(brood__scope_t *scope);

/* For the end of what runs now; `hook` is its registrant's memory. */
void brood__at_end_add(brood__at_end_t *hook);
void brood__at_end_remove(brood__at_end_t *hook);

#endif /* BROOD_LINEAGE_SELF_H */
