/* SPDX-License-Identifier: Apache-2.0 */

/*
 * fault.h: failure as a test input.
 *
 * Every place where the world may refuse something (memory, a thread, a stack,
 * a descriptor) asks brood__fault() first. A test arms the n-th such request of
 * a kind to fail, on any thread, and walks n upwards until all paths were seen.
 * Unarmed it costs one relaxed load of a word that nobody writes.
 */

#ifndef BROOD_BASE_FAULT_H
#define BROOD_BASE_FAULT_H

#include "base/atomic.h"

typedef enum {
    BROOD__FAULT_MEMORY,
    BROOD__FAULT_THREAD,
    BROOD__FAULT_STACK,
    BROOD__FAULT_DESCRIPTOR,
    BROOD__FAULT_PROCESS,
    BROOD__FAULT_PIDFD, /* no process descriptor: the other way is taken */
    BROOD__FAULT_KINDS
} brood__fault_e;

/* Which request from now on fails: 1 is the next one; 0: none will. */
extern atomic_uint brood__fault_armed[BROOD__FAULT_KINDS];

int brood__fault_due(brood__fault_e kind);

/* True when this request has to fail. */
BROOD__INLINE int brood__fault(brood__fault_e kind)
{
    return BROOD__UNLIKELY(brood__load(&brood__fault_armed[kind], relaxed))
           && brood__fault_due(kind);
}

/* Make the n-th request of `kind` from now on fail, once; 0 disarms. */
void brood__fault_at(brood__fault_e kind, unsigned n);

/* From now on every request of `kind` fails, until brood__fault_at(). */
void brood__fault_all(brood__fault_e kind);

/* True while the failure that was armed last has not happened yet. */
int brood__fault_pending(brood__fault_e kind);

#endif /* BROOD_BASE_FAULT_H */
