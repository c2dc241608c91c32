/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PB_POOL_TASKS_H
#define PB_POOL_TASKS_H

/*
 * pb_pool_tasks.h: the workloads of pb_pool.h that keep all threads busy.
 */

/* --- T1: empty tasks from one thread -------------------------------------- */

static inline void wait_for_latch(void)
{
#ifdef PEER_TEAM
    pool_wait();
#endif
    pb_latch_wait(&g_latch);
}

/* All done is known from a counter. */
static pb_span submit_and_count(long n)
{
    pb_span begin = pb_begin();
    long i;

    pb_latch_init(&g_latch, n);
    for (i = 0; i < n; i++)
        pool_submit(task_count, NULL);
    wait_for_latch();
    return pb_end(begin);
}

/* All done is known from the peer's own wait, where it has one. */
static pb_span submit_and_wait(long n)
{
#ifdef PEER_WAIT
    pb_span begin = pb_begin();
    long i;

    for (i = 0; i < n; i++)
        pool_submit_waited(task_empty, NULL);
    pool_wait();
    return pb_end(begin);
#else
    return submit_and_count(n);
#endif
}

/* The empty tasks of T1 tell nobody that they ran, so look here whether the
 * peer's own wait waits for all. */
static void check_wait(PB_UNUSED long n)
{
#ifdef PEER_WAIT
    long i;

    pb_latch_init(&g_latch, n);
    for (i = 0; i < n; i++)
        pool_submit_waited(task_count, NULL);
    pool_wait();
    PB_CHECK(__atomic_load_n(&g_latch.left, __ATOMIC_ACQUIRE) == 0);
#endif
}

static void warm_up(void)
{
    submit_and_count(2000);
    check_wait(2000);
}

static void t1(void)
{
    const long n = pb_n(1000000);
    pb_span span = submit_and_wait(n);

    pb_out_span("T1", g_workers, span, (double)n, "task");
#ifdef PEER_WAIT
    span = submit_and_count(n);
#endif
    pb_out_span("T1c", g_workers, span, (double)n, "task");
}

/* --- T1f: with a future each ---------------------------------------------- */

static pb_future *queue_futures(long n)
{
    pb_future *futures = (pb_future *)malloc((size_t)n * sizeof(*futures));
    long i;

    for (i = 0; i < n; i++)
        PB_PUT(pb_future, &futures[i], pool_future(&futures[i]));
    return futures;
}

static void get_futures(pb_future *futures, long n)
{
    long i;

    for (i = 0; i < n; i++)
        PB_CHECK(pool_get(futures[i]) == &futures[i]);
    free(futures);
}

static pb_span submit_and_get(long n)
{
    pb_span begin = pb_begin();

    get_futures(queue_futures(n), n);
    return pb_end(begin);
}

static void t1f(void)
{
    const long n = pb_n(1000000);

    pb_out_span("T1f", g_workers, submit_and_get(n), (double)n, "task");
    pb_out_span("T1f.warm", g_workers, submit_and_get(n), (double)n, "task");
}

/* --- T2: there and back --------------------------------------------------- */

/* The result comes through an event. */
static void round_by_event(void)
{
    pb_event event;

    pb_event_reset(&event);
    pool_submit(task_set, &event);
    pb_event_wait(&event);
}

/* The result comes through the peer's own future, where it has one. */
static void round_by_future(void)
{
#ifdef PEER_FUTURE
    int baton;
    pb_future future = pool_future(&baton);

    PB_CHECK(pool_get(future) == &baton);
#else
    round_by_event();
#endif
}

static void t2(void)
{
    pb_go_rounds("T2", g_workers, round_by_future);
    pb_go_rounds("T2e", g_workers, round_by_event);
}

static void t2_one_cpu(void)
{
    pb_go_rounds("T2.1cpu", g_workers, round_by_future);
}

static void *submit_once_and_idle(void *barrier)
{
    round_by_event();
    pthread_barrier_wait((pthread_barrier_t *)barrier);
    pb_sleep_long();
    return NULL;
}

/* Beside 30 threads that have submitted something once. */
static void t2_idle_producers(void)
{
    enum { PRODUCERS = 30 };
    pthread_barrier_t barrier;
    pthread_t thread;
    int i;

    pthread_barrier_init(&barrier, NULL, PRODUCERS + 1);
    for (i = 0; i < PRODUCERS; i++)
        PB_CHECK(
            !pthread_create(&thread, NULL, submit_once_and_idle, &barrier));
    pthread_barrier_wait(&barrier);
    pb_go_rounds("T2.idle30", g_workers, round_by_future);
}

/* --- T3: four producers --------------------------------------------------- */

enum { PRODUCERS = 4 };

typedef struct producer {
    pthread_t thread;
    pthread_barrier_t *barrier;
    uint64_t begin;
    long n;
} producer;

static void *produce(void *baton)
{
    producer *self = (producer *)baton;
    long i;

    pthread_barrier_wait(self->barrier);
    self->begin = pb_ns();
    for (i = 0; i < self->n; i++)
        pool_submit(task_count, NULL);
    return NULL;
}

/* The clock starts with the earliest producer. The thread that waits for all
 * may be the last to leave the barrier, so its own clock would start late. */
