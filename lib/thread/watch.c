/* SPDX-License-Identifier: Apache-2.0 */

/*
 * watch.c: the watchdog of an executor: it names a task that runs too long,
 * once, while it still runs.
 *
 * Reading the clock for each task would cost more than many tasks. So a timer,
 * armed only while somebody works, looks twice in a warning's time at each
 * worker's count of tasks: one that has not moved since it was first seen is in
 * the same task.
 *
 * The name of a task is good only as long as its future. While an executor is
 * watched, a worker keeps the name of a named task under its own lock and takes
 * it back before the future settles.
 */

#include <stdio.h>

#include "observe/log.h"
#include "observe/watchdog.h"
#include "thread/worker.h"

#define LINE_MAX_ 160

static void tick(brood__timer_t *timer);
static int look_at(brood__worker_t *worker, int64_t now, int64_t warning,
                   char *line) BROOD__NO_ANALYSIS;

int64_t brood__executor_warning(brood__executor_t *executor)
{
    return executor->options.task_warning ? executor->options.task_warning
                                          : brood__watchdog_task_warning();
}

void brood__executor_watch(brood__executor_t *executor)
{
    int64_t warning = brood__executor_warning(executor);

    if (executor->watch_armed || warning <= 0)
        return;
    /* Refused: the next worker that wakes up tries again. */
    executor->watch_armed = brood__timer_arm(&executor->watch,
                                             brood__os_now() + warning / 2 + 1,
                                             tick)
                            == APR_SUCCESS;
}

void brood__executor_unwatch(brood__executor_t *executor)
{
    brood__timer_disarm(&executor->watch);
    executor->watch_armed = 0;
}

static void tick(brood__timer_t *timer)
{
    brood__executor_t *executor = BROOD__CONTAINER(timer, brood__executor_t,
                                                   watch);
    unsigned n = brood__load(&executor->n_workers, acquire), i;
    int64_t now = brood__os_now(), warning;
    char line[LINE_MAX_];

    for (i = 0; i < n; i++) {
        int say;

        brood__lock(&executor->lock);
        warning = brood__executor_warning(executor);
        say = warning > 0 && look_at(executor->workers[i], now, warning, line);
        brood__unlock(&executor->lock);
        if (say)
            brood__log(BROOD_LOG_WARNING, "%s", line);
    }
    brood__lock(&executor->lock);
    executor->watch_armed = 0;
    if (executor->n_active > 0)
        brood__executor_watch(executor);
    brood__unlock(&executor->lock);
}

static int look_at(brood__worker_t *worker, int64_t now, int64_t warning,
                   char *line)
{
    unsigned long long ran = brood__load(&worker->ran, relaxed);
    brood__executor_t *executor = worker->executor;

    if (worker->state != BROOD__WORKER_ACTIVE
        || !brood__load(&worker->running, relaxed) || worker->lent
        || worker->watched_ran != ran + 1) {
        worker->watched_ran = ran + 1; /* never 0, which means not seen */
        worker->watched_since = now;
        worker->reported = 0;
        return 0;
    }
    if (worker->reported || now - worker->watched_since < warning / 2)
        return 0;
    worker->reported = 1;
    brood__lock(&worker->name_lock);
    snprintf(line, LINE_MAX_, "task %s%s%s of '%s' runs for longer than %.3f s",
             worker->name ? "'" : "",
             worker->name ? worker->name : "without a name",
             worker->name ? "'" : "",
             executor->options.prefix ? executor->options.prefix : "brood",
             (double)warning / 1e9);
    brood__unlock(&worker->name_lock);
    return 1;
}
