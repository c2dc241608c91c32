/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROOD_CONTEXT_H
#define BROOD_CONTEXT_H

#include <apr_errno.h>

#include <brood/buffer.h>
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

/**
 * A value as bytes, for another process; called on the submitting thread.
 *
 * @param      value what was set.
 * @param[out] bytes a new buffer; brood releases it.
 * @return anything but APR_SUCCESS makes the submit fail with it.
 */
typedef apr_status_t brood_context_encode_fn(void *value,
                                             brood_buffer_t **bytes);

/**
 * A value from bytes, in the worker process, before a task.
 *
 * @param      bytes what encode() made; good during the call.
 * @param      len   how many.
 * @param[out] value the value, for brood_context_get() in the task.
 * @return anything but APR_SUCCESS makes the task fail with it.
 */
typedef apr_status_t brood_context_decode_fn(const void *bytes, apr_size_t len,
                                             void **value);

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
 * Let the values of a key cross to worker processes (brood/process_manager.h).
 *
 * The worker must have done the same for a key of the same name, in its
 * initializer say; otherwise its tasks do not see the variable.
 *
 * @param key     from brood_context_key_make(); its name is what both know.
 * @param encode  makes bytes of a value.
 * @param decode  makes a value of bytes.
 * @param release called once with a decoded value when its task has ended; may
 *                be NULL.
 * @retval APR_EINVAL     an argument but @a release is NULL, or the name is
 *                        longer than 255 bytes.
 * @retval BROOD_EALREADY the key, or another one of its name, crosses already.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_context_key_cross(brood_context_key_t *key,
                                               brood_context_encode_fn *encode,
                                               brood_context_decode_fn *decode,
                                               void (*release)(void *value));

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
