/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROOD_CONTEXT_H
#define BROOD_CONTEXT_H

#include <apr_errno.h>

#include <brood/export.h>

/** @file brood/context.h
 *  @brief Variables that follow the work.
 *
 *     [context] -> task -> manager -> queue -> worker -> future -> loop
 *
 * A value set here is seen by the current thread or task and by everything it
 * submits or creates from then on, across every hop in the process. What a task
 * sets is gone when the task ends: its worker's next task sees nothing of it.
 * Unused, it costs nothing.
 */

/** Names one variable. Made once, lives as long as the process. */
typedef struct brood_context_key_t brood_context_key_t;

BROOD_BEGIN_DECLS

/**
 * Make a key.
 *
 * @param[out] key  the new key; NULL unless APR_SUCCESS.
 * @param      name for people; copied; not looked at, two keys may share it.
 * @retval APR_EINVAL @a key or @a name is NULL.
 * @retval APR_ENOMEM nothing was made.
 *
 * @threads   any.
 * @ownership the key is the library's, until the last brood_terminate().
 * @blocks    never.
 */
BROOD_API apr_status_t brood_context_key_make(brood_context_key_t **key,
                                              const char *name);

/**
 * Set a variable for the current thread or task and for what it submits from
 * now on.
 *
 * Work that was submitted before keeps seeing the old value.
 *
 * @param key     from brood_context_key_make().
 * @param value   the value; NULL makes the variable unset.
 * @param release called once with @a value when no one can see it any more, on
 *                whichever thread drops it, under no lock; must not block. May
 *                be NULL.
 * @retval APR_EINVAL @a key is NULL.
 * @retval APR_ENOMEM the variable is as it was.
 *
 * @threads   any.
 * @ownership on APR_SUCCESS @a value is the library's; on failure nothing
 *            moved.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_context_set(brood_context_key_t *key, void *value,
                                         void (*release)(void *value));

/**
 * Read a variable.
 *
 * @param key from brood_context_key_make().
 * @return the value that the current thread or task sees; NULL when unset, and
 *         for NULL.
 *
 * @threads   any.
 * @ownership the value stays the library's; it is good as long as the caller's
 *            thread or task runs and does not set the variable anew.
 * @blocks    never.
 */
BROOD_API void *brood_context_get(const brood_context_key_t *key);

BROOD_END_DECLS

#endif /* BROOD_CONTEXT_H */
