/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROOD_AFFINITY_H
#define BROOD_AFFINITY_H

#include <stdint.h>

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_time.h>

#include <brood/export.h>
#include <brood/future.h>
#include <brood/manager.h>
#include <brood/task.h>

/** @file brood/affinity.h
 *  @brief Threads that one context has for itself.
 *
 *     task -> [affinity pool] -> the context's thread -> future
 *
 * A call submitted with a context id runs on the one thread that this context
 * leases, in order, for as long as the context lives: from the first submit of
 * the id until brood_affinity_pool_release(). A call without an id is general:
 * it runs on any free general thread, so none waits behind a busy one.
 *
 * A pool has no spare threads: general calls that wait for other general calls of
 * the same pool may use it up. A coroutine that awaits its calls never does.
 *
 * A thread serves one context at a time and, between contexts, is free. The
 * start and exit hooks run once per thread: database connections live there.
 *
 * While a call of a context waits, its thread runs nothing else, but: the very
 * call of the same context that it awaits, if it submitted that itself or that
 * is the next one; and, in brood_async_to_sync(), those calls of the same
 * context that descend from the coroutine. They are part of the call that
 * waits, so the order stands. Awaiting any other queued call of the own context
 * is BROOD_EDEADLK.
 */

/** Opaque; lives in the pool given to brood_affinity_pool_create(). */
typedef struct brood_affinity_pool_t brood_affinity_pool_t;

/**
 * Settings. Start from BROOD_AFFINITY_POOL_OPTIONS_INIT; a field that stays 0
 * means "the default". Fields are only ever appended.
 */
typedef struct brood_affinity_pool_options_t {
    apr_size_t size;          /**< sizeof this struct, as the caller knows it */
    int max_threads;          /**< general and context threads together; default
                          max(8, min(4 x usable CPUs, 256)) */
    int keep_general_threads; /**< never free idle general threads */
    int general_threads_free_level; /**< percent of max_threads: idle general
                                         threads above ceil(max_threads x level
                                         / 100) are freed, but the last one;
                                         default 50; negative: 0 */
    int reserved_general; /**< threads that contexts may never take; default
                               1, or 0 if there is only one; less than
                               max_threads */
    int daemon; /**< when its pool is cleared or brood terminates: cancel,
                     instead of drain */
    apr_status_t (*on_thread_start)(void *hook_baton);
    /**< first on every thread; a failure ends the thread, and the status is
         that of the begin, submit or task that needed it */
    void (*on_thread_exit)(void *hook_baton); /**< last on every thread whose
                                                   start succeeded */
    void (*on_context_end)(const char *context_id, void *hook_baton);
    /**< on the context's thread, behind its last call */
    void *hook_baton;                 /**< handed to the hooks */
    apr_interval_time_t task_warning; /**< us after which a running call is
                                           reported, once; default 300 ms;
                                           negative: never */
    apr_interval_time_t general_threads_free_delay;
    /**< us that a general thread has to be idle before it is freed, so that
         bursts of calls do not open and close connections; default 250 ms;
         negative: none */
} brood_affinity_pool_options_t;

/** Initializer for brood_affinity_pool_options_t. */
#define BROOD_AFFINITY_POOL_OPTIONS_INIT                                       \
    {                                                                          \
        sizeof(brood_affinity_pool_options_t), 0, 0, 0, 0, 0, NULL, NULL,      \
            NULL, NULL, 0, 0                                                   \
    }

/** What brood_affinity_pool_each() shows of a thread. */
typedef struct brood_affinity_info_t {
    apr_size_t size;        /**< sizeof this struct, as the library knows it */
    int number;             /**< of the thread, from 1, never reused */
    const char *context_id; /**< leased to; NULL: general or free */
    const char *task_name; /**< of the call that runs; NULL: none, or no name */
    int is_busy;           /**< a call runs */
    apr_interval_time_t since; /**< us since it became busy or idle; 0 when not
                                    known */
    apr_size_t queued;         /**< calls that wait for this very thread */
} brood_affinity_info_t;

/** Shown one thread; a return value other than 0 ends the walk. */
typedef int brood_affinity_each_fn(const brood_affinity_info_t *info,
                                   void *baton);

BROOD_BEGIN_DECLS

/**
 * Make a pool. Threads are made when they are needed.
 *
 * @param[out] affinity the new pool; NULL unless APR_SUCCESS.
 * @param      options  settings, or NULL for all defaults; copied.
 * @param      pool     the lifetime: clearing it shuts the pool down (drain, or
 *                      cancel for a daemon) and waits, on a thread of brood's
 *                      own it hands that to the collector.
 * @retval APR_EINVAL contradictory settings, an unknown options size, a NULL
 *                       argument.
 * @retval APR_ENOMEM nothing was made.
 * @return else what the creation of the collector's thread returned.
 *
 * @threads   the thread that owns @a pool.
 * @ownership the affinity pool belongs to @a pool.
 * @blocks    never, but while the first call of all makes the collector's
 *            thread.
 */
