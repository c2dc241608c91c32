/* SPDX-License-Identifier: Apache-2.0 */

/*
 * alloc.h: counted memory, for what no pool knows the end of.
 *
 * The only caller of malloc() and free() in the library. Every block counts,
 * so that a test can ask whether anything was lost, and any allocation,
 * thread start or mapping can be made to fail, so that a test can walk every
 * error path: see fault.h.
 */

#ifndef BROOD_BASE_ALLOC_H
#define BROOD_BASE_ALLOC_H

#include <stddef.h>

/* NULL when memory ran out (or a test said so). Zeroed. */
void *brood__alloc(size_t size);

/* The same, but not set to anything: for what is large and written at once. */
void *brood__alloc_unset(size_t size);

/* The first, at a multiple of `align` (a power of two). Free with
 * brood__free_aligned(). */
void *brood__alloc_aligned(size_t size, size_t align);

/* Accept NULL. */
void brood__free(void *block);
void brood__free_aligned(void *block);

/* A counted copy of `text`; NULL for NULL, and when memory ran out. */
char *brood__strdup(const char *text);

/* Blocks handed out and not yet freed. */
size_t brood__alloc_live(void);

#endif /* BROOD_BASE_ALLOC_H */
