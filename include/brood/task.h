/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROOD_TASK_H
#define BROOD_TASK_H

#include <apr_errno.h>
#include <apr_time.h>

#include <brood/export.h>

/** @file brood/task.h
 *  @brief A piece of work, and what can be asked of it.
 *
 *     lineage -> [task] -> manager -> queue -> worker -> future -> loop
 *
 * @section task_once The one promise
 *
 * Every task that a submit accepted settles exactly once: with what it
 * returned, or because it was canceled, expired, overran, or its manager
 * stopped. A task that a submit refused was never queued and will never run.
 */

/**
 * The work.
 *
 * @param      baton  as given to the submit.
 * @param[out] result the task's value; NULL when it does not write it.
 * @return the task's status, which is the C form of an exception.
 *         BROOD_EPENDING, which no settled task can have, counts as
 *         APR_EGENERAL.
 */
typedef apr_status_t brood_task_fn(void *baton, void **result);

/** A task of a batch. Stays as it is for ever. */
typedef struct brood_task_t {
    brood_task_fn *fn; /**< the work */
    void *baton;       /**< handed to fn */
} brood_task_t;

/** Runs before tasks of normal priority. */
#define BROOD_PRIORITY_HIGH 1
/** The default. */
#define BROOD_PRIORITY_NORMAL 0
/** Runs when nothing else is queued, and now and then all the same. */
#define BROOD_PRIORITY_LOW (-1)

/** A failure that nobody read is not reported. */
#define BROOD_TASK_QUIET 0x1u
/** While this task waits, its worker may run tasks that it submitted itself. */
#define BROOD_WAIT_HELP 0x2u
/** Running it twice does no harm: a process manager runs it again when its
 *  worker dies. Means nothing elsewhere. */
#define BROOD_TASK_IDEMPOTENT 0x4u

/**
 * Settings of one task. Start from BROOD_TASK_OPTIONS_INIT; a field that stays
 * 0 means "the default". Fields are only ever appended. A delay or timeout that is
 * negative or longer than 73 years is APR_EINVAL.
 */
typedef struct brood_task_options_t {
    apr_size_t size;  /**< sizeof this struct, as the caller knows it */
    const char *type; /**< task type; read during the submit only */
    const char *name; /**< for people; must outlive the future */
    int priority;     /**< BROOD_PRIORITY_HIGH, _NORMAL, _LOW */
    unsigned flags;   /**< BROOD_TASK_QUIET, BROOD_WAIT_HELP,
                           BROOD_TASK_IDEMPOTENT */
    apr_interval_time_t delay;         /**< us before it is queued; it waits
                                            on while no worker can be made */
    apr_interval_time_t queue_timeout; /**< us it may be queued; 0: for ever */
    apr_interval_time_t run_timeout;   /**< us before its token is raised */
    void (*destroy)(void *baton);    /**< called exactly once for every accepted
                                       task, after it ran or instead of that;
                                       on any thread; must not block */
    void (*free_value)(void *value); /**< frees the value when the last
                                          reference to the future goes */
} brood_task_options_t;

/** Initializer for brood_task_options_t. */
#define BROOD_TASK_OPTIONS_INIT                                                \
    {                                                                          \
        sizeof(brood_task_options_t), NULL, NULL, 0, 0, 0, 0, 0, NULL, NULL    \
    }

BROOD_BEGIN_DECLS

/**
 * Inside a task: was its end asked for?
 *
 * True after brood_future_cancel(), after `run_timeout`, and when the manager
 * stops with BROOD_STOP_CANCEL. A task that then returns BROOD_ECANCELED or
 * BROOD_EINTERRUPTED settles BROOD_ECANCELED, or BROOD_EOVERRUN when the run
 * timeout asked; any other status stands.
 *
 * @return 0 or 1; 0 outside a task.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never.
 */
BROOD_API int brood_task_canceled(void);

/**
 * "I am about to block": until brood_blocking_end() another worker may take
 * this worker's place. Nests; begin and end come in pairs within one task. Does
 * nothing outside a task of a thread manager or a general call of an affinity
 * pool.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never.
 */
BROOD_API void brood_blocking_begin(void);

/**
 * The end of what brood_blocking_begin() announced.
 *
 * @threads   the one that began.
 * @ownership nothing moves.
 * @blocks    never.
 */
BROOD_API void brood_blocking_end(void);

BROOD_END_DECLS

#endif /* BROOD_TASK_H */
