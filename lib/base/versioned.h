/* SPDX-License-Identifier: Apache-2.0 */

/*
 * versioned.h: public structs that grow. Each begins with `apr_size_t size`,
 * the size that its caller's version of the library knows; fields are only
 * appended.
 */

#ifndef BROOD_BASE_VERSIONED_H
#define BROOD_BASE_VERSIONED_H

#include <stddef.h>
#include <string.h>

#include <apr_errno.h>

#include "base/compiler.h"

/* The size of a struct whose last field was `field`. */
#define BROOD__SIZE_TO(type, field)                                            \
    (offsetof(type, field) + sizeof(((type *)0)->field))

/* The size that a caller's struct says; 0 when no version has it: fewer bytes
 * than the first one, or more than ours. */
BROOD__INLINE size_t brood__versioned_size(const void *callers, size_t least,
                                           size_t ours)
{
    size_t size;

    memcpy(&size, callers, sizeof(size));
    return size < least || size > ours ? 0 : size;
}

/* Options in. Fields that the caller does not know stay as *full has them, all
 * of them when `callers` is NULL. */
BROOD__INLINE apr_status_t brood__versioned_take(void *full, size_t ours,
                                                 const void *callers,
                                                 size_t least)
{
    size_t size = callers ? brood__versioned_size(callers, least, ours) : 0;

    if (!callers)
        return APR_SUCCESS;
    if (!size)
        return APR_EINVAL;
    memcpy(full, callers, size);
    return APR_SUCCESS;
}

/* Results out; `size` was checked, and stays as it is. */
BROOD__INLINE void brood__versioned_give(void *callers, const void *full,
                                         size_t size)
{
    memcpy((char *)callers + sizeof(size), (const char *)full + sizeof(size),
           size - sizeof(size));
}

#endif /* BROOD_BASE_VERSIONED_H */
