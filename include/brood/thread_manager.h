/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROOD_THREAD_MANAGER_H
#define BROOD_THREAD_MANAGER_H

#include <stdint.h>

#include <apr_errno.h>
#include <apr_time.h>

#include <brood/export.h>
#include <brood/future.h>
#include <brood/manager.h>
#include <brood/task.h>

/** @file brood/thread_manager.h
 *  @brief A named pool of worker threads that drain one queue.
 *
 *     task -> [thread manager] -> queue -> worker -> future -> loop
 *
 * Life, ids and look-up: brood/manager.h. A task's look-ups start at the node
 * of whoever submitted it, never at the worker.
 */

/** Opaque; belongs to a lineage node. */
typedef struct brood_thread_manager_t brood_thread_manager_t;

/** What a submit does when `capacity` tasks are queued. */
#define BROOD_WHEN_FULL_REJECT 0 /**< BROOD_EFULL */
#define BROOD_WHEN_FULL_BLOCK                                                  \
    1                         /**< waits up to `full_timeout`; in a worker of
                                      its own it runs in the caller */
#define BROOD_WHEN_FULL_RUN 2 /**< runs in the caller */

/** How hard an idle worker polls before it sleeps. One that is right behind a
 * stream of tasks may pause for about 5 us, while more gets done that way; not with
 * less than 5. */
#define BROOD_SPIN_DEFAULT 0    /**< at most as long as a wake-up costs */
#define BROOD_SPIN_NONE    (-1) /**< sleep at once, and never pause */

/**
 * Settings. Start from BROOD_THREAD_MANAGER_OPTIONS_INIT; a field that stays 0
 * means "the default". Fields are only ever appended.
 */
typedef struct brood_thread_manager_options_t {
    apr_size_t size;       /**< sizeof this struct, as the caller knows it */
    int max_workers;       /**< default max(8, min(4 x usable CPUs, 256)) */
    int min_workers;       /**< started at once and kept; default 1;
                                negative: none */
    const char *task_type; /**< accept only tasks of exactly this type; copied;
                                NULL: any; "" is a type */
    int daemon;            /**< when collected or terminated: cancel, instead of
                                drain */
    const char *thread_name_prefix; /**< workers are PREFIX-0, PREFIX-1, ...;
                                         copied; default the id, or "brood" */
    int capacity;                   /**< queued tasks, delayed ones too; one
                                         that was canceled counts until a
                                         worker comes by; default unbounded */
    int when_full;                  /**< BROOD_WHEN_FULL_REJECT, _BLOCK, _RUN */
    apr_interval_time_t full_timeout; /**< us that a blocked submit waits, then
                                           BROOD_EFULL; default for ever */
    apr_interval_time_t idle_timeout; /**< us after which an idle worker above
                                           min_workers leaves; default never */
    apr_size_t stack_size;            /**< bytes; default the platform's */
    int max_spares; /**< workers that may stand in for waiting ones; default
                         max_workers; negative: none */
    int spin;       /**< BROOD_SPIN_DEFAULT, BROOD_SPIN_NONE, or at most so many
                         microseconds, while that pays */
    void (*on_worker_start)(void *hook_baton); /**< first on every worker */
    void (*on_worker_exit)(void *hook_baton);  /**< last on every worker */
    void *hook_baton;                          /**< handed to the hooks */
} brood_thread_manager_options_t;

/** Initializer for brood_thread_manager_options_t. */
#define BROOD_THREAD_MANAGER_OPTIONS_INIT                                      \
    {                                                                          \
        sizeof(brood_thread_manager_options_t), 0, 0, NULL, 0, NULL, 0, 0, 0,  \
            0, 0, 0, 0, NULL, NULL, NULL                                       \
    }

BROOD_BEGIN_DECLS

