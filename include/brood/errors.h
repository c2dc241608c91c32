/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROOD_ERRORS_H
#define BROOD_ERRORS_H

#include <apr_errno.h>

#include <brood/export.h>

/** @file brood/errors.h
 *  @brief What can go wrong, and the sentence that says so.
 *
 * Every function that can fail returns an `apr_status_t`: APR_SUCCESS, a code
 * of APR or of the system unchanged, or one of these. A call that fails has
 * changed nothing: nothing is queued, and no ownership has moved. Where that is
 * not the whole truth (a stop that goes on, an end that closes all the same) the
 * function says so.
 *
 * @section common What every call may return
 *
 * Beside the statuses that a function names, every function that returns one may
 * return
 *
 *     APR_EINIT        before brood_initialize() or after brood_terminate()
 *     BROOD_EFORKED    in a child forked while brood was initialized
 *     APR_ENOMEM       the first call on a thread that brood has not seen, when
 *                      its place in the family tree could not be made; a wait
 *                      in a coroutine, when there is no stack for what its loop
 *                      would run meanwhile
 *
 * APR_EINVAL for wrong arguments may come before the first two.
 *
 * APR_TIMEUP always means that *this wait* ran out; what was waited for goes
 * on.
 */

/** First code of brood; fixed for ever. */
#define BROOD_ERROR_BASE (APR_OS_START_USERERR + 42000)

/** One line per code: name, offset (never changes), sentence. */
#define BROOD_ERROR_MAP(XX)                                                    \
    XX(CANCELED, 1, "The task was canceled")                                   \
    XX(INTERRUPTED, 2,                                                         \
       "The wait was cut short: the waiting task was canceled")                \
    XX(OVERRUN, 3, "The task ran longer than its run timeout")                 \
    XX(EXPIRED, 4,                                                             \
       "The task was still queued at its queue timeout; it never ran")         \
    XX(NOTSTARTED, 5, "The manager was never started")                         \
    XX(STOPPED, 6, "The manager is stopping or stopped")                       \
    XX(ALREADY, 7, "It has already been done")                                 \
    XX(PENDING, 8, "It is not settled yet")                                    \
    XX(FULL, 9, "The capacity is reached")                                     \
    XX(TOOBIG, 10, "The payload is over the limit")                            \
    XX(NOTFOUND, 11, "Nothing of that name was found")                         \
    XX(TASKTYPE, 12, "The manager does not accept tasks of this type")         \
    XX(NOFUNC, 13, "The worker process knows no function of that name")        \
    XX(DEADLK, 14, "The wait could never end")                                 \
    XX(STALE, 15, "The transaction has ended")                                 \
    XX(ROLLEDBACK, 16,                                                         \
       "The transaction was doomed by a part of it and was rolled back")       \
    XX(ABANDONED, 17, "It was given up without being settled or ended")        \
    XX(WORKERDIED, 18, "The worker process died while it ran the task")        \
    XX(CRASHLOOP, 19, "Worker processes die faster than they live")            \
    XX(FORKED, 20, "The process was forked after brood was initialized")       \
    XX(MISMATCH, 21, "The worker process is of another program or version")

/** The codes: BROOD_ECANCELED and so on. */
enum {
#define BROOD_ERROR_CODE(name, offset, text)                                   \
    BROOD_E##name = BROOD_ERROR_BASE + (offset),
    BROOD_ERROR_MAP(BROOD_ERROR_CODE)
#undef BROOD_ERROR_CODE
        BROOD_ERROR_FIRST = BROOD_ERROR_BASE + 1
};

BROOD_BEGIN_DECLS

/**
 * The sentence for a status: brood's own, or that of apr_strerror().
 *
 * @param status any status.
 * @param buf    where the sentence is written, cut to fit and ended with 0.
 * @param len    bytes of @a buf; 0 writes nothing.
 * @return @a buf.
 *
 * @threads   any; needs no brood_initialize().
 * @ownership @a buf stays the caller's.
 * @blocks    never.
 */
BROOD_API char *brood_strerror(apr_status_t status, char *buf, apr_size_t len);

BROOD_END_DECLS

#endif /* BROOD_ERRORS_H */
