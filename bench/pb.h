/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PB_H
#define PB_H

/*
 * pb.h: what every benchmark program shares; C11 and C++17. Linux, and what
 * pb_win32.h can give of it on Windows.
 *
 * Every program is run as      PROGRAM WORKLOAD THREADS
 * and prints lines             ROW <tab> PEER <tab> THREADS <tab> FIGURE <tab>
 *                              UNIT
 *
 * where PEER, its name, is defined before this is included.
 *
 * One program, one workload, one process: warm-up and measuring are here,
 * repetitions and medians belong to bench/run. A row ROW that tells wall time
 * has a row ROW.cpu beside it, the CPU time of all threads for the same work,
 * so that spinning cannot hide.
 *
 * Environment: PB_SCALE=k divides every N by k; PB_CAP_MS=ms ends round trips.
 */

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#define pb_pause() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define pb_pause() __asm__ volatile("yield")
#else
#define pb_pause() ((void)0)
#endif

#define PB_UNUSED     __attribute__((unused))
#define PB_ALIGNED(n) __attribute__((aligned(n)))

#ifdef _WIN32
#include "pb_win32.h"
#else
#include "pb_linux.h"
#endif

/* Put a value into memory that holds nothing yet. */
#ifdef __cplusplus
#include <new>
#define PB_PUT(type, place, value) (new (place) type(value))
#else
#define PB_PUT(type, place, value) (*(place) = (value))
#endif

/* How a task looks, and how it ends. A peer whose tasks look otherwise defines
 * all three before it includes this. */
#ifndef PEER_TASK
typedef void pb_task_fn(void *baton);
#define PEER_TASK(name) static void name(PB_UNUSED void *baton)
#define PEER_END        return
#endif

/* What a loop calls. */
typedef void pb_loop_fn(void *baton);

/* The workload asked for, known before anything starts. */
static const char *g_workload PB_UNUSED;

/* --- Spans ---------------------------------------------------------------- */

/* A stretch of time, or the moment it began. */
typedef struct pb_span {
    uint64_t wall;
    uint64_t cpu;
} pb_span;

static inline pb_span pb_begin(void)
{
    pb_span begin;

    begin.cpu = pb_cpu_ns();
    begin.wall = pb_ns();
    return begin;
}

static inline pb_span pb_end(pb_span begin)
{
    pb_span span;

    span.wall = pb_ns() - begin.wall;
    span.cpu = pb_cpu_ns() - begin.cpu;
    return span;
}

/* --- How much work -------------------------------------------------------- */

static inline long pb_env(const char *name, long otherwise)
{
    const char *text = getenv(name);
    long value = text ? atol(text) : 0;

    return value > 0 ? value : otherwise;
}

static inline long pb_n(long n)
{
    long scaled = n / pb_env("PB_SCALE", 1);

    return scaled > 0 ? scaled : 1;
}

/* Round trips end after PB_CAP_MS once there are enough of them. */
static inline int pb_capped(long done, uint64_t begin)
{
    static uint64_t cap;

    if ((done & 255) != 0 || done < 2048)
        return 0;
    if (!cap)
        cap = (uint64_t)pb_env("PB_CAP_MS", 250) * 1000000u;
    return pb_ns() - begin > cap;
}

/* A dependent chain of multiply-adds: nothing overlaps, nothing is cached. */
static inline uint64_t pb_work(unsigned steps)
{
    uint64_t x = 1;

    while (steps--) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        __asm__ volatile("" : "+r"(x));
    }
    return x;
}

static inline unsigned pb_steps_per_us(void)
{
    const unsigned steps = 50000;
    uint64_t best = UINT64_MAX;
    int i;

    for (i = 0; i < 60; i++) {
        uint64_t t = pb_ns();

        pb_work(steps);
        t = pb_ns() - t;
        if (t < best)
            best = t;
    }
    return 1 + (unsigned)(steps * 1000.0 / (double)best);
}

/* --- What comes out ------------------------------------------------------- */

static inline int pb_is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static inline void pb_out(const char *row, const char *part, int threads,
                          double figure, const char *unit, const char *per)
{
    printf("%s%s\t%s\t%d\t%.6g\t%s%s\n", row, part, PEER, threads, figure, unit,
           per);
    fflush(stdout);
}

static inline void pb_out_cpu(const char *row, int threads, pb_span span,
                              double n, const char *per)
{
    pb_out(row, ".cpu", threads, (double)span.cpu / n, "cpu-ns/", per);
}

