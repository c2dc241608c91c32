/* SPDX-License-Identifier: Apache-2.0 */

/*
 * executor.h: worker threads that share their work. The thread manager is one
 * of these with a name; an affinity pool's threads are another.
 *
 * Tasks come in by lanes (inbox.h). A worker copies a batch into its own deque
 * (deque.h), runs it oldest first, and others steal from it. What a task
 * submits to its own executor goes to the worker's deque directly. What has a
 * priority or a delay travels as an errand (home.h) through a locked list.
 *
 * States; under `lock`, each arrow once per run:
 *
 *     RESTING --(1)--> RUNNING --(2)--> STOPPING --(3)--> ENDING --(4)--> RESTING
 *
 *   (1) brood__executor_start().
 *   (2) brood__executor_stop(): from now on outsiders are refused.
 *   (3) the worker that goes to sleep last with nothing queued.
 *   (4) the last worker to leave; it calls `on_rest`.
 *
 * SLEEPING AND WAKING
 *
 * Waking a sleeping thread is the dearest thing an executor does, so a submit
 * wakes somebody only when `need` is set. INVARIANT: if work is queued and a
 * worker sleeps (or one could be made), then one worker searches, or a sentinel
 * is on duty, or `need` is set. Who keeps it:
 *
 *   - A worker that goes to sleep registers under `lock`, sets `need` if nobody
 *     searches and no sentinel is on duty, fence, and looks once more (inbox.h,
 *     C). That last look is the only strict store-then-load handshake.
 *   - A searcher that finds work leaves the search and sets `need` again, or
 *     wakes a sentinel when that has happened too often.
 *   - A woken worker is the searcher if nobody works. Else it becomes the
 *     sentinel: it sleeps with a time limit of 50 us doubling to 1 ms while
 *     others work, and looks at each tick whether somebody is blocked or more
 *     hands are useful. It joins the work itself and hands its duty on. When all
 *     who work wait it rouses others, who work at once; it searches for them.
 *   - Whoever takes more than one task, or steals and leaves some, first sees
 *     to it that somebody is on duty.
 *
 * tests/models/executor.pml states it for Spin.
 */

#ifndef BROOD_THREAD_EXECUTOR_H
#define BROOD_THREAD_EXECUTOR_H

#include <brood/manager.h>

#include "lineage/collector.h"
#include "os/thread.h"
#include "task/future.h"
#include "thread/inbox.h"

typedef struct brood__executor_t brood__executor_t;
typedef struct brood__worker_t brood__worker_t;

#define BROOD__WORKERS_MAX 4096

/* Reasons for the slow path of a submit; bits of inbox.rare. */
enum {
    BROOD__RARE_CLOSED = 1,   /* not RUNNING */
    BROOD__RARE_TYPED = 2,    /* has a task type */
    BROOD__RARE_CAPACITY = 4, /* has a capacity */
    BROOD__RARE_NOBODY = 8,   /* there is no worker at all */
    BROOD__RARE_FORKED = 16   /* we are in a forked child */
};

/* Reasons to look up before each task; bits of `special`. */
enum {
    BROOD__SPECIAL_ERRANDS = 1,  /* high or normal errands are queued */
    BROOD__SPECIAL_LOW = 2,      /* low ones are */
    BROOD__SPECIAL_CANCEL = 4,   /* settle instead of run */
    BROOD__SPECIAL_HOOKS = 8,    /* the program's task hooks are set */
    BROOD__SPECIAL_CAPACITY = 16 /* queued tasks are counted */
};

typedef struct brood__executor_options_t {
    int max_workers, min_workers; /* exact, checked by the caller */
    int max_spares;
    int spin;             /* BROOD_SPIN_*, or us */
    int64_t idle_timeout; /* ns; < 0: never */
    int max_idle; /* < 0: a worker that is idle for that long leaves, down
                             to min_workers; else the sleepers above it leave
                             that have been idle for that long, longest idle
                             first, but the last worker */
    size_t stack_size;
    const char *prefix;      /* thread names; copied */
    const char *task_type;   /* copied; NULL: any */
    int capacity, when_full; /* 0: unbounded */
    int64_t full_timeout;    /* ns; < 0: for ever */
    int64_t task_warning;    /* ns; <= 0: the watchdog's */
    /* First and last on each worker, at `service`. A failing start ends that
     * worker; when it was the only one, what is queued settles with its status
     * and the executor takes no task until a worker starts. */
    apr_status_t (*on_start)(void *baton);
    void (*on_exit)(void *baton);
    void *hook_baton;
    /* Copied into the executor, for the hooks of whoever is around it. */
    void (*on_worker_start)(void *baton);
    void (*on_worker_exit)(void *baton);
    void *user_baton;
    int daemon;
} brood__executor_options_t;

