/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PB_POOL_WAIT_H
#define PB_POOL_WAIT_H

/*
 * pb_pool_wait.h: the workloads of pb_pool.h in which threads sleep: W1 to W3,
 * and nothing at all. A pool that wakes too little looks excellent in every T
 * row and fails here; one that wakes or spins too much shows it in W3 and idle.
 */

/* --- W1: 64 tasks that sleep ---------------------------------------------- */

PEER_TASK(task_sleep)
{
    pb_sleep_us((long)(intptr_t)baton);
    pb_latch_down(&g_latch);
    PEER_END;
}

/* Milliseconds for all; 8 workers need 80 at least. */
static void w1(void)
{
    const long n = 64;
    pb_span span = pb_begin();
    long i;

    pb_latch_init(&g_latch, n);
    for (i = 0; i < n; i++)
        pool_submit(task_sleep, (void *)(intptr_t)10000);
    wait_for_latch();
    span = pb_end(span);
    pb_out("W1", "", g_workers, (double)span.wall / 1e6, "ms", "");
    pb_out_cpu("W1", g_workers, span, (double)n, "task");
}

/* --- W2: behind a blocked worker ------------------------------------------ */

enum { MOST_ARRIVALS = 300 };

typedef struct arrival {
    uint64_t sent;
    uint32_t *waited; /* ns from the submit to the task's beginning */
} arrival;

static arrival g_arrivals[MOST_ARRIVALS];
static uint32_t g_waited[MOST_ARRIVALS];

PEER_TASK(task_arrive)
{
    arrival *self = (arrival *)baton;

    *self->waited = pb_u32(pb_ns() - self->sent);
    pb_latch_down(&g_latch);
    PEER_END;
}

static void send_arrival(long i)
{
    g_arrivals[i].waited = &g_waited[i];
    g_arrivals[i].sent = pb_ns();
    pool_submit(task_arrive, &g_arrivals[i]);
}

/* One worker sleeps; tasks come to the others, 1 ms apart. */
static void w2(void)
{
    const long n = pb_n(200);
    long i;

    pb_latch_init(&g_latch, n + 1);
    pool_submit(task_sleep, (void *)(intptr_t)(n * 1200));
    pb_sleep_us(2000);
    for (i = 0; i < n; i++) {
        send_arrival(i);
        pb_sleep_us(1000);
    }
    wait_for_latch();
    pb_out_latency("W2", g_workers, g_waited, n);
}

/* A task comes right behind one that sleeps 10 ms. */
static void w2_behind(void)
{
    const long n = 20 < pb_n(1000) ? 20 : pb_n(1000);
    long i;

    for (i = 0; i < n; i++) {
        pb_latch_init(&g_latch, 2);
        pool_submit(task_sleep, (void *)(intptr_t)10000);
        send_arrival(i);
        wait_for_latch();
        pb_sleep_us(5000);
    }
    pb_out_latency("W2.behind", g_workers, g_waited, n);
}

/* --- W3: each task finds all asleep --------------------------------------- */

static long g_hogs[2];

static void want_all(void)
{
    pb_work(1000);
}

static void start_hogs(void)
{
    size_t i;

    for (i = 0; i < sizeof(g_hogs) / sizeof(g_hogs[0]); i++) {
        g_hogs[i] = pb_process_start(want_all);
        PB_CHECK(g_hogs[i] > 0);
    }
}

static void end_hogs(void)
{
    size_t i;

    for (i = 0; i < sizeof(g_hogs) / sizeof(g_hogs[0]); i++)
        if (g_hogs[i] > 0)
            pb_process_end(g_hogs[i]);
}

static void arrive_cold(const char *row, const char *row_wait)
{
    const long n = pb_n(MOST_ARRIVALS);
    pb_span span;
    long i;

    pb_sleep_us(20000);
    pb_latch_init(&g_latch, n);
    span = pb_begin();
    for (i = 0; i < n; i++) {
        send_arrival(i);
        pb_sleep_us(2000);
    }
    wait_for_latch();
    span = pb_end(span);
    pb_out(row, "", g_workers, (double)span.cpu / (double)n, "cpu-ns/task", "");
    pb_out_latency(row_wait, g_workers, g_waited, n);
}

/* 2 ms apart; the CPU time of each, with what its submit took. */
static void w3(void)
{
    arrive_cold("W3", "W3.wait");
}

/* The same while two other processes want all the CPU they can get. */
static void w3_hogs(void)
{
    arrive_cold("W3.hogs", "W3.hogs.wait");
}

/* --- idle: nothing at all ------------------------------------------------- */

/* In the first second after work, and in the second one. */
static void idle(void)
{
    submit_and_count(pb_n(100000));
    pb_watch_idle("idle.first", g_workers);
    pb_watch_idle("idle", g_workers);
}

#endif /* PB_POOL_WAIT_H */
