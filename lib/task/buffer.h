/* SPDX-License-Identifier: Apache-2.0 */

/* buffer.h: bytes that travel; see brood/buffer.h. */

#ifndef BROOD_TASK_BUFFER_H
#define BROOD_TASK_BUFFER_H

#include <brood/buffer.h>

#include "base/atomic.h"

/*
 * The bytes follow the head, or are somebody else's, who is told when the last
 * reference goes.
 */
struct brood_buffer_t {
    atomic_int refs;
    void (*drop)(brood_buffer_t *buffer); /* NULL: nobody is told */
    void *baton;                          /* drop's */
    void *data;
    size_t size;
};

/* A buffer for bytes of somebody else; NULL when memory ran out. */
brood_buffer_t *brood__buffer_around(void *data, size_t size,
                                     void (*drop)(brood_buffer_t *buffer),
                                     void *baton);

/* Asked first by brood_buffer_make(), in worker processes: a place for so many
 * bytes, as a buffer around them; or NULL. */
extern brood_buffer_t *(*brood__buffer_place)(size_t size);

#endif /* BROOD_TASK_BUFFER_H */
