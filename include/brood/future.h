/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROOD_FUTURE_H
#define BROOD_FUTURE_H

#include <stddef.h>

#include <apr_errno.h>
#include <apr_time.h>

#include <brood/export.h>

/** @file brood/future.h
 *  @brief The one-shot result of an accepted task.
 *
 *     task -> manager -> queue -> worker -> [future] -> loop
 *
 * @section waits Waiting
 *
 * The waiting calls do the right thing where they are called. A plain thread
 * blocks. A worker of a thread manager that waits for one future without a
 * time limit runs its task in place when it is still queued with the same
 * manager; else it sleeps and a spare worker takes its place. A coroutine is
 * suspended and its loop goes on. On a loop's thread outside a coroutine an
 * unready wait is BROOD_EDEADLK, and so is every wait that could provably
 * never end: a task that waits for itself, a circle of waiting tasks.
 *
 * @section future_life Life
 *
 * References are counted. The value belongs to the future and dies with its
 * last reference. A failed task has no value. After the last
 * brood_terminate() no future may be touched.
 */

/** Opaque; counted. */
typedef struct brood_future_t brood_future_t;

/** The writing end of a future that no task settles. */
typedef struct brood_promise_t brood_promise_t;

struct brood_thread_manager_t;
struct brood_loop_manager_t;

/** Where a notification runs: exactly one of the managers is not NULL. */
typedef struct brood_target_t {
    apr_size_t size;                        /**< sizeof this struct */
    struct brood_thread_manager_t *threads; /**< on one of its workers */
    struct brood_loop_manager_t *loop;      /**< on its thread */
} brood_target_t;

/** Initializer for brood_target_t. */
#define BROOD_TARGET_INIT                                                      \
    {                                                                          \
        sizeof(brood_target_t), NULL, NULL                                     \
    }

/** Told that @a future is settled, or that the target stops. */
typedef void brood_notify_fn(brood_future_t *future, void *baton);

/** Told that the end of a promise was asked for. */
typedef void brood_cancel_fn(void *baton);

BROOD_BEGIN_DECLS

/**
 * Wait until a future is settled, however it went.
 *
 * @param future  a future.
 * @param timeout microseconds; 0: only look; negative: for ever.
 * @retval APR_TIMEUP         not settled within @a timeout.
 * @retval BROOD_EINTERRUPTED the waiting task was canceled.
 * @retval BROOD_EDEADLK      the wait could never end.
 * @retval APR_EINVAL         @a future is NULL.
 * @retval APR_ENOMEM         in a coroutine: there is no stack for what its
 *                            loop would run next. It has not waited.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    up to @a timeout.
 */
BROOD_API apr_status_t brood_future_wait(brood_future_t *future,
                                         apr_interval_time_t timeout);

/**
 * The task's own status and value, without waiting.
 *
 * @param      future a future.
 * @param[out] value  the value, NULL when the task failed; may be NULL.
 * @retval BROOD_EPENDING not settled yet.
 * @retval APR_EINVAL     @a future is NULL.
 * @return else the task's status.
 *
 * @threads   any.
 * @ownership the value stays the future's.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_future_result(brood_future_t *future,
                                           void **value);

/**
 * brood_future_wait(), then brood_future_result().
 *
 * A task may itself return APR_TIMEUP or BROOD_EINTERRUPTED; to tell its status
 * from that of the wait, use the two calls.
 *
 * @param      future  a future.
 * @param[out] value   the value, NULL when the task or the wait failed; may be
 *                     NULL.
 * @param      timeout microseconds; 0: only look; negative: for ever.
 * @retval APR_TIMEUP         not settled within @a timeout.
 * @retval BROOD_EINTERRUPTED the waiting task was canceled.
 * @retval BROOD_EDEADLK      the wait could never end.
 * @retval APR_EINVAL         @a future is NULL.
 * @retval APR_ENOMEM         in a coroutine: there is no stack for what its
 *                            loop would run next. It has not waited.
 * @return else the task's status.
 *
 * @threads   any.
 * @ownership the value stays the future's.
 * @blocks    up to @a timeout.
 */
