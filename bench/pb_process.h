/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PB_PROCESS_H
#define PB_PROCESS_H

/*
 * pb_process.h: the workloads of pools of processes, P1 to P5. Whoever includes
 * it has, after pb.h:
 *
 *   PEER_WINDOW                      how many calls of P2 may be open at once
 *   pb_call                          a call on its way
 *   process_begin(argc, argv)        first in main(); returns what is left
 *   process_start(workers)           from nothing
 *   process_stop()                   to nothing
 *   pb_call process_call()           an empty task
 *   process_end(pb_call)             its end; calls end in their order
 *   process_echo(to, from, len)      to a worker and back: where the bytes are
 *                                    until the next one, `to` or elsewhere
 *   process_block()                  one task that never ends (PEER_MEMORY)
 *
 * CPU time is that of the process and of all workers, from their start on.
 */

#include "pb.h"

enum { PB_BIG = 1024 * 1024, PB_SMALL_WINDOW = 512, PB_STARTS = 50 };

static int g_workers;

/* --- CPU time ------------------------------------------------------------- */

/* The workers' time is known once they have ended. */
static void end_and_out_cpu(const char *row, pb_span span, double n,
                            const char *per)
{
    process_stop();
    span.cpu += pb_children_ns();
    pb_out_cpu(row, g_workers, span, n, per);
}

/* --- P1 to P3 ------------------------------------------------------------- */

static void go_round(void)
{
    process_end(process_call());
}

static void warm_up(void)
{
    int i;

    for (i = 0; i < 500; i++)
        go_round();
}

static void run_p1(void)
{
    const long most = pb_n(100000);
    uint32_t *ns = (uint32_t *)malloc((size_t)most * sizeof(*ns));
    pb_span span;
    long n;

    PB_CHECK(ns);
    warm_up();
    span = pb_begin();
    for (n = 0; n < most && !pb_capped(n, span.wall); n++) {
        const uint64_t t = pb_ns();

        go_round();
        ns[n] = pb_u32(pb_ns() - t);
    }
    span = pb_end(span);
    pb_out_latency("P1", g_workers, ns, n);
    end_and_out_cpu("P1", span, (double)n, "round");
    free(ns);
}

static void run_window(const char *row, long window)
{
    const long n = pb_n(100000);
    pb_call *calls = (pb_call *)malloc((size_t)window * sizeof(*calls));
    long sent = 0, ended = 0;
    pb_span span;

    PB_CHECK(calls);
    warm_up();
    span = pb_begin();
    while (ended < n) {
        for (; sent < n && sent - ended < window; sent++)
            calls[sent % window] = process_call();
        process_end(calls[ended % window]);
        ended++;
    }
    span = pb_end(span);
    pb_out(row, "", g_workers, (double)span.wall / (double)n, "ns/", "task");
    end_and_out_cpu(row, span, (double)n, "task");
    free(calls);
}

static void run_p2(void)
{
    run_window("P2", PEER_WINDOW);
}

static void run_p2_window(void)
{
    run_window("P2.window", PB_SMALL_WINDOW);
}

static void run_p3(void)
{
    const long n = pb_n(2000);
    char *from = (char *)malloc(PB_BIG), *to = (char *)malloc(PB_BIG);
    const char *back;
    pb_span span;
    long i;

    PB_CHECK(from && to);
    for (i = 0; i < PB_BIG; i++)
        from[i] = (char)(i * 7);
    for (i = 0; i < 50; i++)
        PB_CHECK(memcmp(process_echo(to, from, PB_BIG), from, PB_BIG) == 0);
    span = pb_begin();
    for (i = 0; i < n; i++) {
        from[PB_BIG - 1] = (char)i;
        back = (const char *)process_echo(to, from, PB_BIG);
        PB_CHECK(back[PB_BIG - 1] == (char)i);
    }
    span = pb_end(span);
    pb_out("P3", "", g_workers, (double)n * PB_BIG / (double)span.wall, "GB/s",
           "");
    end_and_out_cpu("P3", span, (double)n, "echo");
    free(from);
    free(to);
}

/* --- P4 ------------------------------------------------------------------- */

/* From nothing until each of as many tasks as workers has ended. */
static uint32_t start_once(void)
{
    pb_call calls[64];
    uint64_t t = pb_ns();
    int i;

    process_start(g_workers);
    for (i = 0; i < g_workers; i++)
        calls[i] = process_call();
    for (i = 0; i < g_workers; i++)
        process_end(calls[i]);
    t = pb_ns() - t;
    process_stop();
    return pb_u32(t / 1000);
}

static void start_often(const char *row, long most)
{
    uint32_t us[PB_STARTS];
    const long n = pb_n(most) < 3 ? 3 : pb_n(most);
    long i;

    PB_CHECK(g_workers <= 64);
    process_stop();
    start_once();
    for (i = 0; i < n; i++)
        us[i] = start_once();
    qsort(us, (size_t)n, sizeof(*us), pb_compare_u32);
    pb_out(row, "", g_workers, us[n / 2] / 1e3, "ms", "");
}

static void run_p4(void)
{
    start_often("P4", PB_STARTS);
}

/* The same from a process that has touched 2 GiB: fork() copies its page
 * tables. */
static void run_p4_large(void)
{
    const size_t size = (size_t)pb_n(2048) * 1024 * 1024;
    char *memory = (char *)malloc(size);

    PB_CHECK(memory);
    memset(memory, 1, size);
    __asm__ volatile("" : : "r"(memory) : "memory");
    start_often("P4.large", 10);
    free(memory);
}

/* --- P5 ------------------------------------------------------------------- */

#ifdef PEER_MEMORY
static void run_p5(void)
{
    const long n = pb_n(100000) < 10000 ? 10000 : pb_n(100000);
    pb_call *calls = (pb_call *)malloc((size_t)n * sizeof(*calls));
    int64_t before;
    long i;

    PB_CHECK(calls);
    memset(calls, 1, (size_t)n * sizeof(*calls));
    warm_up();
    process_block();
    before = pb_resident();
    for (i = 0; i < n; i++)
        calls[i] = process_call();
    pb_out("P5", "", g_workers, (double)(pb_resident() - before) / (double)n,
           "B/task", "");
}
#endif

/* --- Which of them -------------------------------------------------------- */

static const struct {
    const char *name;
    void (*run)(void);
} g_workloads[] = {
    { "P1", run_p1 }, { "P2", run_p2 }, { "P2.window", run_p2_window },
    { "P3", run_p3 }, { "P4", run_p4 }, { "P4.large", run_p4_large },
#ifdef PEER_MEMORY
    { "P5", run_p5 },
#endif
};

int main(int argc, char **argv)
{
    size_t i;

    argv += process_begin(argc, argv);
    PB_CHECK(argv[0] && argv[1] && argv[2] && !argv[3]);
    g_workload = argv[1];
    g_workers = atoi(argv[2]);
    process_start(g_workers);
    for (i = 0; i < sizeof(g_workloads) / sizeof(g_workloads[0]); i++)
        if (pb_is(g_workloads[i].name, g_workload)) {
            g_workloads[i].run();
            _exit(0);
        }
    return 2;
}

#endif /* PB_PROCESS_H */
