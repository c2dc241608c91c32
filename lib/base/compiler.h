/* SPDX-License-Identifier: Apache-2.0 */

/* compiler.h: what differs from one compiler to the next, and nothing else. */

#ifndef BROOD_BASE_COMPILER_H
#define BROOD_BASE_COMPILER_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
#define BROOD__LIKELY(x)         (__builtin_expect(!!(x), 1) != 0)
#define BROOD__UNLIKELY(x)       (__builtin_expect(!!(x), 0) != 0)
#define BROOD__NOINLINE          __attribute__((noinline))
#define BROOD__INLINE            static inline __attribute__((always_inline))
#define BROOD__NORETURN          __attribute__((noreturn))
#define BROOD__ALIGNED(n)        __attribute__((aligned(n)))
#define BROOD__UNUSED            __attribute__((unused))
#define BROOD__PRINTF(f, a)      __attribute__((format(printf, f, a)))
#define BROOD__PREFETCH_WRITE(p) __builtin_prefetch((p), 1)
#else
#define BROOD__LIKELY(x)   (x)
#define BROOD__UNLIKELY(x) (x)
#define BROOD__NOINLINE
#define BROOD__INLINE static inline
#define BROOD__NORETURN
#define BROOD__ALIGNED(n) __declspec(align(n))
#define BROOD__UNUSED
#define BROOD__PRINTF(f, a)
#define BROOD__PREFETCH_WRITE(p) ((void)(p))
#endif

/* The thread's own variables. The library is never unloaded (it pins itself),
 * so the cheap model is right where the loader has room for it: we use less
 * than the 1.6 KiB that glibc keeps free for libraries loaded late. */
#if defined(__ELF__) && (defined(__GNUC__) || defined(__clang__))
#define BROOD__THREAD_LOCAL                                                    \
    _Thread_local __attribute__((tls_model("initial-exec")))
#else
#define BROOD__THREAD_LOCAL _Thread_local
#endif

/* Distance at which two fields never share a cache line, prefetched pairs of
 * lines (x86) and 128-byte lines (Apple, POWER) included. */
#define BROOD__LINE 128

/* clang checks these with -Wthread-safety; elsewhere they are comments. */
#if defined(__clang__)
#define BROOD__ATTR(x) __attribute__((x))
#else
#define BROOD__ATTR(x)
#endif
#define BROOD__CAPABILITY(n) BROOD__ATTR(capability(n))
#define BROOD__ACQUIRES(l)   BROOD__ATTR(acquire_capability(l))
#define BROOD__RELEASES(l)   BROOD__ATTR(release_capability(l))
#define BROOD__REQUIRES(l)   BROOD__ATTR(requires_capability(l))
#define BROOD__EXCLUDES(l)   BROOD__ATTR(locks_excluded(l))
#define BROOD__NO_ANALYSIS   BROOD__ATTR(no_thread_safety_analysis)

#if defined(__SANITIZE_THREAD__)
#define BROOD__TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BROOD__TSAN 1
#endif
#endif
#ifndef BROOD__TSAN
#define BROOD__TSAN 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define BROOD__ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BROOD__ASAN 1
#endif
#endif
#ifndef BROOD__ASAN
#define BROOD__ASAN 0
#endif

/* The number of the lowest bit that is set; there is one. */
BROOD__INLINE unsigned brood__lowest_bit(unsigned long long bits)
{
    return (unsigned)__builtin_ctzll(bits);
}

/* The object that holds `member`, given a pointer to the member. */
#define BROOD__CONTAINER(ptr, type, member)                                    \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif /* BROOD_BASE_COMPILER_H */