/**
 * Find a manager by walking from the caller's node to the root of its family
 * tree; the first node that holds this id wins. If none does, make one, not
 * started, on the caller's node.
 *
 * @param[out] manager the manager; NULL unless APR_SUCCESS.
 * @param      id      its id; NULL is the default id.
 * @param      flags   0, or BROOD_GET_FORCE_CREATE, BROOD_GET_STRICT,
 *                     BROOD_GET_AT_OWNER.
 * @retval BROOD_ENOTFOUND strict, and there is none.
 * @retval BROOD_ESTOPPED  at-owner, and the owner is already gone; or the
 *                         library ends.
 * @retval APR_EINVAL      @a manager is NULL, an unknown flag, or strict with
 *                         force-create or at-owner; nothing was made.
 * @retval APR_ENOMEM      nothing was made.
 * @return else what the creation of the collector's thread returned.
 *
 * @threads   any.
 * @ownership borrowed: good while the caller or any descendant of the owner
 *            lives; brood_thread_manager_retain() makes it good for longer.
 * @blocks    never, but while the first call of all makes the collector's
 *            thread.
 */
BROOD_API apr_status_t brood_thread_manager_get(
    brood_thread_manager_t **manager, const char *id, unsigned flags);

/**
 * Start a manager that does not run.
 *
 * @param manager the manager.
 * @param options settings, or NULL for all defaults; copied.
 * @retval BROOD_EALREADY it runs already; its settings are untouched.
 * @retval BROOD_EPENDING it is stopping and a task of it has not ended yet.
 * @retval BROOD_ESTOPPED its owner is gone.
 * @retval APR_EINVAL     @a manager is NULL, contradictory settings, an unknown
 *                        options size; state untouched.
 * @retval APR_ENOMEM     not started.
 * @return else what the creation of a thread returned; not started.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    while the threads are made.
 */
BROOD_API apr_status_t
brood_thread_manager_start(brood_thread_manager_t *manager,
                           const brood_thread_manager_options_t *options);

/**
 * Queue a task.
 *
 * @param[out] future  a new reference; NULL when no result is wanted. Written
 *                     NULL unless APR_SUCCESS.
 * @param      manager the manager.
 * @param      fn      the work.
 * @param      baton   handed to @a fn; never looked at.
 * @param      options settings of the task, or NULL; read during the call.
 * @retval BROOD_ENOTSTARTED the manager was never started.
 * @retval BROOD_ESTOPPED    it is stopping or stopped.
 * @retval BROOD_ETASKTYPE   it accepts another type of task.
 * @retval BROOD_EFULL       its capacity is reached.
 * @retval BROOD_EINTERRUPTED blocked on capacity, and the waiting task was
 *                           canceled.
 * @retval APR_EINVAL        @a manager or @a fn is NULL, or the options are
 *                           unknown or contradictory.
 * @retval APR_ENOMEM        memory ran out.
 * @return else what the creation of a thread returned, when there is none yet.
 *         Whatever failed, nothing was queued.
 *
 * @threads   any, also from a task of the same manager.
 * @ownership on APR_SUCCESS @a baton is the task's until it returns, and the
 *            caller owns one reference to @a future; on failure nothing moved.
 * @blocks    never, unless the manager has a capacity and blocks when full.
 */
BROOD_API apr_status_t brood_thread_manager_submit(
    brood_future_t **future, brood_thread_manager_t *manager, brood_task_fn *fn,
    void *baton, const brood_task_options_t *options);

/**
 * Queue several tasks, all or none.
 *
 * @param[out] futures array of @a n new references, or NULL.
 * @param      manager the manager.
 * @param      tasks   array of @a n tasks; read during the call.
 * @param      n       how many; 0 is refused as 1 would be, but needs no room,
 *                     and waits for none.
 * @param      options settings of every one of them, or NULL.
 * @retval APR_EINVAL  @a manager, or with @a n other than 0 @a tasks or the `fn`
 *                     of one of them is NULL, or unknown options.
 * @retval BROOD_EFULL at once when there are more than the capacity.
 * @return else as brood_thread_manager_submit().
 *
 * @threads   any.
 * @ownership as brood_thread_manager_submit(), for each task.
 * @blocks    never, unless the manager has a capacity and blocks when full.
 */
BROOD_API apr_status_t brood_thread_manager_submit_many(
    brood_future_t **futures, brood_thread_manager_t *manager,
    const brood_task_t *tasks, apr_size_t n,
    const brood_task_options_t *options);