/* ROW and ROW.cpu, for one of n. */
static inline void pb_out_span(const char *row, int threads, pb_span span,
                               double n, const char *per)
{
    pb_out(row, "", threads, (double)span.wall / n, "ns/", per);
    pb_out_cpu(row, threads, span, n, per);
}

static inline uint32_t pb_u32(uint64_t x)
{
    return x > UINT32_MAX ? UINT32_MAX : (uint32_t)x;
}

static inline int pb_compare_u32(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* ROW, the median, and ROW.p99 of n latencies. Sorts them. */
static inline void pb_out_latency(const char *row, int threads, uint32_t *ns,
                                  long n)
{
    qsort(ns, (size_t)n, sizeof(*ns), pb_compare_u32);
    pb_out(row, "", threads, ns[n / 2], "ns", "");
    pb_out(row, ".p99", threads, ns[n - 1 - n / 100], "ns", "");
}

/* --- Waiting -------------------------------------------------------------- */

/* Set once, waited for by one. It does not spin: it is what a careful user
 * without a future would write. */
typedef struct pb_event {
    int state; /* PB_UNSET to PB_SET, or over PB_SLEEPER to PB_SET */
} pb_event;

enum { PB_UNSET, PB_SET, PB_SLEEPER };

static inline void pb_event_reset(pb_event *event)
{
    __atomic_store_n(&event->state, PB_UNSET, __ATOMIC_RELAXED);
}

/* The waiter may free the event as soon as it reads PB_SET; a futex wake-up of
 * freed memory wakes nobody, or somebody who looks again. */
static inline void pb_event_set(pb_event *event)
{
    if (__atomic_exchange_n(&event->state, PB_SET, __ATOMIC_ACQ_REL)
        == PB_SLEEPER)
        pb_futex_wake(&event->state, 1);
}

static inline void pb_event_wait(pb_event *event)
{
    int seen = PB_UNSET;

    if (__atomic_compare_exchange_n(&event->state, &seen, PB_SLEEPER, 0,
                                    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        seen = PB_SLEEPER;
    while (seen != PB_SET) {
        pb_futex_wait(&event->state, PB_SLEEPER);
        seen = __atomic_load_n(&event->state, __ATOMIC_ACQUIRE);
    }
}

/* Counts down to 0; waited for by one. */
typedef struct pb_latch {
    long left PB_ALIGNED(64);
    pb_event zero PB_ALIGNED(64);
} pb_latch;

static inline void pb_latch_init(pb_latch *latch, long n)
{
    __atomic_store_n(&latch->left, n, __ATOMIC_RELAXED);
    pb_event_reset(&latch->zero);
}

static inline void pb_latch_down(pb_latch *latch)
{
    if (__atomic_sub_fetch(&latch->left, 1, __ATOMIC_ACQ_REL) == 0)
        pb_event_set(&latch->zero);
}

static inline void pb_latch_wait(pb_latch *latch)
{
    pb_event_wait(&latch->zero);
}

/* --- What pools and loops have in common ---------------------------------- */

/* Round trips, one at a time, until there are enough or pb_capped(). */
static inline void pb_go_rounds(const char *row, int threads,
                                void (*go_round)(void))
{
    const long most = pb_n(100000);
    uint32_t *ns = (uint32_t *)malloc((size_t)most * sizeof(*ns));
    pb_span begin = pb_begin();
    long n;

    for (n = 0; n < most && !pb_capped(n, begin.wall); n++) {
        uint64_t t = pb_ns();

        go_round();
        ns[n] = pb_u32(pb_ns() - t);
    }
    pb_out_cpu(row, threads, pb_end(begin), (double)n, "round");
    pb_out_latency(row, threads, ns, n);
    free(ns);
}

/* A second in which nothing happens. */
static inline void pb_watch_idle(const char *row, int threads)
{
    const long us = pb_n(1000000);
    long before = pb_switches();
    pb_span span = pb_begin();

    pb_sleep_us(us);
    span = pb_end(span);
    pb_out(row, "", threads,
           (double)(pb_switches() - before) * 1e6 / (double)us, "switches/s",
           "");
    pb_out_cpu(row, threads, span, (double)us / 1e6, "s");
}

/* --- Or else -------------------------------------------------------------- */

#define PB_CHECK(ok)                                                           \
    do {                                                                       \
        if (!(ok))                                                             \
            pb_die(__FILE__, __LINE__, #ok);                                   \
    } while (0)

__attribute__((noreturn)) static inline void pb_die(const char *file, int line,
                                                    const char *what)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    fflush(stdout);
    _exit(1);
}

#endif /* PB_H */
