/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROOD_AWAIT_H
#define BROOD_AWAIT_H

#include <apr_errno.h>
#include <apr_portable.h>
#include <apr_time.h>

#include <brood/export.h>
#include <brood/future.h>

/** @file brood/await.h
 *  @brief What a coroutine waits for.
 *
 *     task -> loop manager -> mailbox -> [coroutine] -> future
 *
 * In a coroutine these suspend it and let its loop go on. Canceling the task
 * interrupts one of them with BROOD_EINTERRUPTED; later ones work again, so that
 * clean-up can await. `errno` is unspecified after an await. Never call
 * pthread_exit() or longjmp() out of a coroutine, and hold no lock over an
 * await.
 */

/** Wait until the socket can be read. */
#define BROOD_AWAIT_READ 0x1
/** Wait until the socket can be written. */
#define BROOD_AWAIT_WRITE 0x2

BROOD_BEGIN_DECLS

/**
 * brood_future_get(future, value, for ever), by its short name.
 *
 * @param      future a future.
 * @param[out] value  the value, NULL when the task or the wait failed; may be
 *                    NULL.
 * @return as brood_future_get().
 *
 * @threads   any; in a coroutine it suspends the coroutine.
 * @ownership the value stays the future's.
 * @blocks    until the future is settled.
 */
BROOD_API apr_status_t brood_await(brood_future_t *future, void **value);

/**
 * Wait until a socket is ready.
 *
 * @param fd      a non-blocking socket (on POSIX any descriptor that can be
 *                polled).
 * @param what    BROOD_AWAIT_READ, BROOD_AWAIT_WRITE, or both: whichever comes
 *                first.
 * @param timeout microseconds; 0: only look; negative: for ever.
 * @retval APR_TIMEUP         not ready within @a timeout.
 * @retval BROOD_EINTERRUPTED the waiting task was canceled.
 * @retval BROOD_EDEADLK      on a loop's thread outside a coroutine, when not
 *                            ready at once.
 * @retval APR_EINVAL         @a what is unknown.
 * @retval APR_EBADF          @a fd is no open socket.
 * @retval APR_ENOMEM         memory ran out.
 * @return else, in a task on a thread, what the creation of a descriptor to wake
 *         it by returned.
 *
 * @threads   any; on a plain thread it blocks the thread.
 * @ownership the descriptor stays the caller's, who keeps it open meanwhile.
 * @blocks    up to @a timeout.
 */
BROOD_API apr_status_t brood_await_fd(apr_os_sock_t fd, int what,
                                      apr_interval_time_t timeout);

/**
 * Wait for a while.
 *
 * @param duration microseconds; 0 or less: as brood_yield().
 * @retval BROOD_EINTERRUPTED the waiting task was canceled.
 * @retval BROOD_EDEADLK      on a loop's thread outside a coroutine.
 * @retval APR_ENOMEM         memory ran out.
 *
 * @threads   any; on a plain thread it blocks the thread.
 * @ownership nothing moves.
 * @blocks    for @a duration.
 */
BROOD_API apr_status_t brood_sleep(apr_interval_time_t duration);

/**
 * Let what else is ready run first, and those tasks begin that came together
 * with the caller's. On a plain thread or worker it gives the CPU to another
 * thread.
 *
 * @retval BROOD_EINTERRUPTED the waiting task was canceled.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    for one turn of the loop.
 */
BROOD_API apr_status_t brood_yield(void);

BROOD_END_DECLS

#endif /* BROOD_AWAIT_H */
