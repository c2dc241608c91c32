/* SPDX-License-Identifier: Apache-2.0 */

/* alloc.c: counted memory, and memory that runs out when a test says so. */

#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"

/*
 * The count is spread over stripes, so that threads which allocate at the same
 * time seldom write the same cache line. A block may be freed by a thread of
 * another stripe: single stripes wrap below zero, only the sum means anything.
 */
#define STRIPES 16u /* my_stripe() takes the top 4 bits of a hash */

typedef struct stripe_t {
    BROOD__ALIGNED(BROOD__LINE) atomic_size_t live;
} stripe_t;

static stripe_t g_stripes[STRIPES];

/* Its address tells threads apart. */
static BROOD__THREAD_LOCAL char tl_here;

static atomic_size_t *my_stripe(void);

void *brood__alloc(size_t size)
{
    void *block;

    if (brood__fault(BROOD__FAULT_MEMORY))
        return NULL;
    block = calloc(1, size ? size : 1);
    if (block)
        brood__add(my_stripe(), 1, relaxed);
    return block;
}

void *brood__alloc_unset(size_t size)
{
    void *block;

    if (brood__fault(BROOD__FAULT_MEMORY))
        return NULL;
    block = malloc(size ? size : 1);
    if (block)
        brood__add(my_stripe(), 1, relaxed);
    return block;
}

/* Take more, and keep the true start just below the block: aligned_alloc() is
 * missing on Windows, and gives memory that is not zeroed. */
void *brood__alloc_aligned(size_t size, size_t align)
{
    const size_t extra = align + sizeof(void *);
    char *whole;
    char *block;

    if (size > SIZE_MAX - extra)
        return NULL;
    whole = brood__alloc(size + extra);
    if (!whole)
        return NULL;

    block = whole + sizeof(void *);
    block += -(uintptr_t)block & (align - 1);
    memcpy(block - sizeof(void *), &whole, sizeof(whole));
    return block;
}

void brood__free(void *block)
{
    if (!block)
        return;
    brood__sub(my_stripe(), 1, relaxed);
    free(block);
}

void brood__free_aligned(void *block)
{
    void *whole;

    if (!block)
        return;
    memcpy(&whole, (char *)block - sizeof(void *), sizeof(whole));
    brood__free(whole);
}

char *brood__strdup(const char *text)
{
    size_t size;
    char *copy;

    if (!text)
        return NULL;
    size = strlen(text) + 1;
    copy = brood__alloc(size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

size_t brood__alloc_live(void)
{
    size_t live = 0;
    unsigned i;

    for (i = 0; i < STRIPES; i++)
        live += brood__load(&g_stripes[i].live, relaxed);
    return live;
}

/* Blocks of thread-local storage lie whole pages apart, so the page number of
 * a thread's own variable, mixed (Knuth's multiplicative hash), will do. */
static atomic_size_t *my_stripe(void)
{
    const uint32_t page = (uint32_t)((uintptr_t)&tl_here >> 12);

    return &g_stripes[(page * 2654435769u) >> 28].live;
}
