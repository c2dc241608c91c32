/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROOD_TRANSACTION_H
#define BROOD_TRANSACTION_H

#include <apr_errno.h>
#include <apr_time.h>

#include <brood/affinity.h>
#include <brood/export.h>

/** @file brood/transaction.h
 *  @brief A scope whose blocking calls all run on one thread, in order.
 *
 *     begin -> [transaction] -> sync_to_async ... -> end
 *
 * @section transaction_life Life
 *
 *     begin()   leases a thread, runs on_begin there (BEGIN)   OPEN
 *     calls     of brood_sync_to_async() run on that thread, in order
 *     end()     behind queued calls runs on_end there          ENDED
 *               (COMMIT or ROLLBACK), and the thread is free
 *
 * The open transaction is a context variable: it follows the work across every
 * hop in the process. A call made after its end is BROOD_ESTALE, never another
 * transaction's thread.
 *
 * A begin inside an open transaction joins it: it is counted. Ending a joined
 * one with failure dooms the whole: the outermost end(APR_SUCCESS) rolls back
 * and returns BROOD_EROLLEDBACK. So does a joined one that is still open then:
 * it has not agreed. Only the outermost end closes it. A task or thread that
 * opened a transaction and ends without ending it ends it with failure.
 *
 * Calls that are queued before the end belong to it, with all that they bring
 * about themselves.
 *
 * @section outcome What on_end is told
 *
 *     as given to end()    APR_SUCCESS: commit; else roll back
 *     BROOD_EROLLEDBACK    it was doomed
 *     BROOD_EABANDONED     its task or thread ended and had not ended it
 *     BROOD_ECANCELED      the task was canceled while it began
 *     BROOD_ESTOPPED       the affinity pool was shut down
 */

/** Opaque; from begin until end. */
typedef struct brood_transaction_t brood_transaction_t;

/**
 * Settings. Start from BROOD_TRANSACTION_OPTIONS_INIT; a field that stays 0
 * means "the default". Fields are only ever appended.
 */
typedef struct brood_transaction_options_t {
    apr_size_t size; /**< sizeof this struct, as the caller knows it */
    brood_affinity_pool_t *pool; /**< default as for brood_sync_to_async() */
    int requires_new; /**< do not join: suspend the outer one until the end */
    apr_interval_time_t begin_timeout;     /**< us to wait for a thread, then
                                            BROOD_EFULL; default for ever;
                                            negative: do not wait */
    apr_status_t (*on_begin)(void *baton); /**< on the transaction's thread */
    apr_status_t (*on_end)(void *baton, apr_status_t outcome);
    /**< on the transaction's thread; APR_SUCCESS: commit, else roll back */
    void *baton; /**< handed to both */
} brood_transaction_options_t;

/** Initializer for brood_transaction_options_t. */
#define BROOD_TRANSACTION_OPTIONS_INIT                                         \
    {                                                                          \
        sizeof(brood_transaction_options_t), NULL, 0, 0, NULL, NULL, NULL      \
    }

BROOD_BEGIN_DECLS

/**
 * Open a transaction, or join the open one.
 *
 * @param[out] transaction the handle; NULL unless APR_SUCCESS.
 * @param      options     settings, or NULL. When it joins, only the size is
 *                         looked at.
 * @retval BROOD_EFULL        no thread was free within `begin_timeout`.
 * @retval BROOD_EINTERRUPTED the waiting task was canceled; what on_begin had
 *                            begun was rolled back.
 * @retval BROOD_EDEADLK      on a loop's thread outside a coroutine; or it
 *                            would wait for ever for threads that are all held
 *                            by what it is inside of.
 * @retval BROOD_ESTALE       the transaction that it would join has ended.
 * @retval BROOD_ESTOPPED     the affinity pool is shut down.
 * @retval APR_EINVAL         @a transaction is NULL, an unknown options size.
 * @retval APR_ENOMEM         nothing was opened.
 * @return else what `on_begin`, the thread's start hook or its creation
 *         returned; nothing is open then.
 *
 * @threads   any; in a coroutine it suspends the coroutine.
 * @ownership the handle is good until its end.
 * @blocks    up to `begin_timeout` and while `on_begin` runs.
 */
BROOD_API apr_status_t
brood_transaction_begin(brood_transaction_t **transaction,
                        const brood_transaction_options_t *options);

/**
 * End a transaction, behind the calls that are queued for it.
 *
 * @param transaction from brood_transaction_begin(); gone whatever is returned
 *                    but APR_EINVAL and BROOD_EDEADLK.
 * @param outcome     APR_SUCCESS: commit; anything else: roll back.
 * @retval BROOD_EROLLEDBACK @a outcome was APR_SUCCESS, but a joined part had
 *                           ended with failure.
 * @retval BROOD_ESTALE      it had been ended for its task, or the affinity pool
 *                           was shut down.
 * @retval BROOD_EDEADLK     on a loop's thread outside a coroutine, or in a call
 *                           of the transaction itself; still open.
 * @retval APR_EINVAL        @a transaction is NULL.
 * @return else what `on_end` returned. A joined handle returns APR_SUCCESS.
 *
 * @threads   the thread or task that began it, or a descendant.
 * @ownership the handle is gone.
 * @blocks    until `on_end` has returned; never interrupted.
 */
BROOD_API apr_status_t brood_transaction_end(brood_transaction_t *transaction,
                                             apr_status_t outcome);

/**
 * The id of the open transaction, unique in the process.
 *
 * @return the id; NULL outside of a transaction.
 *
 * @threads   any.
 * @ownership the transaction's, good until its end.
 * @blocks    never.
 */
BROOD_API const char *brood_transaction_id(void);

/**
 * Step out of the open transaction: calls from here on are ordinary ones.
 *
 * @param[out] transaction for brood_transaction_resume(); NULL when none is
 *                         open.
 * @retval APR_EINVAL @a transaction is NULL.
 * @retval APR_ENOMEM still inside.
 *
 * @threads   any.
 * @ownership the transaction stays open; whoever began it ends it.
 * @blocks    never.
 */
BROOD_API apr_status_t
brood_transaction_suspend(brood_transaction_t **transaction);

/**
 * Step into a suspended transaction again.
 *
 * @param transaction from brood_transaction_suspend(); NULL does nothing.
 * @retval BROOD_ESTALE it has ended.
 * @retval APR_ENOMEM   still outside.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never.
 */
BROOD_API apr_status_t
brood_transaction_resume(brood_transaction_t *transaction);

BROOD_END_DECLS

#endif /* BROOD_TRANSACTION_H */
