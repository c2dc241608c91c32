/* SPDX-License-Identifier: Apache-2.0 */

/*
 * sentinel.c: the one thread that watches, on a timer, while others work.
 *
 * Waking by CPU count alone gives excellent throughput and lets 64 sleeps of
 * 10 ms on 8 workers take 650 ms instead of 82. So the woken second thread
 * first watches: a tick of 50 us, doubling to 1 ms while there is progress. A
 * worker without progress whose CPU clock stood still is blocked and does not
 * count as awake; one that burns CPU keeps its place for 5 ms. When work is
 * queued and hands are missing it joins, and whoever then takes work sees to it
 * that somebody is on duty again. When nobody works it goes to sleep: an idle
 * executor wakes up for nothing.
 *
 * When all who work wait, and none of their tasks has ended in a tick, what is
 * queued may wait too: then the sentinel that joins rouses others, up to eight
 * that sleep. Eight workers are there after one tick, not seven; and waits that
 * begin together end together, so that a CPU leaves its sleep once for all of
 * them. Where the others have found nothing to do, fewer are roused next time.
 */

#include <string.h>

#include "task/spin.h"
#include "thread/worker.h"

#define TICK_FIRST ((int64_t)50000)
#define TICK_LAST  ((int64_t)1000000)
#define BURN_LIMIT ((int64_t)5000000) /* then it counts as stuck all the same */
#define TASK_SMALL ((int64_t)500)     /* ns; below it one worker is enough */

typedef struct tick_t {
    int64_t length;
    unsigned long long progress; /* tasks ended, in all */
    unsigned long long put;      /* tasks submitted from outside, in all */
} tick_t;

/* Workers that have joined and are to be unparked. */
typedef struct roused_t {
    unsigned n;
    brood__worker_t *worker[BROOD__AT_ONCE];
} roused_t;

static void look_first(brood__executor_t *executor)
    BROOD__REQUIRES(executor->lock);
static void look_who_is_stuck(brood__executor_t *executor)
    BROOD__REQUIRES(executor->lock);
static int look(brood__worker_t *worker, tick_t *tick, roused_t *roused);
static int decide(brood__worker_t *worker, const tick_t *tick,
                  unsigned long long done, int producing) BROOD__NO_ANALYSIS;
static void rouse_others(brood__executor_t *executor, roused_t *roused)
    BROOD__REQUIRES(executor->lock);
static int64_t cpu_time(brood__worker_t *worker);
static unsigned long long progress(brood__executor_t *executor);

/* Under the lock: from now on it may be told again. */
static void was_told(brood__worker_t *worker)
{
    if (brood__load(&worker->gate, relaxed) == BROOD__GATE_LOOK)
        brood__store(&worker->gate, BROOD__GATE_OPEN, relaxed);
}

int brood__worker_watch(brood__worker_t *worker)
{
    brood__executor_t *executor = worker->executor;
    tick_t tick = { .length = TICK_FIRST };
    roused_t roused = { .n = 0 };
    int verdict = 2, alone;

    if (worker->state == BROOD__WORKER_ACTIVE)
        return 1; /* it has joined already, by its waker's hand */
    brood__lock(&executor->lock);
    was_told(worker);
    alone = executor->n_active == 0;
    if (brood__load(&executor->awake, relaxed) > 0)
        look_first(executor);
    else /* nobody works: no need to wait before deciding */
        verdict = decide(worker, &tick, 0, 0);
    brood__unlock(&executor->lock);
    if (verdict == 2) {
        alone = 0;
        tick.progress = progress(executor);
        tick.put = brood__inbox_put(&executor->inbox);
    }
    while (verdict == 2) {
        brood__os_park(&worker->gate, BROOD__GATE_OPEN, tick.length);
        verdict = look(worker, &tick, &roused);
    }
    for (unsigned i = 0; i < roused.n; i++)
        brood__os_unpark_one(&roused.worker[i]->gate);
    if (verdict == 1)
        brood__worker_seek(worker, alone);
    return verdict;
}

/* A tick is over. */
static int look(brood__worker_t *worker, tick_t *tick, roused_t *roused)
{
    brood__executor_t *executor = worker->executor;
    unsigned long long ran = progress(executor);
    unsigned long long put = brood__inbox_put(&executor->inbox);
    int verdict;

    brood__lock(&executor->lock);
    was_told(worker);
    look_who_is_stuck(executor);
    verdict = decide(worker, tick, ran - tick->progress, put != tick->put);
    if (verdict == 1 && ran == tick->progress
        && brood__load(&executor->awake, relaxed) == 1) /* it is alone */
        rouse_others(executor, roused);
    brood__unlock(&executor->lock);
    if (ran != tick->progress && tick->length < TICK_LAST)
        tick->length *= 2;
    tick->progress = ran;
    tick->put = put;
    return verdict;
}

