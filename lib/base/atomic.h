/* SPDX-License-Identifier: Apache-2.0 */

/*
 * atomic.h: C11 atomics with the order in the name.
 *
 * Every access names its order; a release and its acquire carry the same
 * letter in the comments beside them. Plain (sequentially consistent) C11
 * operators are not used.
 */

#ifndef BROOD_BASE_ATOMIC_H
#define BROOD_BASE_ATOMIC_H

#include <stdatomic.h>

#include "base/compiler.h"

#define brood__load(p, order) atomic_load_explicit((p), memory_order_##order)
#define brood__store(p, v, order)                                              \
    atomic_store_explicit((p), (v), memory_order_##order)
#define brood__add(p, v, order)                                                \
    atomic_fetch_add_explicit((p), (v), memory_order_##order)
#define brood__sub(p, v, order)                                                \
    atomic_fetch_sub_explicit((p), (v), memory_order_##order)
#define brood__or(p, v, order)                                                 \
    atomic_fetch_or_explicit((p), (v), memory_order_##order)
#define brood__and(p, v, order)                                                \
    atomic_fetch_and_explicit((p), (v), memory_order_##order)
#define brood__swap(p, v, order)                                               \
    atomic_exchange_explicit((p), (v), memory_order_##order)

/* Compare and exchange; on failure *seen is what was there (relaxed). The weak
 * form may fail for no reason and belongs into a loop. */
#define brood__cas(p, seen, v, order)                                          \
    atomic_compare_exchange_strong_explicit(                                   \
        (p), (seen), (v), memory_order_##order, memory_order_relaxed)
#define brood__cas_weak(p, seen, v, order)                                     \
    atomic_compare_exchange_weak_explicit(                                     \
        (p), (seen), (v), memory_order_##order, memory_order_relaxed)

#define brood__fence(order) atomic_thread_fence(memory_order_##order)

/* Is a store there for all other CPUs as soon as it is for one of them? POWER and
 * ARM before its version 8 do not promise that. */
#if defined(__x86_64__) || defined(__i386__) || defined(__aarch64__)           \
    || defined(__riscv) || defined(__s390x__)
#define BROOD__ALL_AT_ONCE 1
#else
#define BROOD__ALL_AT_ONCE 0
#endif

/* Tells the CPU that this is a polling loop. */
BROOD__INLINE void brood__pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("isb" ::: "memory");
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

#endif /* BROOD_BASE_ATOMIC_H */
