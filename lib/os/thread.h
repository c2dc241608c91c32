/* SPDX-License-Identifier: Apache-2.0 */

/*
 * thread.h: the library's own threads, on APR.
 *
 * Each has a root pool of its own (apr_thread_create() takes memory from the
 * pool it is given and gives none back before that pool goes), blocks all but
 * synchronous signals, and is named.
 */

#ifndef BROOD_OS_THREAD_H
#define BROOD_OS_THREAD_H

#include "os/os.h"

typedef struct brood__thread_t brood__thread_t;

/*
 * Start fn(arg). `name` is cut to the platform's limit and copied;
 * `stack_size` 0 means the platform's default. Whatever apr_thread_create()
 * returns on failure (and then *thread is NULL and nothing is left behind), or
 * APR_ENOMEM.
 */
apr_status_t brood__thread_start(brood__thread_t **thread, void (*fn)(void *),
                                 void *arg, const char *name,
                                 size_t stack_size);

/* Wait for its end and free it. Never for the calling thread itself. */
void brood__thread_join(brood__thread_t *thread);

/* Let it end by itself; any thread may, also itself. Its memory is freed by the
 * next detached thread that ends, or by brood__thread_reap(). */
void brood__thread_detach(brood__thread_t *thread);

/* Free the one detached thread that may have ended and still has its memory.
 * For the library's end; not in a forked child, where that thread is not. */
void brood__thread_reap(void);

#endif /* BROOD_OS_THREAD_H */