/**
 * Call a function for each element of an array, in parallel.
 *
 * @param[out] future  settles after the last call that was begun has returned:
 *                     with the first failure, which keeps chunks not yet begun
 *                     from running, else APR_SUCCESS. NULL: not wanted.
 * @param      manager the manager.
 * @param      fn      called as fn(base + i * stride, NULL).
 * @param      base    the array.
 * @param      n       elements; 0 is refused as 1 would be, but needs no room,
 *                     and settles at once.
 * @param      stride  bytes from one element to the next.
 * @param      chunk   elements a task; 0: chosen from @a n and the workers.
 * @param      options settings of the whole; `destroy` is called with @a base.
 *                     `queue_timeout` counts until the first call,
 *                     `run_timeout` from there, for each worker that takes
 *                     part. A cancel, or the run timeout, raises the token of
 *                     the calls under way and keeps the rest from running; the
 *                     future is then BROOD_ECANCELED or BROOD_EOVERRUN, unless
 *                     every call was made and none gave in.
 * @retval APR_EINVAL @a manager or @a fn is NULL, @a base is NULL and @a n is not
 *                    0, the array would not fit into memory, or unknown options.
 * @return else as brood_thread_manager_submit(); what counts for a capacity is
 *         at most one task a worker.
 *
 * @threads   any.
 * @ownership on APR_SUCCESS the array is the tasks' until the future settles.
 * @blocks    never, unless the manager has a capacity and blocks when full.
 */
BROOD_API apr_status_t brood_thread_manager_map(
    brood_future_t **future, brood_thread_manager_t *manager, brood_task_fn *fn,
    void *base, apr_size_t n, apr_size_t stride, apr_size_t chunk,
    const brood_task_options_t *options);

/**
 * Change the number of workers of a running manager.
 *
 * @param manager the manager.
 * @param min     as `min_workers`; 0: as it is.
 * @param max     as `max_workers`; 0: as it is.
 * @retval BROOD_ENOTSTARTED never started.
 * @retval BROOD_ESTOPPED    stopping or stopped.
 * @retval APR_EINVAL        @a manager is NULL, or contradictory; untouched.
 * @return else what the creation of a thread returned; untouched.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    while threads are made; surplus workers leave by themselves.
 */
BROOD_API apr_status_t
brood_thread_manager_resize(brood_thread_manager_t *manager, int min, int max);

/**
 * Wait until nothing is queued or running. Delayed tasks that are not due do not
 * count.
 *
 * @param manager the manager.
 * @param timeout microseconds; 0: only look; negative: for ever.
 * @retval APR_TIMEUP         still busy.
 * @retval BROOD_EDEADLK      called from one of its own tasks; or it is busy, and
 *                            the caller is on a loop's thread outside a
 *                            coroutine; or, for ever, from a task of a manager
 *                            that one of its own tasks waits for: see
 *                            brood_thread_manager_stop().
 * @retval BROOD_EINTERRUPTED the waiting task was canceled.
 * @retval BROOD_ENOTSTARTED  never started.
 * @retval BROOD_ESTOPPED     its owner is gone.
 * @retval APR_EINVAL         @a manager is NULL.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    up to @a timeout.
 */
BROOD_API apr_status_t brood_thread_manager_wait_idle(
    brood_thread_manager_t *manager, apr_interval_time_t timeout);

/**
 * Refuse new tasks, deal with the queued ones, and end the workers.
 *
 * While it drains, the manager's own running tasks may still submit; delayed
 * tasks that are not due yet, or for which no worker could be made, settle
 * BROOD_ECANCELED. CANCEL may follow DRAIN. Notices without a worker that could
 * call them are called by the stop itself.
 *
 * @param manager the manager; stopping a stopped one is APR_SUCCESS.
 * @param how     what becomes of the queued tasks.
 * @param timeout microseconds to wait; 0: do not wait; negative: for ever.
 * @retval APR_TIMEUP         still stopping; it goes on by itself.
 * @retval BROOD_EDEADLK      called from one of its own tasks: nothing has
 *                            begun. On a loop's thread outside a coroutine
 *                            with a timeout other than 0: the stop has begun.
 *                            Also, for ever, in a circle of managers whose
 *                            tasks wait until the next one has stopped or is
 *                            idle: one of the tasks is told, and all these
 *                            stops go on. Circles that lead over a future, or
 *                            over a wait with a timeout, are not seen.
 * @retval BROOD_EINTERRUPTED the waiting task was canceled; stopping goes on.
 * @retval BROOD_ENOTSTARTED  never started.
 * @retval BROOD_ESTOPPED     its owner is gone.
 * @retval APR_EINVAL         @a manager is NULL or @a how unknown.
 *
 * @threads   any but the manager's own tasks.
 * @ownership nothing moves.
 * @blocks    up to @a timeout, until the running tasks have returned.
 */
