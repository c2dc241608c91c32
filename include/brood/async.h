/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROOD_ASYNC_H
#define BROOD_ASYNC_H

#include <apr_errno.h>
#include <apr_time.h>

#include <brood/affinity.h>
#include <brood/export.h>
#include <brood/future.h>
#include <brood/loop_manager.h>
#include <brood/task.h>

/** @file brood/async.h
 *  @brief The bridge between blocking code and event loops.
 *
 *     coroutine -> [sync_to_async] -> affinity pool -> future -> coroutine
 *     thread    -> [async_to_sync] -> loop manager  -> value  -> thread
 *
 * Outside a transaction a blocking call runs on any free general thread of the
 * affinity pool; inside, all calls run on the transaction's own thread, in
 * order.
 *
 * Which pool: the open transaction's, else `pool`, else the one given to
 * brood_affinity_pool_use(), else the process's default, made at first use.
 *
 * Which loop: `loop`, else in a coroutine its own loop, else the loop whose
 * coroutine the call descends from by brood_sync_to_async(), else the nearest
 * running default loop manager, else a private loop on the calling thread.
 */

/** This one call is a transaction of its own: APR_SUCCESS commits. On a thread
 *  of its own on_begin, the call, what it queued, and on_end run in one go; the
 *  future settles after on_end, with the call's status, else with on_end's.
 *  Inside an open transaction it is a joined part of it, unless the hooks'
 *  options say `requires_new`: its failure, or its never running, dooms the
 *  whole. */
#define BROOD_TRANSACTIONAL 0x1u

struct brood_transaction_options_t;

/**
 * Settings. Start from BROOD_ASYNC_OPTIONS_INIT; a field that stays 0 means
 * "the default". Fields are only ever appended.
 */
typedef struct brood_async_options_t {
    apr_size_t size;                  /**< sizeof this struct */
    brood_affinity_pool_t *pool;      /**< for brood_sync_to_async() */
    brood_loop_manager_t *loop;       /**< for brood_async_to_sync() */
    apr_interval_time_t timeout;      /**< us that brood_async_to_sync() waits,
                                           then the coroutine is canceled;
                                           default for ever */
    unsigned flags;                   /**< BROOD_TRANSACTIONAL */
    const brood_task_options_t *task; /**< settings of the task, or NULL */
    const struct brood_transaction_options_t *transaction;
    /**< hooks for BROOD_TRANSACTIONAL, or NULL; its pool is not looked at */
} brood_async_options_t;

/** Initializer for brood_async_options_t. */
#define BROOD_ASYNC_OPTIONS_INIT                                               \
    {                                                                          \
        sizeof(brood_async_options_t), NULL, NULL, 0, 0, NULL, NULL            \
    }

BROOD_BEGIN_DECLS

/**
 * Run a blocking call where blocking does no harm.
 *
 * @param[out] future  a new reference; NULL when no result is wanted. Written
 *                     NULL unless APR_SUCCESS.
 * @param      fn      the call.
 * @param      baton   handed to @a fn.
 * @param      options settings, or NULL.
 * @retval BROOD_ESTALE   the transaction around it has ended.
 * @retval BROOD_EFULL    BROOD_TRANSACTIONAL, and no thread is free.
 * @retval BROOD_ESTOPPED the affinity pool is shut down.
 * @retval APR_EINVAL     @a fn is NULL, or unknown options or flags.
 * @retval APR_ENOMEM     memory ran out.
 * @return else what the creation of a thread or its start hook returned.
 *         Whatever failed, nothing was queued.
 *
 * @threads   any.
 * @ownership on APR_SUCCESS @a baton is the task's until it returns, and the
 *            caller owns one reference to @a future; on failure nothing moved.
 * @blocks    never; with BROOD_TRANSACTIONAL while a thread is made.
 */
BROOD_API apr_status_t
brood_sync_to_async(brood_future_t **future, brood_task_fn *fn, void *baton,
                    const brood_async_options_t *options);

/**
 * Run a coroutine on a loop and wait for it. In a coroutine it awaits.
 *
 * On a thread of an affinity pool, calls of the same context (or, of a general
 * call, general ones) that come back from the coroutine run on the waiting
 * thread: they cannot wait for each other.
 *
 * @param[out] value     the coroutine's value, the caller's from now on; may be
 *                       NULL (then it is freed by the task's `free_value`).
 * @param      coroutine the work; it may await.
 * @param      baton     handed to @a coroutine.
 * @param      options   settings, or NULL.
 * @retval APR_TIMEUP         `timeout` ran out; the coroutine was canceled, and
 *                            has ended before this returns.
 * @retval BROOD_EINTERRUPTED the waiting task was canceled; likewise.
 * @retval BROOD_EDEADLK      on a loop's thread outside a coroutine.
 * @retval APR_EINVAL         @a coroutine is NULL, or unknown options.
 * @retval APR_ENOMEM         memory ran out; nothing ran.
 * @return else the coroutine's status; or why the loop refused it, as
 *         brood_loop_manager_submit(); or why there is no private loop, as
 *         brood_loop_manager_start(). Then nothing ran.
 *
 * @threads   any.
 * @ownership the value is the caller's; @a baton is the coroutine's until this
 *            returns.
 * @blocks    until the coroutine has ended.
 */
BROOD_API apr_status_t
brood_async_to_sync(void **value, brood_task_fn *coroutine, void *baton,
                    const brood_async_options_t *options);

BROOD_END_DECLS

#endif /* BROOD_ASYNC_H */
