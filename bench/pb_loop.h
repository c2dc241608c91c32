/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PB_LOOP_H
#define PB_LOOP_H

/*
 * pb_loop.h: the workloads of an event loop, and main(). The last include of a
 * program that defines
 *
 *   PEER                                         its name
 *   void loop_start(int workers): the loop, on a thread of its own, and as many
 *                threads for offloaded work
 *   void loop_submit(pb_loop_fn *fn, void *baton)   from any thread
 *
 * and may define
 *
 *   PEER_FUTURE   and  pb_future, pb_future loop_future(void *baton) for an
 *                 empty callback whose value is `baton`, void *loop_get(pb_future)
 *                 to wait for it and drop it (in C++ it may take a reference);
 *                 others get a future such as a user would write
 *   PEER_TIMER    and  void loop_timer(unsigned us): on the loop's thread; calls
 *                 timer_fired() once
 *   PEER_SLEEPER  and  void loop_sleeper(unsigned us): the same from whatever
 *                 sleeps there; else a timer
 *   PEER_OFFLOAD  and  void loop_offload(pb_loop_fn *work, pb_loop_fn *done,
 *                 void *baton): on the loop's thread; work() on a worker, then
 *                 done() on the loop's thread
 *   PEER_EVENT    and  void loop_on_readable(int fd, pb_loop_fn *fn, void *baton):
 *                 on the loop's thread; from then on fn() whenever the
 *                 descriptor is readable
 *   PEER_CALLS    instead: void calls_windowed(long n, long *count), n calls,
 *                 1000 at a time, which add themselves to `count` unless it is
 *                 NULL; calls_each(), the same by coroutines with one call each;
 *                 long calls_serial(uint32_t *ns, long n), one at a time until n
 *                 are done or pb_capped(), which returns how many
 */

#include "pb.h"

static pb_latch g_latch;
static int g_workers;

static void count_callback(PB_UNUSED void *baton)
{
    pb_latch_down(&g_latch);
}

static void set_event(void *baton)
{
    pb_event_set((pb_event *)baton);
}

/* --- The future of a loop that has none ----------------------------------- */

#ifndef PEER_FUTURE
typedef struct own_future {
    pb_event done;
    void *baton;
    void *value;
} * pb_future;

static void settle_future(void *baton)
{
    pb_future future = (pb_future)baton;

    future->value = future->baton;
    pb_event_set(&future->done);
}

static inline pb_future loop_future(void *baton)
{
    pb_future future = (pb_future)malloc(sizeof(*future));

    pb_event_reset(&future->done);
    future->baton = baton;
    future->value = NULL;
    loop_submit(settle_future, future);
    return future;
}

static inline void *loop_get(pb_future future)
{
    void *value;

    pb_event_wait(&future->done);
    value = future->value;
    free(future);
    return value;
}
#endif

/* --- L1, L1f: callbacks from another thread ------------------------------- */

static pb_span post_and_count(long n)
{
    pb_span begin = pb_begin();
    long i;

    pb_latch_init(&g_latch, n);
    for (i = 0; i < n; i++)
        loop_submit(count_callback, NULL);
    pb_latch_wait(&g_latch);
    return pb_end(begin);
}

static void l1(void)
{
    const long n = pb_n(1000000);

    pb_out_span("L1", g_workers, post_and_count(n), (double)n, "callback");
}

static void l1f(void)
{
    const long n = pb_n(1000000);
    pb_span begin = pb_begin();
    pb_future *futures = (pb_future *)malloc((size_t)n * sizeof(*futures));
    long i;

    for (i = 0; i < n; i++)
        PB_PUT(pb_future, &futures[i], loop_future(&futures[i]));
    for (i = 0; i < n; i++)
        PB_CHECK(loop_get(futures[i]) == &futures[i]);
    free(futures);
    pb_out_span("L1f", g_workers, pb_end(begin), (double)n, "callback");
}

/* --- L2: there and back --------------------------------------------------- */

static void round_by_event(void)
{
    pb_event event;

    pb_event_reset(&event);
    loop_submit(set_event, &event);
    pb_event_wait(&event);
}

static void round_by_future(void)
{
#ifdef PEER_FUTURE
    int baton;
    pb_future future = loop_future(&baton);

    PB_CHECK(loop_get(future) == &baton);
#else
    round_by_event();
#endif
}

static void l2(void)
{
    pb_go_rounds("L2", g_workers, round_by_future);
    pb_go_rounds("L2e", g_workers, round_by_event);
}

/* --- L3: timers of 1 to 5 ms ---------------------------------------------- */

static inline void timer_fired(void)
{
    pb_latch_down(&g_latch);
}

/* Among so many there is a long one. */
enum { SOME_TIMERS = 100 };

static unsigned timer_length(long i)
{
    return (unsigned)(1000 + i * 7919 % 4001);
}

static void add_timers(void *baton)
{
    const long n = (long)(intptr_t)baton;
    long i;

    for (i = 0; i < n; i++) {
#ifdef PEER_TIMER
        loop_timer(timer_length(i));
#endif
    }
}

static void add_sleepers(void *baton)
{
#ifdef PEER_SLEEPER
    const long n = (long)(intptr_t)baton;
    long i;

    for (i = 0; i < n; i++)
        loop_sleeper(timer_length(i));
#else
    add_timers(baton);
#endif
}

static void fire(const char *row, pb_loop_fn *add, long n)
{
    pb_span begin = pb_begin();

    pb_latch_init(&g_latch, n);
    loop_submit(add, (void *)(intptr_t)n);
    pb_latch_wait(&g_latch);
    begin = pb_end(begin);
    /* Nobody is early; but by what the clock that they look at does not tell. */
    PB_CHECK(n < SOME_TIMERS || begin.wall > (5 - PB_COARSE_MS) * 1000000u);
    pb_out_span(row, g_workers, begin, (double)n, "timer");
}

