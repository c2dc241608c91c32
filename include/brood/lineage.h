/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROOD_LINEAGE_H
#define BROOD_LINEAGE_H

#include <stdint.h>

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_thread_proc.h>

#include <brood/export.h>

/** @file brood/lineage.h
 *  @brief The family tree: whoever asked for the work is its parent.
 *
 *     [lineage] -> task -> manager -> queue -> worker -> future -> loop
 *
 * @section lineage_rule The one rule
 *
 * A thread descends from the thread that created it; a task descends from the
 * thread or task that submitted it, never from the worker that happens to run
 * it. Managers, context variables and the open transaction are inherited along
 * this tree. A task is bound to the node its submitter has at the submit, so
 * get managers before submitting the tasks that shall find them.
 *
 * @section lineage_life Life of a node
 *
 *     first look-up, or brood_thread_create()   the thread has a node
 *     the thread ends                           the node stays while it has
 *                                               living descendants
 *     the last descendant is done               the node goes, and its managers
 *                                               are collected
 *
 * A thread that brood never saw becomes a root of its own at its first look-up,
 * or a child of the lineage given to brood_lineage_set_default(). A task gets a
 * node of its own only when something needs one: a manager or thread created in
 * it, or its serial asked for. What a task creates is collected when the task
 * and its descendants are done.
 */

/** A captured place in the tree: a node and its context variables. Counted. */
typedef struct brood_lineage_t brood_lineage_t;

/** What brood_lineage_each() shows of a node. Fields are only appended. */
typedef struct brood_lineage_info_t {
    apr_size_t size;        /**< sizeof this struct, as the library knows it */
    uint64_t serial;        /**< never reused */
    uint64_t parent_serial; /**< 0 for a root */
    int is_task;            /**< the node of a task, else of a thread */
    int is_alive;           /**< its thread or task has not ended */
    int managers;           /**< managers that it owns */
} brood_lineage_info_t;

/** Shown one node; a return value other than 0 ends the walk. */
typedef int brood_lineage_each_fn(const brood_lineage_info_t *info,
                                  void *baton);

BROOD_BEGIN_DECLS

/**
 * apr_thread_create(), and the new thread is a child of the caller.
 *
 * It sees the caller's managers and context variables as they are now.
 *
 * @param[out] thread the new thread; NULL unless APR_SUCCESS.
 * @param      attr   as for apr_thread_create(); may be NULL.
 * @param      fn     the thread's function.
 * @param      data   handed to @a fn.
 * @param      pool   as for apr_thread_create().
 * @retval APR_EINVAL @a thread, @a fn or @a pool is NULL.
 * @retval APR_ENOMEM nothing was made.
 * @return else what apr_thread_create() returned; nothing was made then.
 *
 * @threads   any; @a pool must be the caller's to use.
 * @ownership as apr_thread_create().
 * @blocks    while the thread is made.
 */
BROOD_API apr_status_t brood_thread_create(apr_thread_t **thread,
                                           apr_threadattr_t *attr,
                                           apr_thread_start_t fn, void *data,
                                           apr_pool_t *pool);

/**
 * Capture the caller's place in the tree, to hand it to a thread that was made
 * by other means.
 *
 * The node stays alive as long as the capture does.
 *
 * @param[out] lineage a new reference; NULL unless APR_SUCCESS.
 * @retval APR_EINVAL @a lineage is NULL.
 * @retval APR_ENOMEM nothing captured.
 *
 * @threads   any.
 * @ownership the caller releases it with brood_lineage_release().
 * @blocks    never.
 */
BROOD_API apr_status_t brood_lineage_capture(brood_lineage_t **lineage);

/**
 * Drop a reference to a capture.
 *
 * @param lineage the capture, or NULL.
 * @return NULL.
 *
 * @threads   any.
 * @ownership the reference is gone.
 * @blocks    never.
 */
BROOD_API brood_lineage_t *brood_lineage_release(brood_lineage_t *lineage);

/**
 * Stand at a captured place until brood_lineage_detach(); may be nested.
 *
 * @param lineage from brood_lineage_capture(), on any thread.
 * @retval APR_EINVAL @a lineage is NULL.
 * @retval APR_ENOMEM the caller stands where it stood.
 *
 * @threads   any; within one task or thread attach and detach pair up.
 * @ownership a reference of its own is held until the detach.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_lineage_attach(brood_lineage_t *lineage);

/**
 * Undo the last brood_lineage_attach() of this task or thread; does nothing
 * when there is none.
 *
 * @threads   the one that attached.
 * @ownership the attach's reference is gone.
 * @blocks    never.
 */
BROOD_API void brood_lineage_detach(void);

/**
 * Threads that brood has not seen yet become children of @a lineage.
 *
 * @param lineage a capture; NULL: they become roots again.
 * @return APR_SUCCESS, or what every call may return (brood/errors.h).
 *
 * @threads   any.
 * @ownership a reference of its own is held until the next call.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_lineage_set_default(brood_lineage_t *lineage);

/**
 * The serial of the caller's node. In a task this gives the task a node.
 *
 * @return the serial, which is never reused; 0 when memory ran out, outside of
 *         brood_initialize() and brood_terminate(), and in a forked child.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never.
 */
BROOD_API uint64_t brood_lineage_serial(void);

/**
 * The serial of the parent of the caller's node. In a task this gives the task
 * a node, so it is the serial of who submitted it.
 *
 * @return the serial; 0 for a root, and where brood_lineage_serial() gives 0.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never.
 */
BROOD_API uint64_t brood_lineage_parent_serial(void);

/**
 * Show every node of the tree, parents before children, as one consistent
 * snapshot.
 *
 * @param fn    called for each, under no lock.
 * @param baton handed to @a fn.
 * @retval APR_EINVAL @a fn is NULL.
 * @retval APR_ENOMEM no snapshot could be made.
 *
 * @threads   any.
 * @ownership the info is good during the call only.
 * @blocks    never, beside @a fn.
 */
BROOD_API apr_status_t brood_lineage_each(brood_lineage_each_fn *fn,
                                          void *baton);

BROOD_END_DECLS

#endif /* BROOD_LINEAGE_H */
