/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROOD_LOOP_MANAGER_H
#define BROOD_LOOP_MANAGER_H

#include <stdint.h>

#include <apr_errno.h>
#include <apr_time.h>

#include <brood/export.h>
#include <brood/future.h>
#include <brood/manager.h>
#include <brood/task.h>

/** @file brood/loop_manager.h
 *  @brief A named event loop on one thread, running coroutines.
 *
 *     task -> [loop manager] -> mailbox -> coroutine -> future -> loop
 *
 * Life, ids and look-up: brood/manager.h. A task of a loop is a coroutine:
 * plain C that may await (brood/await.h) and stays on its loop's thread for
 * life. An event handler of the program's own, evhttp's say, is no coroutine:
 * it submits one to the current loop and returns.
 *
 * The base is libevent's. Never call event_base_loop*(), event_base_free() or
 * event_reinit() on it.
 */

/** Opaque; belongs to a lineage node. */
typedef struct brood_loop_manager_t brood_loop_manager_t;

struct event_base;

/**
 * Settings. Start from BROOD_LOOP_MANAGER_OPTIONS_INIT; a field that stays 0
 * means "the default". Fields are only ever appended.
 */
typedef struct brood_loop_manager_options_t {
    apr_size_t size;       /**< sizeof this struct, as the caller knows it */
    const char *task_type; /**< accept only tasks of exactly this type; copied;
                                  NULL: any; "" is a type */
    int daemon;            /**< when collected or terminated: cancel, instead
                                  of drain */
    const char *thread_name; /**< copied; default the id, or "brood-loop" */
    apr_interval_time_t block_warning; /**< us after which the watchdog names
                                            what blocks the loop; default
                                            100 ms; negative: never */
    apr_size_t stack_size; /**< bytes of a coroutine's stack; default 256 KiB,
                                of which untouched pages cost nothing; less
                                than 32 KiB means 32 KiB, more than 1 GiB is
                                refused */
    int spin; /**< us that an idle loop polls its mailbox before it sleeps, and
                   that events of descriptors may have to wait; 0: at most as
                   long as a wake-up costs; negative: never */
    void (*on_start)(struct event_base *base, void *hook_baton);
    /**< first on the loop's thread */
    void (*on_stop)(struct event_base *base, void *hook_baton);
    /**< when a stop begins: close listeners here */
    void (*on_exit)(struct event_base *base, void *hook_baton);
    /**< after the last task, before the base is freed */
    void *hook_baton; /**< handed to the hooks */
} brood_loop_manager_options_t;

