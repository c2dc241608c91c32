/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROOD_PROCESS_MANAGER_H
#define BROOD_PROCESS_MANAGER_H

#include <stdint.h>

#include <apr_errno.h>
#include <apr_time.h>

#include <brood/buffer.h>
#include <brood/export.h>
#include <brood/future.h>
#include <brood/manager.h>
#include <brood/process.h>
#include <brood/task.h>

/** @file brood/process_manager.h
 *  @brief A named pool of worker processes that crash alone.
 *
 *     task -> [process manager] -> queue -> worker process -> future -> loop
 *
 * Life, ids and look-up: brood/manager.h. A task is the name of a function and
 * some bytes; its result is a status and some bytes. A worker is the same
 * program started again, so main() begins with brood_process_main():
 *
 *     static const brood_process_entry_t functions[] = {
 *         { "thumb", make_thumb }, { NULL, NULL }
 *     };
 *
 *     int main(int argc, char **argv)
 *     {
 *         brood_process_main(argc, (const char *const *)argv, functions);
 *         ...
 *     }
 *
 * A program whose main() is somebody else's names a module instead, see
 * `module`.
 *
 * @section process_outcomes What a task can end with
 *
 * Its own status; or
 *
 *     BROOD_EWORKERDIED  its worker ended under it: by a signal, by exit() with
 *                        whatever code (also 0), or by being killed, as when
 *                        memory ran out. brood_future_worker_exit() says how.
 *     BROOD_EOVERRUN     it ran for longer than its `run_timeout`
 *     BROOD_ECANCELED    it was canceled: never ran, gave in to its token, or
 *                        was killed by brood_process_task_kill() or
 *                        brood_process_manager_kill()
 *     BROOD_EEXPIRED     it was still queued at its `queue_timeout`
 *     BROOD_ETOOBIG      its result was over `payload_limit`
 *     BROOD_ENOFUNC      the worker knows no function of that name
 *     BROOD_EMISMATCH    workers are of another program or version
 *     BROOD_ECRASHLOOP   workers die faster than they live
 *     APR_ENOMEM         memory ran out here or in the worker
 *
 * Only the task that a worker runs dies with it: tasks that were handed to it
 * and had not begun go to another worker.
 */

/** Opaque; belongs to a lineage node. */
typedef struct brood_process_manager_t brood_process_manager_t;

/** The program is started anew for each worker. */
#define BROOD_START_SPAWN 0
/** One single-threaded helper is started, and forks each worker; not on
 *  Windows, where start answers APR_ENOTIMPL. For programs that take long to
 *  load. */
#define BROOD_START_FORKSERVER 1

/**
 * Settings. Start from BROOD_PROCESS_MANAGER_OPTIONS_INIT; a field that stays 0
 * means "the default". Fields are only ever appended.
 */
typedef struct brood_process_manager_options_t {
    apr_size_t size;       /**< sizeof this struct, as the caller knows it */
    int max_workers;       /**< default: usable CPUs; at most 4096 */
    int min_workers;       /**< started at once and kept; default 1; negative:
                                none */
    const char *task_type; /**< accept only tasks of exactly this type; copied;
                                NULL: any; "" is a type */
    int daemon;            /**< when collected or terminated: cancel, instead
                                of drain */
    const char *process_name_prefix; /**< workers are PREFIX-0, PREFIX-1, ... in
                                          ps(1); copied; default the id, or
                                          "brood" */
    int start_method;                /**< BROOD_START_SPAWN, _FORKSERVER */
    int max_tasks_per_worker; /**< a worker is replaced after so many; default
                                   never */
    apr_size_t max_rss; /**< bytes of resident memory after a task from which
                             on a worker is replaced; default never */
    const char *initializer; /**< function that each worker calls before its
                                  first task; when it fails the worker ends as
                                  if it had crashed; copied */
    const void *initializer_data;        /**< what it is called with; copied */
    apr_size_t initializer_size;         /**< bytes of that; at most 64 KiB */
    apr_interval_time_t restart_backoff; /**< us before a worker that died is
                                              replaced; doubles with each death
                                              until a task succeeds, up to 64
                                              times; default 10 ms */
    int retries; /**< how often a task marked BROOD_TASK_IDEMPOTENT is run again
                      when its worker dies; default 2; negative: never */
    apr_size_t payload_limit;  /**< bytes of one payload or result; default
                                    256 MiB */
    apr_interval_time_t grace; /**< us between asking a worker to end and
                                    killing it; default 2 s; negative: kill at
                                    once. Windows: only its task is asked */
    apr_interval_time_t idle_timeout; /**< us after which an idle worker above
                                           min_workers ends; default never */
    const char *module; /**< workers are brood's helper program, which loads
                             this shared object: an absolute path, or a name
                             without any '/' in brood's module folder; copied;
                             NULL: this program */
    int crash_limit;    /**< deaths in a row, without a task that succeeded
                          between, that are a crash loop; default 5; negative:
                          there is no limit */
} brood_process_manager_options_t;