static void l3(void)
{
    fire("L3", add_timers, pb_n(100000));
}

/* Fewer, because not every system has room for more coroutines. The first time
 * each needs memory that was never used; the second time all of it is there. */
static void l3_sleep(void)
{
    fire("L3.sleep", add_sleepers, pb_n(20000));
    fire("L3.sleep.warm", add_sleepers, pb_n(20000));
}

/* --- L4: sockets ---------------------------------------------------------- */

#include "pb_loop_echo.h"

/* --- S1, S2: blocking calls from inside the loop -------------------------- */

#ifdef PEER_OFFLOAD
static long g_calls_left;
static long g_calls_open;
static long g_calls_done;
static uint32_t *g_calls_ns;
static uint64_t g_call_begin;
static uint64_t g_calls_begin;
static pb_event g_calls_end;

/* Empty, but that a call with a baton counts itself there. */
static void blocking_call(void *baton)
{
    if (baton)
        __atomic_add_fetch((long *)baton, 1, __ATOMIC_RELAXED);
}

static void call_done(void *baton)
{
    if (g_calls_left > 0) {
        g_calls_left--;
        loop_offload(blocking_call, call_done, baton);
    } else if (--g_calls_open == 0) {
        pb_event_set(&g_calls_end);
    }
}

static void open_window(void *baton)
{
    const long n = g_calls_open;
    long i;

    for (i = 0; i < n; i++)
        loop_offload(blocking_call, call_done, baton);
}

static void calls_windowed(long n, long *count)
{
    pb_event_reset(&g_calls_end);
    g_calls_open = n < 1000 ? n : 1000;
    g_calls_left = n - g_calls_open;
    loop_submit(open_window, count);
    pb_event_wait(&g_calls_end);
}

static void serial_call_done(void *baton);

static void call_serially(PB_UNUSED void *baton)
{
    g_call_begin = pb_ns();
    loop_offload(blocking_call, serial_call_done, NULL);
}

static void serial_call_done(PB_UNUSED void *baton)
{
    g_calls_ns[g_calls_done++] = pb_u32(pb_ns() - g_call_begin);
    if (g_calls_done < g_calls_left && !pb_capped(g_calls_done, g_calls_begin))
        call_serially(NULL);
    else
        pb_event_set(&g_calls_end);
}

static long calls_serial(uint32_t *ns, long n)
{
    pb_event_reset(&g_calls_end);
    g_calls_done = 0;
    g_calls_left = n;
    g_calls_ns = ns;
    g_calls_begin = pb_ns();
    loop_submit(call_serially, NULL);
    pb_event_wait(&g_calls_end);
    return g_calls_done;
}
#endif

/* Those that are measured tell nobody that they ran; these do. */
static PB_UNUSED void warm_calls(void (*calls)(long n, long *count))
{
    const long n = 2000;
    long count = 0;

    calls(n, &count);
    PB_CHECK(count == n);
}

static void s1(void)
{
#if defined(PEER_OFFLOAD) || defined(PEER_CALLS)
    const long n = pb_n(200000);
    pb_span begin;

    warm_calls(calls_windowed);
    begin = pb_begin();
    calls_windowed(n, NULL);
    pb_out_span("S1", g_workers, pb_end(begin), (double)n, "call");
#endif
}

/* The window as that many coroutines, each with one call open. */
static void s1_each(void)
{
#if defined(PEER_CALLS)
    const long n = pb_n(200000);
    pb_span begin;

    warm_calls(calls_each);
    begin = pb_begin();
    calls_each(n, NULL);
    pb_out_span("S1.each", g_workers, pb_end(begin), (double)n, "call");
#endif
}

static void s2(void)
{
#if defined(PEER_OFFLOAD) || defined(PEER_CALLS)
    const long most = pb_n(50000);
    uint32_t *ns = (uint32_t *)malloc((size_t)most * sizeof(*ns));
    pb_span begin;
    long n;

    warm_calls(calls_windowed);
    begin = pb_begin();
    n = calls_serial(ns, most);
    pb_out_cpu("S2", g_workers, pb_end(begin), (double)n, "call");
    pb_out_latency("S2", g_workers, ns, n);
#endif
}

/* --- idle ----------------------------------------------------------------- */

/* In the first second after work, and in the second one. */
static void idle(void)
{
    post_and_count(pb_n(100000));
    pb_watch_idle("idle-loop.first", g_workers);
    pb_watch_idle("idle-loop", g_workers);
}

/* --- main ----------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*run)(void);
} g_workloads[] = {
    { "L1", l1 },          { "L1f", l1f },           { "L2", l2 },
    { "L3", l3 },          { "L3.sleep", l3_sleep }, { "L4", l4 },
    { "S1", s1 },          { "S1.each", s1_each },   { "S2", s2 },
    { "idle-loop", idle },
};

int main(int argc, char **argv)
{
    int found = 0;
    size_t i;

    if (argc != 3) {
        fprintf(stderr, "usage: %s WORKLOAD WORKERS\n", argv[0]);
        return 2;
    }
    g_workload = argv[1];
    g_workers = atoi(argv[2]);
    if (pb_is(g_workload, "L4"))
        start_echo();
    loop_start(g_workers);
    post_and_count(2000);
    for (i = 0; i < sizeof(g_workloads) / sizeof(g_workloads[0]); i++)
        if (pb_is(g_workloads[i].name, g_workload)) {
            found = 1;
            g_workloads[i].run();
        }
    /* Taking a loop down is not measured. */
    _exit(found ? 0 : 2);
}

#endif /* PB_LOOP_H */