/** Initializer for brood_loop_manager_options_t. */
#define BROOD_LOOP_MANAGER_OPTIONS_INIT                                        \
    {                                                                          \
        sizeof(brood_loop_manager_options_t), NULL, 0, NULL, 0, 0, 0, NULL,    \
            NULL, NULL, NULL                                                   \
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
 *            lives; brood_loop_manager_retain() makes it good for longer.
 * @blocks    never, but while the first call of all makes the collector's
 *            thread.
 */
BROOD_API apr_status_t brood_loop_manager_get(brood_loop_manager_t **manager,
                                              const char *id, unsigned flags);

/**
 * Start a loop that does not run, on a thread of its own. It runs when this
 * returns.
 *
 * @param manager the manager.
 * @param options settings, or NULL for all defaults; copied.
 * @retval BROOD_EALREADY it runs already; its settings are untouched.
 * @retval BROOD_EPENDING it is stopping and a task of it has not ended yet.
 * @retval BROOD_ESTOPPED its owner is gone.
 * @retval APR_EINVAL     @a manager is NULL, contradictory settings, an unknown
 *                        options size; state untouched.
 * @retval APR_ENOMEM     not started.
 * @retval APR_EGENERAL   libevent could not make a base (out of descriptors).
 * @retval APR_ENOTIMPL   stacks cannot be switched on this machine (x86-64 with
 *                        shadow stacks on).
 * @return else what the creation of a thread returned; not started.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    until the loop runs.
 */
BROOD_API apr_status_t brood_loop_manager_start(
    brood_loop_manager_t *manager, const brood_loop_manager_options_t *options);

/**
 * As brood_loop_manager_start(), but on the calling thread, until another
 * thread or a task of the loop stops it.
 *
 * @param manager the manager.
 * @param options settings, or NULL for all defaults; copied.
 * @retval BROOD_EDEADLK the caller is a task of a thread manager's worker, of a
 *                       loop or of an affinity thread.
 * @return as brood_loop_manager_start(); APR_SUCCESS once stopped.
 *
 * @threads   any thread of the program's own.
 * @ownership nothing moves.
 * @blocks    until the loop has stopped.
 */
BROOD_API apr_status_t brood_loop_manager_run(
    brood_loop_manager_t *manager, const brood_loop_manager_options_t *options);

/**
 * Queue a task: a coroutine on the loop's thread.
 *
 * `priority` and `queue_timeout`, `run_timeout`, `delay` mean what they mean
 * for a thread manager, except that a loop runs its tasks in order of arrival
 * whatever their priority.
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
 * @retval APR_EINVAL        @a manager or @a fn is NULL, or the options are
 *                           unknown.
 * @retval APR_ENOMEM        memory ran out. Whatever failed, nothing was
 *                           queued.
 * @return else, for a timeout, what the creation of the timers' thread returned.
 *
 * @threads   any, also the loop's own.
 * @ownership on APR_SUCCESS @a baton is the task's until it returns, and the
 *            caller owns one reference to @a future; on failure nothing moved.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_loop_manager_submit(
    brood_future_t **future, brood_loop_manager_t *manager, brood_task_fn *fn,
    void *baton, const brood_task_options_t *options);

/**
 * Have a function called on the loop's thread: the cheapest hop. It runs at the
 * lineage and context of the caller, is counted as a task, and may not await.
 *
 * @param manager the manager.
 * @param fn      called once.
 * @param baton   handed to @a fn.
 * @retval BROOD_ENOTSTARTED the manager was never started.
 * @retval BROOD_ESTOPPED    it is stopping or stopped.
 * @retval BROOD_ETASKTYPE   it has a task type.
 * @retval APR_EINVAL        @a manager or @a fn is NULL.
 * @retval APR_ENOMEM        memory ran out.
 *
 * @threads   any.
 * @ownership on APR_SUCCESS @a baton is the function's; when the loop stops
 *            before, @a fn is called during the stop.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_loop_manager_post(brood_loop_manager_t *manager,
                                               void (*fn)(void *baton),
                                               void *baton);

/**
 * Refuse new tasks, deal with the accepted ones, and end the loop.
 *
 * First `on_stop` is called. DRAIN lets every task end by itself; while it
 * drains, the loop's own tasks may still submit. CANCEL settles tasks not begun
 * with BROOD_ECANCELED, raises the token of the others and interrupts their
 * awaits. Events of the program's own do not hold up a stop.
 *
 * @param manager the manager; stopping a stopped one is APR_SUCCESS.
 * @param how     what becomes of the tasks.
 * @param timeout microseconds to wait; 0: do not wait; negative: for ever.
 * @retval APR_TIMEUP         still stopping; it goes on by itself.
 * @retval BROOD_EDEADLK      called on the loop's own thread with a timeout
 *                            other than 0, or in a circle of stops, as with
 *                            brood_thread_manager_stop(); the stop has begun
 *                            all the same.
 * @retval BROOD_EINTERRUPTED the waiting task was canceled; stopping goes on.
 * @retval BROOD_ENOTSTARTED  never started.
 * @retval BROOD_ESTOPPED     its owner is gone.
 * @retval APR_EINVAL         @a manager is NULL or @a how unknown.
 *
 * @threads   any; on the loop's own thread with timeout 0.
 * @ownership nothing moves.
 * @blocks    up to @a timeout.
 */
BROOD_API apr_status_t brood_loop_manager_stop(brood_loop_manager_t *manager,
                                               brood_stop_e how,
                                               apr_interval_time_t timeout);

/**
 * The base of a running loop, for the program's own events. Handlers run on the
 * loop's thread, at the node of the manager's owner, with an empty context.
 *
 * @param      manager the manager.
 * @param[out] base    libevent's base; NULL unless APR_SUCCESS.
 * @retval BROOD_ENOTSTARTED never started.
 * @retval BROOD_ESTOPPED    stopped.
 * @retval APR_EINVAL        an argument is NULL.
 *
 * @threads   any; add events on the loop's thread.
 * @ownership the base is the manager's and goes when it has stopped.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_loop_manager_event_base(
    brood_loop_manager_t *manager, struct event_base **base);

/**
 * The loop on whose thread the caller runs.
 *
 * @param[out] manager the manager; NULL unless APR_SUCCESS.
 * @retval BROOD_ENOTFOUND the caller is on no loop's thread.
 * @retval APR_EINVAL      @a manager is NULL.
 *
 * @threads   any.
 * @ownership borrowed: good while the loop runs.
 * @blocks    never.
 */
BROOD_API apr_status_t
brood_loop_manager_current(brood_loop_manager_t **manager);

/**
 * Read the counters; `workers` is 1 while the loop runs, `running` counts
 * coroutines that have begun, `blocked` those that are suspended.
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
BROOD_API apr_status_t brood_loop_manager_stats(brood_loop_manager_t *manager,
                                                brood_stats_t *stats);

/**
 * A line for people: the kind, id, size, task type and owner.
 *
 * @param manager the manager; NULL gives "<loop manager NULL>".
 * @param buf     where the line is written, cut to fit and ended with 0.
 * @param len     bytes of @a buf; 0 writes nothing.
 * @return @a buf.
 *
 * @threads   any.
 * @ownership @a buf stays the caller's.
 * @blocks    never.
 */
BROOD_API const char *brood_loop_manager_describe(brood_loop_manager_t *manager,
                                                  char *buf, apr_size_t len);

/** Shown one manager; a return value other than 0 ends the walk. */
typedef int brood_loop_manager_each_fn(brood_loop_manager_t *manager,
                                       void *baton);

/**
 * Show every loop manager of the process, as one consistent snapshot.
 *
 * @param fn    called for each, under no lock; the handle is good during the
 *              call, and longer with a brood_loop_manager_retain().
 * @param baton handed to @a fn.
 * @retval APR_EINVAL @a fn is NULL.
 * @retval APR_ENOMEM no snapshot could be made.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never, beside @a fn.
 */
BROOD_API apr_status_t brood_loop_manager_each(brood_loop_manager_each_fn *fn,
                                               void *baton);

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
BROOD_API int brood_loop_manager_is_running(brood_loop_manager_t *manager);

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
BROOD_API const char *brood_loop_manager_id(brood_loop_manager_t *manager);

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
BROOD_API const char *brood_loop_manager_task_type(
    brood_loop_manager_t *manager, char *buf, apr_size_t len);

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
brood_loop_manager_owner_serial(brood_loop_manager_t *manager);

/**
 * Keep the memory of a manager for longer than its owner. Once its owner and
 * all its descendants are gone, every call on it that returns a status returns
 * BROOD_ESTOPPED: it stops by itself, and nobody can hurry it or wait for it.
 * Its base stays until it has stopped, for the tasks that still run.
 *
 * @param manager the manager, or NULL.
 * @return @a manager; NULL for NULL.
 *
 * @threads   any for which the handle is good.
 * @ownership the caller owns one reference.
 * @blocks    never.
 */
BROOD_API brood_loop_manager_t *brood_loop_manager_retain(
    brood_loop_manager_t *manager);

/**
 * Drop a reference taken by brood_loop_manager_retain().
 *
 * @param manager the manager, or NULL.
 * @return NULL.
 *
 * @threads   any.
 * @ownership the reference is gone.
 * @blocks    never.
 */
BROOD_API brood_loop_manager_t *brood_loop_manager_release(
    brood_loop_manager_t *manager);

BROOD_END_DECLS

#endif /* BROOD_LOOP_MANAGER_H */
