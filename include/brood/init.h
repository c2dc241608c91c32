/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROOD_INIT_H
#define BROOD_INIT_H

#include <apr_errno.h>
#include <apr_time.h>

#include <brood/export.h>

/** @file brood/init.h
 *  @brief First and last call of a program.
 *
 *     [initialize] -> thread -> task -> manager -> future -> [terminate]
 *
 * @section init_life Life
 *
 * brood_initialize() is counted, like apr_initialize(), and holds its own
 * count on APR. brood_terminate() gives one back; the last one stops every
 * manager and waits for everything that runs. Before the first and after the
 * last of these calls, every call that returns a status returns APR_EINIT, but
 * for those that say otherwise; wrong arguments may be told first.
 *
 * @section fork Fork
 *
 * A child that is forked while brood is initialized has none of brood's
 * threads. In it every call that returns a status returns BROOD_EFORKED, the
 * others do nothing and return 0 or NULL, and nothing hangs. Such a child may
 * exec. A child forked before brood_initialize() may initialize.
 *
 * @section signals Signals
 *
 * brood's own threads block all but the synchronous signals; brood installs no
 * handler and raises no SIGPIPE.
 */

BROOD_BEGIN_DECLS

/**
 * Make brood ready for use.
 *
 * @retval BROOD_EFORKED  the process was forked after an earlier call.
 * @retval BROOD_ESTOPPED a task or thread of brood's asks while the last
 *                        brood_terminate() is under way, or that one was called
 *                        by one of these and nobody has joined them yet.
 * @retval APR_ENOMEM     memory ran out; brood is as it was.
 *
 * @threads   any; not from a signal handler, a destructor or DllMain.
 * @ownership one count is the caller's, given back by brood_terminate().
 * @blocks    while the last brood_terminate() is under way on another thread.
 */
BROOD_API apr_status_t brood_initialize(void);

/**
 * Give one count back; the last one ends brood.
 *
 * Every manager that still runs is stopped: daemon ones cancel, the others
 * drain, up to brood_terminate_timeout_set(), then cancel, and the log hook is
 * told. Call it last in main() or from the executable's atexit(), never from a
 * destructor of a library or from DllMain. On one of brood's own threads, or in
 * a task, it cancels what runs and returns without joining; a later call on
 * another thread joins. Other threads that have used brood may still be there,
 * but must not be in a call of brood.
 *
 * @threads   any; see above.
 * @ownership every handle of brood is invalid after the last call.
 * @blocks    until every manager has stopped.
 */
BROOD_API void brood_terminate(void);

/**
 * How long the last brood_terminate() lets managers drain.
 *
 * @param timeout microseconds; negative: for ever. 30 seconds unless set.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never.
 */
BROOD_API void brood_terminate_timeout_set(apr_interval_time_t timeout);

BROOD_END_DECLS

#endif /* BROOD_INIT_H */
