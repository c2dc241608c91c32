/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROOD_OBSERVE_H
#define BROOD_OBSERVE_H

#include <apr_errno.h>
#include <apr_time.h>

#include <brood/export.h>

/** @file brood/observe.h
 *  @brief What an operator wants to know, and how to be told.
 *
 *     lineage -> task -> manager -> worker -> future        [observe] sees all
 *
 * Hooks run under no lock, on whichever thread has something to tell, and must
 * not block. They may call brood, but not wait.
 */

/** How much a log line matters. */
#define BROOD_LOG_ERROR 0 /**< something was lost or had to be given up */
#define BROOD_LOG_WARNING                                                      \
    1                    /**< something runs or waits suspiciously long, or a
                                 failure that nobody read */
#define BROOD_LOG_INFO 2 /**< a refusal that its caller was told of too */

/** One line, without a newline. */
typedef void brood_log_fn(int level, const char *line, void *baton);

/**
 * A task failed and nobody read its status.
 *
 * @param status what it returned.
 * @param name   the task's name; NULL when it has none.
 * @param baton  as given to brood_unobserved_hook_set().
 */
typedef void brood_unobserved_fn(apr_status_t status, const char *name,
                                 void *baton);

/**
 * Called on the worker before or after each task, under its name, or NULL when
 * it has none.
 */
typedef void brood_task_hook_fn(const char *name, void *baton);

/** When the watchdog speaks; microseconds, 0: the default, negative: never. */
typedef struct brood_watchdog_options_t {
    apr_size_t size;                  /**< sizeof this struct */
    apr_interval_time_t task_warning; /**< a task of a thread manager runs this
                                           long; default never */
    apr_interval_time_t wait_warning; /**< a wait without a timeout lasts this
                                           long, one for all of several futures
                                           as a whole; default 30 s */
} brood_watchdog_options_t;

/** Initializer for brood_watchdog_options_t. */
#define BROOD_WATCHDOG_OPTIONS_INIT                                            \
    {                                                                          \
        sizeof(brood_watchdog_options_t), 0, 0                                 \
    }

BROOD_BEGIN_DECLS

/**
 * Send log lines to @a fn; NULL: to standard error (the default).
 *
 * @param fn    called for each line.
 * @param baton handed to @a fn.
 *
 * @threads   any; also before brood_initialize().
 * @ownership @a baton must stay good until another hook was set and no call of
 *            the old one is under way: this waits for calls on other threads,
 *            unless it is called from within a hook.
 * @blocks    until no call of the old hook is under way; from within a hook
 *            never.
 */
BROOD_API void brood_log_hook_set(brood_log_fn *fn, void *baton);

/**
 * Tell @a fn, instead of the log, of failures that nobody read. The log shows at
 * most 10 a second one by one, and then how many more there were; @a fn is told
 * of each.
 *
 * @param fn    called for each; NULL: the log again.
 * @param baton handed to @a fn.
 *
 * @threads   any.
 * @ownership as brood_log_hook_set().
 * @blocks    as brood_log_hook_set().
 */
BROOD_API void brood_unobserved_hook_set(brood_unobserved_fn *fn, void *baton);

/**
 * Have functions called before and after each task of every thread manager,
 * loop and affinity pool, wherever they run: on a worker, in place of a wait, in
 * the caller, as a coroutine, or on a context's thread; notices and posts are
 * tasks without a name. Each task that is called has one pair, on one thread;
 * one that is canceled before has none. When hooks are set or taken away, none of
 * them sees the end of a task whose beginning it has not seen. A task that runs
 * in place of another's wait has its pair within that one's. Tasks get slower by
 * the calls; unset, by nothing.
 *
 * @param before called on the worker before a task; may be NULL.
 * @param after  called on the worker after a task; may be NULL.
 * @param baton  handed to both.
 *
 * @threads   any.
 * @ownership as brood_log_hook_set().
 * @blocks    as brood_log_hook_set().
 */
BROOD_API void brood_task_hooks_set(brood_task_hook_fn *before,
                                    brood_task_hook_fn *after, void *baton);

/**
 * Set when the watchdog speaks, also before brood_initialize(). It names a long
 * task or wait once, while it still lasts.
 *
 * @param options settings, or NULL for all defaults.
 * @retval APR_EINVAL an unknown options size; nothing changed.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never.
 */
BROOD_API apr_status_t
brood_watchdog_set(const brood_watchdog_options_t *options);

/** Takes a piece of text; anything but APR_SUCCESS ends the writing. */
typedef apr_status_t brood_text_fn(const char *text, apr_size_t len,
                                   void *baton);

/**
 * Write the counters of every manager as Prometheus text.
 *
 * @param write called with one piece after the other, under no lock.
 * @param baton handed to @a write.
 * @retval APR_EINVAL @a write is NULL.
 * @retval APR_ENOMEM memory ran out.
 * @return else what @a write returned.
 *
 * @threads   any.
 * @ownership the text is good during the call only.
 * @blocks    never, beside @a write.
 */
BROOD_API apr_status_t brood_observe_prometheus(brood_text_fn *write,
                                                void *baton);

BROOD_END_DECLS

#endif /* BROOD_OBSERVE_H */
