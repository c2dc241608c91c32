/* SPDX-License-Identifier: Apache-2.0 */

/*
 * heap.h: the deadlines of one loop's coroutines; for its thread only.
 *
 * A 4-ary heap: half the depth of a binary one, and the four children lie in
 * one cache line. Deadlines stand beside the pointers, so a comparison touches
 * no coroutine. Room is made when a coroutine is made, so that adding never
 * fails.
 */

#ifndef BROOD_LOOP_HEAP_H
#define BROOD_LOOP_HEAP_H

#include <apr_errno.h>

#include "base/compiler.h"

/* Part of whatever has a deadline. */
typedef struct brood__alarm_t {
    size_t index; /* in the heap, from 1; 0: not in it */
} brood__alarm_t;

typedef struct brood__heap_slot_t {
    int64_t deadline; /* brood__os_now() */
    brood__alarm_t *alarm;
} brood__heap_slot_t;

typedef struct brood__heap_t {
    brood__heap_slot_t *slots; /* 1 to n are used */
    size_t n;
    size_t room; /* of slots */
} brood__heap_t;

/* Make room for `n` alarms; APR_ENOMEM changes nothing. */
apr_status_t brood__heap_reserve(brood__heap_t *heap, size_t n);
void brood__heap_fini(brood__heap_t *heap);

/* `alarm` is not in the heap, and there is room. */
void brood__heap_add(brood__heap_t *heap, brood__alarm_t *alarm,
                     int64_t deadline);

/* `alarm` is in the heap. */
void brood__heap_remove(brood__heap_t *heap, brood__alarm_t *alarm);

/* The nearest deadline; -1: there is none. */
BROOD__INLINE int64_t brood__heap_next(const brood__heap_t *heap)
{
    return heap->n ? heap->slots[1].deadline : -1;
}

/* Take out the first alarm if it is due; else NULL. */
brood__alarm_t *brood__heap_due(brood__heap_t *heap, int64_t now);

#endif /* BROOD_LOOP_HEAP_H */