static void t3(void)
{
    const long n = pb_n(1000000) / PRODUCERS * PRODUCERS;
    producer all[PRODUCERS];
    pthread_barrier_t barrier;
    uint64_t earliest = UINT64_MAX;
    pb_span span;
    int i;

    pb_latch_init(&g_latch, n);
    pthread_barrier_init(&barrier, NULL, PRODUCERS);
    span = pb_begin();
    for (i = 0; i < PRODUCERS; i++) {
        all[i].barrier = &barrier;
        all[i].n = n / PRODUCERS;
        PB_CHECK(!pthread_create(&all[i].thread, NULL, produce, &all[i]));
    }
    pb_latch_wait(&g_latch);
    span.cpu = pb_cpu_ns() - span.cpu;
    span.wall = pb_ns();
    for (i = 0; i < PRODUCERS; i++) {
        pthread_join(all[i].thread, NULL);
        if (all[i].begin < earliest)
            earliest = all[i].begin;
    }
    span.wall -= earliest;
    pb_out_span("T3", g_workers, span, (double)n, "task");
}

/* --- T4: a tree, each task submits two ------------------------------------ */

PEER_TASK(task_tree)
{
    const intptr_t depth = (intptr_t)baton;

    if (depth > 0) {
        pool_submit(task_tree, (void *)(depth - 1));
        pool_submit(task_tree, (void *)(depth - 1));
    } else {
        pb_latch_down(&g_latch);
    }
    PEER_END;
}

static pb_span run_tree(int depth)
{
    pb_span begin = pb_begin();

    pb_latch_init(&g_latch, 1L << depth);
    pool_submit(task_tree, (void *)(intptr_t)depth);
    wait_for_latch();
    return pb_end(begin);
}

static pb_span better(pb_span a, pb_span b)
{
    return a.wall < b.wall ? a : b;
}

static void t4(void)
{
    const long leaves = pb_n(1L << 18);
    uint64_t spent;
    pb_span best;
    int depth = 0, again;

    while (2L << depth <= leaves)
        depth++;
    best = run_tree(depth);
    spent = best.wall;
    for (again = 0; again < 2 && spent < 500000000u; again++) {
        pb_span span = run_tree(depth);

        spent += span.wall;
        best = better(best, span);
    }
    pb_out_span("T4", g_workers, best, (double)((2L << depth) - 1), "task");
}

/* --- T5: tasks that work -------------------------------------------------- */

static unsigned g_steps;
static uint64_t g_product;

PEER_TASK(task_work)
{
    PB_CHECK(pb_work(g_steps) == g_product);
    pb_latch_down(&g_latch);
    PEER_END;
}

static pb_span work_alone(long n)
{
    pb_span begin = pb_begin();
    long i;

    for (i = 0; i < n; i++)
        PB_CHECK(pb_work(g_steps) == g_product);
    return pb_end(begin);
}

static pb_span work_together(long n)
{
    pb_span begin = pb_begin();
    long i;

    pb_latch_init(&g_latch, n);
    for (i = 0; i < n; i++)
        pool_submit(task_work, NULL);
    wait_for_latch();
    return pb_end(begin);
}

/* The share of the CPUs' time that was work. */
static void t5(const char *row, unsigned us, long n)
{
    const long cpus = pb_cpus();
    const double used = (double)(cpus < g_workers ? cpus : g_workers);
    pb_span alone, together;

    g_steps = pb_steps_per_us() * us;
    g_product = pb_work(g_steps);
    alone = work_alone(n);
    alone = better(alone, work_alone(n));
    together = work_together(n);
    together = better(together, work_together(n));
    pb_out(row, "", g_workers,
           100.0 * (double)alone.wall / ((double)together.wall * used), "%",
           "");
    pb_out_cpu(row, g_workers, together, (double)n, "task");
}

static void t5_1us(void)
{
    t5("T5.1us", 1, pb_n(100000));
}

static void t5_10us(void)
{
    t5("T5.10us", 10, pb_n(10000));
}

/* --- T6: memory of queued tasks ------------------------------------------- */

static void block_workers(pb_event *gates)
{
    int i;

    for (i = 0; i < g_workers; i++) {
        pb_event_reset(&gates[i]);
        pool_submit(task_block, &gates[i]);
    }
    pb_sleep_us(50000);
}

static void unblock_workers(pb_event *gates)
{
    int i;

    for (i = 0; i < g_workers; i++)
        pb_event_set(&gates[i]);
}

static void t6(void)
{
    const long n = pb_n(1000000);
    pb_event gates[64];
    int64_t before;
    long i;

    block_workers(gates);
    pb_latch_init(&g_latch, n);
    before = pb_resident();
    for (i = 0; i < n; i++)
        pool_submit(task_count, NULL);
    pb_out("T6", "", g_workers, (double)(pb_resident() - before) / (double)n,
           "B/task", "");
    unblock_workers(gates);
    wait_for_latch();
}

static void t6f(void)
{
    const long n = pb_n(1000000);
    pb_event gates[64];
    pb_future *futures;
    int64_t before;

    block_workers(gates);
    before = pb_resident();
    futures = queue_futures(n);
    pb_out("T6f", "", g_workers, (double)(pb_resident() - before) / (double)n,
           "B/task", "");
    unblock_workers(gates);
    get_futures(futures, n);
}

#endif /* PB_POOL_TASKS_H */
