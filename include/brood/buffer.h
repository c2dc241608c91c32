/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROOD_BUFFER_H
#define BROOD_BUFFER_H

#include <apr_errno.h>

#include <brood/export.h>

/** @file brood/buffer.h
 *  @brief Bytes that travel: the result of a task in another process.
 *
 *     task -> process manager -> worker process -> [buffer] -> future
 *
 * References are counted. The bytes may be written by whoever made the buffer,
 * until he gives it away; from then on they do not change. These calls need no
 * brood_initialize(), and work in a forked child.
 */

/** Opaque; counted. */
typedef struct brood_buffer_t brood_buffer_t;

BROOD_BEGIN_DECLS

/**
 * Make a buffer. Its bytes are not set to anything.
 *
 * In a task of a worker process the bytes lie where the parent will read them,
 * if there is room, so that the result is not copied once more; such a buffer
 * is good until the task ends, whoever has a reference to it.
 *
 * @param[out] buffer a new reference; NULL unless APR_SUCCESS.
 * @param      len    bytes; 0 is allowed.
 * @retval APR_EINVAL @a buffer is NULL.
 * @retval APR_ENOMEM nothing was made.
 *
 * @threads   any.
 * @ownership the caller owns one reference.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_buffer_make(brood_buffer_t **buffer,
                                         apr_size_t len);

/**
 * Make a buffer that holds a copy.
 *
 * @param[out] buffer a new reference; NULL unless APR_SUCCESS.
 * @param      data   what is copied; may be NULL when @a len is 0.
 * @param      len    bytes.
 * @retval APR_EINVAL @a buffer is NULL, or @a data is and @a len is not 0.
 * @retval APR_ENOMEM nothing was made.
 *
 * @threads   any.
 * @ownership the caller owns one reference; @a data stays the caller's.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_buffer_copy(brood_buffer_t **buffer,
                                         const void *data, apr_size_t len);

/**
 * Where its bytes are.
 *
 * @param buffer a buffer, or NULL.
 * @return aligned to 16 bytes; NULL for NULL.
 *
 * @threads   any.
 * @ownership the buffer's, good as long as a reference is held.
 * @blocks    never.
 */
BROOD_API void *brood_buffer_data(brood_buffer_t *buffer);

/**
 * How many bytes it has.
 *
 * @param buffer a buffer, or NULL.
 * @return its bytes; 0 for NULL.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never.
 */
BROOD_API apr_size_t brood_buffer_size(const brood_buffer_t *buffer);

/**
 * Make it shorter.
 *
 * @param buffer a buffer that nobody else has a reference to.
 * @param len    bytes; at most what it has.
 * @retval APR_EINVAL @a buffer is NULL, or shorter than @a len.
 *
 * @threads   the one that made it.
 * @ownership nothing moves.
 * @blocks    never.
 */
BROOD_API apr_status_t brood_buffer_truncate(brood_buffer_t *buffer,
                                             apr_size_t len);

/**
 * Take one more reference; accepts NULL.
 *
 * @param buffer a buffer, or NULL.
 * @return @a buffer.
 *
 * @threads   any that holds a reference.
 * @ownership the caller owns one reference more.
 * @blocks    never.
 */
BROOD_API brood_buffer_t *brood_buffer_retain(brood_buffer_t *buffer);

/**
 * Drop a reference; accepts NULL.
 *
 * @param buffer a buffer, or NULL.
 * @return NULL.
 *
 * @threads   any.
 * @ownership the reference is gone.
 * @blocks    never.
 */
BROOD_API brood_buffer_t *brood_buffer_release(brood_buffer_t *buffer);

BROOD_END_DECLS

#endif /* BROOD_BUFFER_H */