/* Zeroed memory at a multiple of BROOD__LINE. `service` is borrowed. `on_rest`
 * (may be NULL) is told on arrow (4), on the last worker's thread as its last
 * act: it may lead to brood__executor_fini() on the collector. */
apr_status_t brood__executor_init(brood__executor_t *executor,
                                  brood__scope_t *service,
                                  void (*on_rest)(brood__executor_t *));

/* RESTING or never started: join the last thread. Not on an own worker. */
void brood__executor_disband(brood__executor_t *executor);

/* Disbanded, if it ever ran. */
void brood__executor_fini(brood__executor_t *executor);

/* BROOD_EALREADY, BROOD_EPENDING, APR_ENOMEM, or what a thread's creation
 * returned. */
apr_status_t brood__executor_start(brood__executor_t *executor,
                                   const brood__executor_options_t *options);

/* As brood_thread_manager_submit(). NULL options are the fast path. */
apr_status_t brood__executor_submit(brood_future_t **future,
                                    brood__executor_t *executor,
                                    brood_task_fn *fn, void *baton,
                                    const brood_task_options_t *options);

apr_status_t brood__executor_submit_many(brood_future_t **futures,
                                         brood__executor_t *executor,
                                         const brood_task_t *tasks, size_t n,
                                         const brood_task_options_t *options);

/* It never starts again. Returns whether it is a daemon. */
int brood__executor_retire(brood__executor_t *executor);

/* Begin to stop; never waits for tasks. BROOD_ENOTSTARTED if it never ran. */
apr_status_t brood__executor_stop(brood__executor_t *executor,
                                  brood_stop_e how);

/* Wait for RESTING. As brood_thread_manager_stop(). */
apr_status_t brood__executor_wait_rest(brood__executor_t *executor,
                                       int64_t deadline);
apr_status_t brood__executor_wait_idle(brood__executor_t *executor,
                                       int64_t deadline);
apr_status_t brood__executor_resize(brood__executor_t *executor, int min,
                                    int max);
void brood__executor_stats(brood__executor_t *executor, brood_stats_t *stats);

/* In a forked child. */
void brood__executor_forked(brood__executor_t *executor);

/* Notices may come: APR_SUCCESS when none of them can be left lying. */
apr_status_t brood__executor_listens(brood__executor_t *executor);

/* The task hooks were set (1) or taken away (0). */
void brood__executor_hooks(brood__executor_t *executor, int on);

/* Workers that it may have. */
size_t brood__executor_width(brood__executor_t *executor);

int brood__executor_is_running(brood__executor_t *executor);

/* Is the calling thread one of its workers? */
int brood__executor_is_self(brood__executor_t *executor);

/* The executor whose worker the caller is, or NULL; and the manager around it
 * when the executor belongs to one. */
brood__executor_t *brood__executor_current(void);

/* ---- for affinity pools: lend.c ------------------------------------------- */

/* How many threads could not be made so far, and the last one's status in
 * *status, if not NULL. */
unsigned brood__executor_refusals(brood__executor_t *executor,
                                  apr_status_t *status);

/* The calling worker, or NULL. */
brood__worker_t *brood__worker_here(void);

/* The calling worker's task runs other tasks itself, until 0: it is not long. */
void brood__worker_lend(int on);

/* Does a task run there? Its name, or "", is copied, cut to fit. Good until the
 * worker's exit hook. */
int brood__worker_peek(brood__worker_t *worker, char *name, size_t size);

/* "I block" and its end: another worker may take this one's place. */
void brood__worker_block(void);
void brood__worker_unblock(void);

#endif /* BROOD_THREAD_EXECUTOR_H */