BROOD_API apr_status_t brood_future_get(brood_future_t *future, void **value,
                                        apr_interval_time_t timeout);

/**
 * Move the value out of a settled future, once.
 *
 * @param      future a future.
 * @param[out] value  the value, the caller's from now on.
 * @retval BROOD_EPENDING not settled yet.
 * @retval BROOD_EALREADY the value was taken before.
 * @retval APR_EINVAL     an argument is NULL.
 * @return else the task's status.
 *
 * Afterwards brood_future_result() still tells the status, and NULL as the
 * value.
 *
 * @threads   any.
 * @ownership on APR_SUCCESS the value is the caller's and `free_value` is not
 *            called; on failure nothing moved.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_future_take(brood_future_t *future, void **value);

/**
 * Wait until all of several futures are settled, however they went. A thread that
 * runs no task sleeps once for many that run in this process, not for one after
 * the other.
 *
 * @param futures the futures; the same one may stand in it twice.
 * @param n       how many; 0 is APR_SUCCESS at once.
 * @param timeout microseconds; 0: only look; negative: for ever.
 * @retval APR_EINVAL one of them, or with @a n other than 0 @a futures, is NULL,
 *                    or there are more than fit into memory.
 * @return else as brood_future_wait().
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    up to @a timeout.
 */
BROOD_API apr_status_t brood_future_wait_all(brood_future_t *const *futures,
                                             apr_size_t n,
                                             apr_interval_time_t timeout);

/**
 * Wait until at least one of several futures is settled, however it went.
 *
 * @param      futures the futures.
 * @param      n       how many; 0 is APR_EINVAL.
 * @param[out] index   which one: the first of the array that is settled.
 * @param      timeout microseconds; 0: only look; negative: for ever.
 * @retval APR_EINVAL @a n is 0 or more than fit into memory, or @a futures, one
 *                    of them or @a index is NULL.
 * @retval APR_ENOMEM memory ran out. It has not waited.
 * @return else as brood_future_wait().
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    up to @a timeout.
 */
BROOD_API apr_status_t brood_future_wait_any(brood_future_t *const *futures,
                                             apr_size_t n, apr_size_t *index,
                                             apr_interval_time_t timeout);

/**
 * A future that settles when all of several have: with the status of the first
 * of the array that failed, else APR_SUCCESS. Its value is NULL. Canceling it
 * cancels each of them.
 *
 * @param[out] all     a new reference; NULL unless APR_SUCCESS.
 * @param      futures the futures; read during the call only.
 * @param      n       how many; 0 settles at once.
 * @retval APR_EINVAL @a all, one of the futures, or with @a n other than 0
 *                    @a futures, is NULL, or there are more than fit into
 *                    memory.
 * @retval APR_ENOMEM nothing was made.
 *
 * @threads   any.
 * @ownership the caller owns the reference to @a all, which holds references of
 *            its own to @a futures until it settles.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_future_all(brood_future_t **all,
                                        brood_future_t *const *futures,
                                        apr_size_t n);

/**
 * Ask for the end of a task. Still queued, it never runs and settles
 * BROOD_ECANCELED. Running, its token is raised (brood_task_canceled()), and
 * its current or next wait is interrupted, once. Neither what it awaits nor what
 * it submitted is canceled.
 *
 * @param future a future.
 * @retval BROOD_EALREADY it is settled already.
 * @retval APR_EINVAL     @a future is NULL.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_future_cancel(brood_future_t *future);

/**
 * Have @a fn called once the future is settled.
 *
 * Exactly once, later, on the target, counted as a task of it, at the lineage
 * and context of the caller. Registering is refused when the target does not
 * run; a target that stops calls @a fn during its stop, the future possibly
 * still BROOD_EPENDING.
 *
 * @param future a future.
 * @param where  the target; NULL: on the thread that settles the future, under
 *               no lock, where @a fn must not block.
 * @param fn     called once.
 * @param baton  handed to @a fn.
 * @retval BROOD_EALREADY    @a where is NULL and the future is settled; @a fn
 *                           will not be called.
 * @retval BROOD_ENOTSTARTED the target was never started.
 * @retval BROOD_ESTOPPED    the target is stopping or stopped.
 * @retval APR_EINVAL        @a future or @a fn is NULL, the size of @a where is
 *                           unknown, or it names not exactly one target.
 * @retval APR_ENOMEM        nothing was registered.
 * @return else, for a thread manager without min_workers, what the creation of
 *         the timers' thread returned: it has to see to it that @a fn is called
 *         also when no worker can be made at first.
 *
 * @threads   any.
 * @ownership on APR_SUCCESS a reference to @a future is held until @a fn has
 *            returned; on failure nothing moved.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_future_notify(brood_future_t *future,
                                           const brood_target_t *where,
                                           brood_notify_fn *fn, void *baton);

/**
 * Take one more reference.
 *
 * @param future a future, or NULL.
 * @return @a future, also in a forked child; NULL for NULL.
 *
 * @threads   any that holds a reference.
 * @ownership the caller owns one more reference.
 * @blocks    never.
 */