/* 1: work, 0: sleep, -1: leave, 2: go on watching. */
static int decide(brood__worker_t *worker, const tick_t *tick,
                  unsigned long long done, int producing)
{
    brood__executor_t *executor = worker->executor;
    int awake = brood__load(&executor->awake, relaxed);
    int running = executor->n_active - executor->n_blocked;
    int some = brood__executor_some(executor);
    int large = (int64_t)done * TASK_SMALL < tick->length;
    int verdict = 2;

    if (brood__load(&worker->gate, relaxed) == BROOD__GATE_LEAVE)
        verdict = -1;
    else if (some && running < executor->options.max_workers
             && (awake <= 0 || (awake < brood__cpus && (large || !producing))))
        verdict = 1;
    else if (awake <= 0 || executor->state == BROOD__ENDING)
        verdict = 0;
    if (verdict == 2)
        return 2;

    brood__worker_relieve(worker);
    if (verdict == 1) {
        brood__worker_join(worker);
        brood__executor_set_need(executor);
    }
    return verdict;
}

void brood__worker_join(brood__worker_t *worker)
{
    brood__executor_t *executor = worker->executor;

    worker->state = BROOD__WORKER_ACTIVE;
    executor->n_active++;
    brood__executor_count_awake(executor, 1);
    brood__executor_watch(executor);
}

/* One for each task that is left, if it is true that all wait. A worker that has
 * said so, or waits for a future, has called for one in its place itself. */
static void rouse_others(brood__executor_t *executor, roused_t *roused)
{
    unsigned n = brood__load(&executor->n_workers, relaxed), i;
    int64_t oldest;
    unsigned long long queued = brood__inbox_queued(&executor->inbox, &oldest);
    int waits = 0, burns = 0;

    queued += (unsigned)brood__load(&executor->n_errands, relaxed);
    for (i = 0; i < n; i++) {
        brood__worker_t *worker = executor->workers[i];
        long long size = brood__deque_size(&worker->deque);
        int stuck = brood__load(&worker->stuck, relaxed);

        queued += size > 0 ? (unsigned long long)size : 0;
        waits |= stuck == BROOD__WAITS;
        burns |= stuck == BROOD__BURNS;
    }
    if (!waits || burns)
        return;
    /* The first is for who has just joined. */
    while (roused->n < executor->at_once && roused->n + 1 < queued) {
        brood__worker_t *worker = brood__executor_rouse(executor);

        if (!worker)
            break;
        roused->worker[roused->n++] = worker;
    }
}

/* Negative: unknown, or the thread has only just begun. */
static int64_t cpu_time(brood__worker_t *worker)
{
    return brood__load(&worker->clocked, acquire) /* (K) */
               ? brood__os_cpu_clock_read(&worker->clock)
               : -1;
}

static void look_first(brood__executor_t *executor)
{
    unsigned n = brood__load(&executor->n_workers, relaxed), i;

    for (i = 0; i < n; i++) {
        brood__worker_t *worker = executor->workers[i];

        worker->seen_ran = brood__load(&worker->ran, relaxed);
        worker->still_since = 0;
        if (worker->state == BROOD__WORKER_ACTIVE) {
            worker->seen_cpu = cpu_time(worker);
            worker->seen_at = brood__os_now();
        }
    }
}

/* Its CPU clock tells a worker that waits in the kernel from one that works on
 * a long task. Where there is no such clock it counts as burning. */
static void look_at(brood__executor_t *executor, brood__worker_t *worker)
{
    int64_t now = brood__os_now();
    int64_t cpu = cpu_time(worker);
    int burns = cpu < 0 || worker->seen_cpu < 0
                || cpu - worker->seen_cpu > (now - worker->seen_at) / 2;

    if (!worker->still_since)
        worker->still_since = now;
    if (!burns || now - worker->still_since > BURN_LIMIT) {
        brood__store(&worker->stuck, burns ? BROOD__BURNS : BROOD__WAITS,
                     relaxed);
        brood__executor_count_awake(executor, -1);
    }
    worker->seen_cpu = cpu;
    worker->seen_at = now;
}

static void look_who_is_stuck(brood__executor_t *executor)
{
    unsigned n = brood__load(&executor->n_workers, relaxed), i;

    for (i = 0; i < n; i++) {
        brood__worker_t *worker = executor->workers[i];
        unsigned long long ran = brood__load(&worker->ran, relaxed);

        if (worker->state == BROOD__WORKER_ACTIVE && !worker->blocks
            && !brood__load(&worker->stuck, relaxed) && worker->seen_ran == ran)
            look_at(executor, worker);
        else
            worker->still_since = 0;
        worker->seen_ran = ran;
    }
}

static unsigned long long progress(brood__executor_t *executor)
{
    unsigned n = brood__load(&executor->n_workers, acquire), i;
    unsigned long long ran = 0;

    for (i = 0; i < n; i++)
        ran += brood__load(&executor->workers[i]->ran, relaxed);
    return ran;
}