BROOD_API apr_status_t brood_affinity_pool_create(
    brood_affinity_pool_t **affinity,
    const brood_affinity_pool_options_t *options, apr_pool_t *pool);

/**
 * Queue a call.
 *
 * @param[out] future     a new reference; NULL when no result is wanted.
 *                        Written NULL unless APR_SUCCESS.
 * @param      affinity   the pool.
 * @param      context_id the context; NULL: general. Copied.
 * @param      fn         the call.
 * @param      baton      handed to @a fn.
 * @param      options    settings of the task, or NULL. A type is not looked
 *                        at; priority, delay and timeouts count for general
 *                        calls, timeouts and delay for those of a context.
 * @retval BROOD_EFULL    a new context, and every thread that contexts may take
 *                        is leased.
 * @retval BROOD_ESTOPPED the pool is shut down.
 * @retval APR_EINVAL     @a affinity or @a fn is NULL, or unknown options.
 * @retval APR_ENOMEM     memory ran out.
 * @return else what the creation of a thread or its start hook returned.
 *         Whatever failed, nothing was queued.
 *
 * @threads   any.
 * @ownership on APR_SUCCESS @a baton is the task's until it returns, and the
 *            caller owns one reference to @a future; on failure nothing moved.
 * @blocks    while a thread is made for a new context; on a loop's thread
 *            outside a coroutine never: there the future tells of a thread
 *            that could not start.
 */
BROOD_API apr_status_t brood_affinity_pool_submit(
    brood_future_t **future, brood_affinity_pool_t *affinity,
    const char *context_id, brood_task_fn *fn, void *baton,
    const brood_task_options_t *options);

/**
 * End a context behind the calls that are queued for it. `on_context_end` runs,
 * then the thread is free. A later submit of that id opens a new context.
 *
 * @param affinity   the pool.
 * @param context_id the context.
 * @retval BROOD_ENOTFOUND no such context is open.
 * @retval APR_EINVAL      an argument is NULL.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_affinity_pool_release(
    brood_affinity_pool_t *affinity, const char *context_id);

/**
 * Refuse new calls, deal with the queued ones, end every context and thread.
 * Open transactions end, behind their queued calls, with BROOD_ESTOPPED.
 *
 * @param affinity the pool; shutting down twice is harmless.
 * @param how      what becomes of the queued calls.
 * @param timeout  microseconds to wait; 0: do not wait; negative: for ever.
 * @retval APR_TIMEUP         still shutting down; it goes on by itself.
 * @retval BROOD_EDEADLK      called from one of its own threads: nothing has
 *                            begun. On a loop's thread outside a coroutine
 *                            with a timeout other than 0, while something
 *                            still runs, or in a circle of stops, as with
 *                            brood_thread_manager_stop(): it has begun, and
 *                            goes on.
 * @retval BROOD_EINTERRUPTED the waiting task was canceled; it goes on.
 * @retval APR_EINVAL         @a affinity is NULL or @a how unknown.
 *
 * @threads   any but the pool's own.
 * @ownership the memory stays until the APR pool is cleared.
 * @blocks    up to @a timeout.
 */
BROOD_API apr_status_t
brood_affinity_pool_shutdown(brood_affinity_pool_t *affinity, brood_stop_e how,
                             apr_interval_time_t timeout);

/**
 * Show every thread of the pool, as one consistent snapshot.
 *
 * @param affinity the pool.
 * @param fn       called for each, under no lock.
 * @param baton    handed to @a fn.
 * @retval APR_EINVAL @a affinity or @a fn is NULL.
 * @retval APR_ENOMEM no snapshot could be made.
 *
 * @threads   any.
 * @ownership the info and its strings are good during the call only.
 * @blocks    never, beside @a fn.
 */
BROOD_API apr_status_t brood_affinity_pool_each(brood_affinity_pool_t *affinity,
                                                brood_affinity_each_fn *fn,
                                                void *baton);

/**
 * Have the blocking calls of the current thread or task, and of what it submits
 * from now on, run in this pool. It is a context variable (brood/context.h).
 *
 * @param affinity the pool; NULL: none.
 * @retval APR_ENOMEM it is as it was.
 *
 * @threads   any.
 * @ownership nothing moves; the pool must outlive those calls.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_affinity_pool_use(brood_affinity_pool_t *affinity);

BROOD_END_DECLS

#endif /* BROOD_AFFINITY_H */