/** Initializer for brood_process_manager_options_t. */
#define BROOD_PROCESS_MANAGER_OPTIONS_INIT                                     \
    {                                                                          \
        sizeof(brood_process_manager_options_t), 0, 0, NULL, 0, NULL, 0, 0, 0, \
            NULL, NULL, 0, 0, 0, 0, 0, 0, NULL, 0                              \
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
 *            lives; brood_process_manager_retain() makes it good for longer.
 * @blocks    never, but while the first call of all makes the collector's
 *            thread.
 */
BROOD_API apr_status_t brood_process_manager_get(
    brood_process_manager_t **manager, const char *id, unsigned flags);

/**
 * Start the workers of a manager that does not run. Also the way to recover
 * from a crash loop or a mismatch.
 *
 * @param manager the manager.
 * @param options settings, or NULL for all defaults; copied.
 * @retval BROOD_EALREADY it runs already; its settings are untouched.
 * @retval BROOD_EPENDING it is stopping and a worker has not ended yet.
 * @retval BROOD_ESTOPPED its owner is gone.
 * @retval BROOD_ENOFUNC  there is no `module` and brood_process_main() was not
 *                        called; or the initializer is not in its table.
 * @retval APR_EINVAL     @a manager is NULL, contradictory settings, an unknown
 *                        options size, a relative path of a module; state
 *                        untouched.
 * @retval APR_ENOTIMPL   the platform has no such start method.
 * @retval APR_ENOMEM     not started.
 * @return else why the first worker, or the supervisor's thread, could not be
 *         started; not started.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    until the first worker's program was started, not until it is
 *            ready.
 */
BROOD_API apr_status_t
brood_process_manager_start(brood_process_manager_t *manager,
                            const brood_process_manager_options_t *options);

/**
 * Queue a task.
 *
 * The options mean what they mean for a thread manager, except that
 * `run_timeout` ends the worker: it is asked to end, has `grace`, then is
 * killed, unless the task has given in to its token meanwhile. `destroy` and
 * `free_value` must be NULL: payload and result are brood's. The value of the
 * future is a brood_buffer_t *, or NULL for an empty result; it dies with the
 * future, brood_buffer_retain() keeps it.
 *
 * Context variables of brood_context_key_cross() cross to the worker; the
 * open transaction does not, and the task is outside of it.
 *
 * @param[out] future   a new reference; NULL when no result is wanted. Written
 *                      NULL unless APR_SUCCESS.
 * @param      manager  the manager.
 * @param      function its name in the table; read during the call.
 * @param      in       the payload; read during the call.
 * @param      len      bytes of @a in.
 * @param      options  settings of the task, or NULL; read during the call.
 * @retval BROOD_ENOTSTARTED the manager was never started.
 * @retval BROOD_ESTOPPED    it is stopping or stopped.
 * @retval BROOD_ECRASHLOOP  it has given up, see `crash_limit`; start() again.
 * @retval BROOD_EMISMATCH   it has given up, workers are of another program;
 *                           start() again.
 * @retval BROOD_ETASKTYPE   it accepts another type of task.
 * @retval BROOD_ENOFUNC     no function of that name; with `module` the worker
 *                           finds that out, and the task ends with it.
 * @retval BROOD_ETOOBIG     @a len is over `payload_limit`, or the variables
 *                           that cross take more than 1 MiB.
 * @retval APR_EINVAL        @a manager or @a function is NULL, @a in is NULL
 *                           and @a len is not 0, or the options are unknown.
 * @retval APR_ENOMEM        memory ran out. Whatever failed, nothing was
 *                           queued.
 * @return else why a block for a large payload could not be made, what a
 *         context variable's encode() returned, or, for a delay or a timeout,
 *         what the creation of the timers' thread returned.
 *
 * @threads   any.
 * @ownership on APR_SUCCESS the caller owns one reference to @a future; @a in
 *            stays the caller's.
 * @blocks    never, beside the copying of @a in.
 */
BROOD_API apr_status_t brood_process_manager_submit(
    brood_future_t **future, brood_process_manager_t *manager,
    const char *function, const void *in, apr_size_t len,
    const brood_task_options_t *options);

/**
 * Refuse new tasks, deal with the accepted ones, and end the workers.
 *
 * DRAIN runs them all; delayed tasks that are not due settle BROOD_ECANCELED.
 * CANCEL settles tasks not begun with BROOD_ECANCELED and raises the token of
 * the others; see also brood_process_manager_kill(). May follow a DRAIN.
 *
 * @param manager the manager; stopping a stopped one is APR_SUCCESS.
 * @param how     what becomes of the tasks.
 * @param timeout microseconds to wait; 0: do not wait; negative: for ever.
 * @retval APR_TIMEUP         still stopping; it goes on by itself.
 * @retval BROOD_EINTERRUPTED the waiting task was canceled; stopping goes on.
 * @retval BROOD_EDEADLK      called on a loop's thread outside a coroutine with
 *                            a timeout other than 0; the stop has begun all the
 *                            same.
 * @retval BROOD_ENOTSTARTED  never started.
 * @retval APR_EINVAL         @a manager is NULL or @a how unknown.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    up to @a timeout; in a coroutine it awaits.
 */
BROOD_API apr_status_t
brood_process_manager_stop(brood_process_manager_t *manager, brood_stop_e how,
                           apr_interval_time_t timeout);

/**
 * Stop with CANCEL, and kill every worker now: what runs settles
 * BROOD_ECANCELED.
 *
 * @param manager the manager; killing a stopped one is APR_SUCCESS.
 * @retval BROOD_ENOTSTARTED never started.
 * @retval APR_EINVAL        @a manager is NULL.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never: brood_process_manager_stop() waits for the end.
 */
BROOD_API apr_status_t
brood_process_manager_kill(brood_process_manager_t *manager);

/**
 * End a task of a process manager at any price: one that has not begun never
 * runs; else its worker is killed and replaced. It settles BROOD_ECANCELED and
 * is not retried.
 *
 * @param future what brood_process_manager_submit() gave.
 * @retval BROOD_EALREADY it is settled already.
 * @retval APR_EINVAL     @a future is NULL or of no process manager.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_process_task_kill(brood_future_t *future);

/**
 * How the worker ended that ran a task which failed because of that.
 *
 * @param      future what brood_process_manager_submit() gave; settled with
 *                    BROOD_EWORKERDIED, BROOD_EOVERRUN or BROOD_ECANCELED.
 * @param[out] code   what it gave to exit(); -1 when a signal killed it.
 * @param[out] signal the signal that killed it; 0 when it exited. On Windows
 *                    always 0.
 * @retval BROOD_EPENDING  not settled yet.
 * @retval BROOD_ENOTFOUND no worker ended under it; or the host program has
 *                         reaped the process first, or ignores SIGCHLD, so that
 *                         nobody knows.
 * @retval APR_EINVAL      an argument is NULL, or @a future is of no process
 *                         manager.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_future_worker_exit(brood_future_t *future,
                                                int *code, int *signal);

/**
 * Read the counters: `workers` are processes that are ready or starting, `idle`
 * those without a task, `started` all that were ever started, `blocked` those
 * that are being ended, `wakes` the wake-ups of sleeping workers, `steals`
 * tasks that were taken back from a worker and given to another.
 *
 * @param      manager the manager.
 * @param[out] stats   filled up to the size that it says.
 * @retval APR_EINVAL an argument is NULL, or the size is unknown.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_process_manager_stats(
    brood_process_manager_t *manager, brood_stats_t *stats);

/**
 * A line for people: the kind, id, size, task type and owner.
 *
 * @param manager the manager; NULL gives "<process manager NULL>".
 * @param buf     where the line is written, cut to fit and ended with 0.
 * @param len     bytes of @a buf; 0 writes nothing.
 * @return @a buf.
 *
 * @threads   any.
 * @ownership @a buf stays the caller's.
 * @blocks    never.
 */
BROOD_API const char *brood_process_manager_describe(
    brood_process_manager_t *manager, char *buf, apr_size_t len);

/** Shown one manager; a return value other than 0 ends the walk. */
typedef int brood_process_manager_each_fn(brood_process_manager_t *manager,
                                          void *baton);

/**
 * Show every process manager of the process, as one consistent snapshot.
 *
 * @param fn    called for each, under no lock; the handle is good during the
 *              call, and longer with a brood_process_manager_retain().
 * @param baton handed to @a fn.
 * @retval APR_EINVAL @a fn is NULL.
 * @retval APR_ENOMEM no snapshot could be made.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never, beside @a fn.
 */
BROOD_API apr_status_t
brood_process_manager_each(brood_process_manager_each_fn *fn, void *baton);

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
BROOD_API int brood_process_manager_is_running(
    brood_process_manager_t *manager);

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
BROOD_API const char *brood_process_manager_id(
    brood_process_manager_t *manager);

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
BROOD_API const char *brood_process_manager_task_type(
    brood_process_manager_t *manager, char *buf, apr_size_t len);

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
brood_process_manager_owner_serial(brood_process_manager_t *manager);

/**
 * Keep the memory of a manager for longer than its owner. Once its owner and
 * all its descendants are gone, every call on it that returns a status returns
 * BROOD_ESTOPPED: it stops by itself, and nobody can hurry it or wait for it.
 *
 * @param manager the manager, or NULL.
 * @return @a manager; NULL for NULL.
 *
 * @threads   any for which the handle is good.
 * @ownership the caller owns one reference.
 * @blocks    never.
 */
BROOD_API brood_process_manager_t *brood_process_manager_retain(
    brood_process_manager_t *manager);

/**
 * Drop a reference taken by brood_process_manager_retain().
 *
 * @param manager the manager, or NULL.
 * @return NULL.
 *
 * @threads   any.
 * @ownership the reference is gone.
 * @blocks    never.
 */
BROOD_API brood_process_manager_t *brood_process_manager_release(
    brood_process_manager_t *manager);

BROOD_END_DECLS

#endif /* BROOD_PROCESS_MANAGER_H */
