/* SPDX-License-Identifier: Apache-2.0 */

/* buffer.c: bytes that travel. */

#include "task/buffer.h"

#include <string.h>

#include "base/alloc.h"

#define ALIGN     16u
#define HEAD_SIZE ((sizeof(brood_buffer_t) + ALIGN - 1) & ~(size_t)(ALIGN - 1))

brood_buffer_t *(*brood__buffer_place)(size_t size);

static brood_buffer_t *init(brood_buffer_t *buffer, void *data, size_t size);

apr_status_t brood_buffer_make(brood_buffer_t **buffer, apr_size_t len)
{
    brood_buffer_t *made = NULL;

    if (!buffer)
        return APR_EINVAL;
    if (brood__buffer_place)
        made = brood__buffer_place(len);
    if (!made && len <= SIZE_MAX - HEAD_SIZE) {
        made = brood__alloc_unset(HEAD_SIZE + len);
        if (made)
            made = init(made, (char *)made + HEAD_SIZE, len);
    }
    *buffer = made;
    return made ? APR_SUCCESS : APR_ENOMEM;
}

apr_status_t brood_buffer_copy(brood_buffer_t **buffer, const void *data,
                               apr_size_t len)
{
    apr_status_t rv = !data && len ? APR_EINVAL
                                   : brood_buffer_make(buffer, len);

    if (rv == APR_SUCCESS && len)
        memcpy((*buffer)->data, data, len);
    else if (rv != APR_SUCCESS && buffer)
        *buffer = NULL;
    return rv;
}

brood_buffer_t *brood__buffer_around(void *data, size_t size,
                                     void (*drop)(brood_buffer_t *buffer),
                                     void *baton)
{
    brood_buffer_t *buffer = init(brood__alloc_unset(sizeof(*buffer)), data,
                                  size);

    if (buffer) {
        buffer->drop = drop;
        buffer->baton = baton;
    }
    return buffer;
}

static brood_buffer_t *init(brood_buffer_t *buffer, void *data, size_t size)
{
    if (!buffer)
        return NULL;
    atomic_init(&buffer->refs, 1);
    buffer->drop = NULL;
    buffer->baton = NULL;
    buffer->data = data;
    buffer->size = size;
    return buffer;
}

void *brood_buffer_data(brood_buffer_t *buffer)
{
    return buffer ? buffer->data : NULL;
}

apr_size_t brood_buffer_size(const brood_buffer_t *buffer)
{
    return buffer ? buffer->size : 0;
}

apr_status_t brood_buffer_truncate(brood_buffer_t *buffer, apr_size_t len)
{
    if (!buffer || len > buffer->size)
        return APR_EINVAL;
    buffer->size = len;
    return APR_SUCCESS;
}

brood_buffer_t *brood_buffer_retain(brood_buffer_t *buffer)
{
    if (buffer)
        brood__add(&buffer->refs, 1, relaxed);
    return buffer;
}

brood_buffer_t *brood_buffer_release(brood_buffer_t *buffer)
{
    if (buffer && brood__sub(&buffer->refs, 1, acq_rel) == 1) {
        if (buffer->drop)
            buffer->drop(buffer);
        brood__free(buffer);
    }
    return NULL;
}
