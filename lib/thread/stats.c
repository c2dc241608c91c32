/* SPDX-License-Identifier: Apache-2.0 */

/* stats.c: an executor's counters, summed up when asked for. */

#include "thread/worker.h"

typedef struct sum_t {
    unsigned long long ran, failed, unrun, elsewhere, steals, spawned, running;
} sum_t;

static void add_workers(brood__executor_t *executor, sum_t *sum)
{
    unsigned n = brood__load(&executor->n_workers, acquire), i;

    for (i = 0; i < n; i++) {
        brood__worker_t *worker = executor->workers[i];

        sum->ran += brood__load(&worker->ran, relaxed);
        sum->failed += brood__load(&worker->failed, relaxed);
        sum->unrun += brood__load(&worker->unrun, relaxed);
        sum->elsewhere += brood__load(&worker->elsewhere, relaxed);
        sum->steals += brood__load(&worker->steals, relaxed);
        sum->spawned += brood__load(&worker->spawned, relaxed);
        sum->running += brood__load(&worker->running, relaxed) != 0;
    }
}

static void read_crew(brood__executor_t *executor, brood_stats_t *stats)
{
    int asleep;

    brood__lock(&executor->lock);
    asleep = brood__load(&executor->n_asleep, relaxed);
    stats->workers = (uint64_t)executor->n_threads;
    stats->idle = asleep > 0 ? (uint64_t)asleep : 0;
    stats->idle += executor->sentinel != NULL;
    stats->blocked = (uint64_t)executor->n_blocked;
    stats->started = executor->n_started;
    stats->wakes = executor->n_wakes;
    stats->submitted = executor->n_errands_put;
    brood__unlock(&executor->lock);
}

/* What is queued follows from what was put and what has ended, so that nothing
 * is counted twice on the way; while tasks move it may lag. */
void brood__executor_stats(brood__executor_t *executor, brood_stats_t *stats)
{
    sum_t sum = { 0, 0, 0, 0, 0, 0, 0 };
    unsigned long long outside = brood__load(&executor->unrun, relaxed);
    unsigned long long failed = brood__load(&executor->failed_outside, relaxed);
    unsigned long long ran = brood__load(&executor->ran_outside, relaxed);
    unsigned long long ended;
    int64_t oldest;

    add_workers(executor, &sum);
    (void)brood__inbox_queued(&executor->inbox, &oldest);
    read_crew(executor, stats);
    stats->submitted += brood__inbox_put(&executor->inbox) + sum.spawned
                        + brood__load(&executor->here, relaxed);

    /* A tombstone that a worker met is in `ran` and in `unrun`. */
    sum.ran -= sum.elsewhere; /* in `ran` of whoever ran it in place */
    ended = sum.ran + outside + ran + failed;
    stats->completed = sum.ran - sum.failed - sum.unrun + ran;
    stats->failed = sum.failed + failed;
    stats->canceled = sum.unrun + outside;
    stats->rejected = brood__load(&executor->rejected, relaxed);
    stats->running = sum.running;
    stats->queued = stats->submitted > ended + sum.running
                        ? stats->submitted - ended - sum.running
                        : 0;
    stats->steals = sum.steals;
    stats->oldest_age = oldest && stats->queued
                            ? (uint64_t)(brood__os_now() - oldest) / 1000
                            : 0;
    brood__histogram_read(&executor->wait_time, stats->wait_time,
                          &stats->wait_time_sum);
    brood__histogram_read(&executor->run_time, stats->run_time,
                          &stats->run_time_sum);
}