BROOD_API brood_future_t *brood_future_retain(brood_future_t *future);

/**
 * Drop a reference; the task goes on.
 *
 * @param future a future, or NULL.
 * @return NULL.
 *
 * @threads   any.
 * @ownership the reference is gone; with the last one the value.
 * @blocks    never.
 */
BROOD_API brood_future_t *brood_future_release(brood_future_t *future);

/**
 * Make a future that the program settles itself.
 *
 * @param[out] promise    the writing end; NULL unless APR_SUCCESS.
 * @param[out] future     the reading end; NULL unless APR_SUCCESS.
 * @param      free_value frees the value when the last reference to the future
 *                        goes; may be NULL.
 * @retval APR_EINVAL @a promise or @a future is NULL.
 * @retval APR_ENOMEM nothing was made.
 *
 * @threads   any.
 * @ownership the caller owns both.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_promise_make(brood_promise_t **promise,
                                          brood_future_t **future,
                                          void (*free_value)(void *value));

/**
 * Settle a promise.
 *
 * @param promise the promise; consumed.
 * @param status  what readers get; BROOD_EPENDING is APR_EINVAL.
 * @param value   the value; freed at once when @a status is not APR_SUCCESS.
 * @retval APR_EINVAL @a promise is NULL, or @a status is BROOD_EPENDING;
 *                    nothing moved.
 *
 * @threads   any.
 * @ownership on APR_SUCCESS the promise is gone and the value the future's.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_promise_settle(brood_promise_t *promise,
                                            apr_status_t status, void *value);

/**
 * Give a promise up: its future settles BROOD_EABANDONED.
 *
 * @param promise the promise, or NULL.
 *
 * @threads   any.
 * @ownership the promise is gone.
 * @blocks    never.
 */
BROOD_API void brood_promise_release(brood_promise_t *promise);

/**
 * Have @a fn called when brood_future_cancel() is called on the promise's
 * future: at most once, on the canceling thread, under no lock; at once when
 * that has happened already. Never called once the promise is settled or
 * released; settling waits for a call that is under way on another thread.
 *
 * @param promise the promise.
 * @param fn      called at most once; must not block; may settle the promise.
 * @param baton   handed to @a fn.
 * @retval BROOD_EALREADY a function was registered before.
 * @retval APR_EINVAL     @a promise or @a fn is NULL.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_promise_on_cancel(brood_promise_t *promise,
                                               brood_cancel_fn *fn,
                                               void *baton);

BROOD_END_DECLS

#endif /* BROOD_FUTURE_H */