BROOD_API apr_status_t
brood_thread_manager_stop(brood_thread_manager_t *manager, brood_stop_e how,
                          apr_interval_time_t timeout);

/**
 * Read the counters.
 *
 * @param      manager the manager.
 * @param[out] stats   filled up to the size that it says.
 * @retval BROOD_ESTOPPED its owner is gone.
 * @retval APR_EINVAL an argument is NULL, or the size is unknown.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_thread_manager_stats(
    brood_thread_manager_t *manager, brood_stats_t *stats);

/**
 * A line for people: the kind, id, size, task type and owner.
 *
 * @param manager the manager; NULL gives "<thread manager NULL>".
 * @param buf     where the line is written, cut to fit and ended with 0.
 * @param len     bytes of @a buf; 0 writes nothing.
 * @return @a buf.
 *
 * @threads   any.
 * @ownership @a buf stays the caller's.
 * @blocks    never.
 */
BROOD_API const char *brood_thread_manager_describe(
    brood_thread_manager_t *manager, char *buf, apr_size_t len);

/** Shown one manager; a return value other than 0 ends the walk. */
typedef int brood_thread_manager_each_fn(brood_thread_manager_t *manager,
                                         void *baton);

/**
 * Show every thread manager of the process, as one consistent snapshot.
 *
 * @param fn    called for each, under no lock; the handle is good during the
 *              call, and longer with a brood_thread_manager_retain().
 * @param baton handed to @a fn.
 * @retval APR_EINVAL @a fn is NULL.
 * @retval APR_ENOMEM no snapshot could be made.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never, beside @a fn.
 */
BROOD_API apr_status_t
brood_thread_manager_each(brood_thread_manager_each_fn *fn, void *baton);

/**
 * Whether a manager accepts tasks now.
 *
 * @param manager the manager.
 * @return 0 or 1; 0 for NULL.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never.
 */
BROOD_API int brood_thread_manager_is_running(brood_thread_manager_t *manager);

/**
 * The id of a manager.
 *
 * @param manager the manager.
 * @return the id; NULL for the default id, and for NULL.
 *
 * @threads   any.
 * @ownership the id is the manager's, good as long as the handle.
 * @blocks    never.
 */
BROOD_API const char *brood_thread_manager_id(brood_thread_manager_t *manager);

/**
 * The task type of a manager's present or last run.
 *
 * @param      manager the manager.
 * @param[out] buf     where the type is written, cut to fit and ended with 0.
 * @param      len     bytes of @a buf.
 * @return @a buf, or NULL when it takes any type.
 *
 * @threads   any.
 * @ownership @a buf stays the caller's.
 * @blocks    never.
 */
BROOD_API const char *brood_thread_manager_task_type(
    brood_thread_manager_t *manager, char *buf, apr_size_t len);

/**
 * The serial of the lineage node that owns a manager.
 *
 * @param manager the manager.
 * @return the serial; 0 for NULL.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never.
 */
BROOD_API uint64_t
brood_thread_manager_owner_serial(brood_thread_manager_t *manager);

/**
 * Keep the memory of a manager for longer than its owner. Once its owner and
 * all its descendants are gone, every call on it that returns a status returns
 * BROOD_ESTOPPED: it stops by itself, and nobody can hurry it or wait for it.
 *
 * @param manager the manager, or NULL.
 * @return @a manager; NULL for NULL.
 *
 * @threads   any for which the handle is good.
 * @ownership the caller owns one reference.
 * @blocks    never.
 */
BROOD_API brood_thread_manager_t *brood_thread_manager_retain(
    brood_thread_manager_t *manager);

/**
 * Drop a reference taken by brood_thread_manager_retain().
 *
 * @param manager the manager, or NULL.
 * @return NULL.
 *
 * @threads   any.
 * @ownership the reference is gone.
 * @blocks    never.
 */
BROOD_API brood_thread_manager_t *brood_thread_manager_release(
    brood_thread_manager_t *manager);

BROOD_END_DECLS

#endif /* BROOD_THREAD_MANAGER_H */
