/* SPDX-License-Identifier: Apache-2.0 */

/*
 * watch.c: naming what blocks a loop, and who waits too long.
 *
 * Whenever a loop turns to something else it bumps `beats`. While it is awake a
 * timer looks twice in each block_warning whether they still move. The timer is
 * not disarmed when the loop goes to sleep: it notices by itself that nothing
 * has moved and lapses, and the loop arms it anew when it finds it lapsed after
 * a nap. So a loop that naps often arms it seldom, and one that sleeps causes
 * no wake-up.
 *
 *     LAPSED --(1)--> ON --(2)--> LAPSED
 *
 *   (1) the loop, after a nap; or the timer, when it sees that it lapsed just
 *       as the loop woke up. One exchange decides.
 *   (2) the timer, when the loop sleeps and nothing has moved.
 *
 *   (K) (2) stores `on` = 0, fences, loads `awake`; a waking loop stores `awake`
 *       = 1, fences, loads `on`. One of the two sees the other.
 *
 * libevent runs handlers from within the very call that sleeps. That the loop
 * is in one of them the timer learns from libevent's cached time, which stands
 * still meanwhile. One gap is left: no timer looks any more at a handler that
 * blocks right after the loop has slept for long, and libevent has no hook
 * between the two.
 */

#include <stdio.h>

#include "loop/core.h"
#include "observe/log.h"
#include "observe/watchdog.h"

#define NAME 128

static void look(brood__timer_t *timer);
static int in_handler_for(brood_loop_manager_t *loop, int64_t *ns);
static int lapse(brood_loop_manager_t *loop);
static void arm(brood_loop_manager_t *loop);
static void name_it(brood_loop_manager_t *loop, int64_t ns, int handler);
static void name_wait(brood__coroutine_t *coroutine, int64_t ns);
static void describe(char *text, size_t len, const char *name,
                     brood_task_fn *fn);
static void lock_naming(brood__watch_t *watch);
static void unlock_naming(brood__watch_t *watch);

void brood__watch_start(brood_loop_manager_t *loop)
{
    brood__watch_t *watch = &loop->watch;

    brood__store(&watch->on, 0, relaxed);
    brood__store(&watch->off, loop->set.block_warning < 0, relaxed);
    brood__store(&watch->name, NULL, relaxed);
    brood__watch_awake(loop);
}

/* The callback may arm itself anew while the first disarm waits for it; once
 * that has ended, the next one sees `off`. */
void brood__watch_stop(brood_loop_manager_t *loop)
{
    brood__store(&loop->watch.off, 1, relaxed);
    brood__fence(seq_cst);
    if (loop->set.block_warning >= 0) {
        brood__timer_disarm(&loop->watch.timer);
        brood__timer_disarm(&loop->watch.timer);
    }
}

void brood__watch_asleep(brood_loop_manager_t *loop)
{
    /* Release: `fn` and `beats` belong to before. */
    brood__store(&loop->watch.awake, 0, release);
}

void brood__watch_awake(brood_loop_manager_t *loop)
{
    brood__watch_t *watch = &loop->watch;

    brood__watch_beat(loop, NULL);
    if (brood__load(&watch->off, relaxed))
        return;
    brood__store(&watch->awake, 1, relaxed);
    brood__fence(seq_cst); /* (K) */
    if (!brood__load(&watch->on, acquire)
        && !brood__swap(&watch->on, 1, acq_rel)) /* (1) */
        arm(loop);
}

void brood__watch_name(brood_loop_manager_t *loop, const char *name)
{
    lock_naming(&loop->watch);
    brood__store(&loop->watch.name, name, relaxed);
    unlock_naming(&loop->watch);
}

int64_t brood__watch_waits(brood_loop_manager_t *loop)
{
    int64_t warning = brood__watchdog_wait_warning();

    while (warning >= 0 && !brood__list_empty(&loop->untimed)) {
        brood__coroutine_t *coroutine = BROOD__CONTAINER(
            loop->untimed.next, brood__coroutine_t, link);

        if (coroutine->since + warning > loop->now)
            return coroutine->since + warning;
        brood__list_remove(&coroutine->link);
        brood__list_append(&loop->others, &coroutine->link);
        name_wait(coroutine, warning);
    }
    return -1;
}

static void name_wait(brood__coroutine_t *coroutine, int64_t ns)
{
    char name[NAME];

    describe(name, sizeof(name), coroutine->name, coroutine->fn);
    brood__log(BROOD_LOG_WARNING, "%s waits for longer than %.3f s", name,
               (double)ns / 1e9);
}

/* On the timers' thread. */
static void look(brood__timer_t *timer)
{
    brood__watch_t *watch = BROOD__CONTAINER(timer, brood__watch_t, timer);
    brood_loop_manager_t *loop = BROOD__CONTAINER(watch, brood_loop_manager_t,
                                                  watch);
    unsigned beats = brood__load(&watch->beats, relaxed);
    int awake = brood__load(&watch->awake, acquire);
    int64_t now = brood__os_now();
    int64_t stuck = 0;
    int handler = !awake && in_handler_for(loop, &stuck);

    if (beats != watch->seen) {
        watch->seen = beats;
        watch->since = now;
        watch->named = 0;
    } else if (!awake && !handler && lapse(loop)) {
        return; /* (2) */
    }
    if (!handler && awake)
        stuck = now - watch->since;
    if (stuck >= loop->set.block_warning && !watch->named) {
        watch->named = 1;
        name_it(loop, stuck, handler);
    }
    arm(loop);
}

/* Is it within a handler, called from the dispatch that sleeps, and for how
 * long? */
static int in_handler_for(brood_loop_manager_t *loop, int64_t *ns)
{
    struct timeval cached, now;

    if (event_base_gettimeofday_cached(loop->evbase, &cached) != 0
        || evutil_gettimeofday(&now, NULL) != 0)
        return 0;
    *ns = (now.tv_sec - cached.tv_sec) * (int64_t)1000000000
          + (now.tv_usec - cached.tv_usec) * (int64_t)1000;
    return *ns > 1000000;
}

/* True: it is the loop's turn to arm the timer again. */
static int lapse(brood_loop_manager_t *loop)
{
    brood__watch_t *watch = &loop->watch;

    brood__store(&watch->on, 0, release);
    brood__fence(seq_cst); /* (K) */
    return !brood__load(&watch->awake, relaxed)
           || brood__swap(&watch->on, 1, acq_rel);
}

/* Without memory or a thread for it there is no watchdog until the next nap. */
static void arm(brood_loop_manager_t *loop)
{
    brood__watch_t *watch = &loop->watch;
    int64_t period = loop->set.block_warning / 2 + 1;

    if (brood__load(&watch->off, relaxed)
        || brood__timer_arm(&watch->timer, brood__os_now() + period, look)
               != APR_SUCCESS)
        brood__store(&watch->on, 0, release);
}

static void name_it(brood_loop_manager_t *loop, int64_t ns, int handler)
{
    brood__watch_t *watch = &loop->watch;
    char line[256], name[NAME];

    /* The name cannot go while we hold this. */
    lock_naming(watch);
    describe(name, sizeof(name),
             handler ? NULL : brood__load(&watch->name, relaxed),
             handler ? NULL : brood__load(&watch->fn, relaxed));
    unlock_naming(watch);
    brood_loop_manager_describe(loop, line, sizeof(line));
    brood__log(BROOD_LOG_WARNING, "%s has been blocked for %.3f s by %s", line,
               (double)ns / 1e9, name);
}

static void describe(char *text, size_t len, const char *name,
                     brood_task_fn *fn)
{
    if (name)
        snprintf(text, len, "task %s", name);
    else if (fn)
        snprintf(text, len, "a task without a name, function %p",
                 (void *)((uintptr_t)fn & ~BROOD__POST_BIT));
    else
        snprintf(text, len, "an event handler");
}

static void lock_naming(brood__watch_t *watch)
{
    while (brood__swap(&watch->naming, 1, acquire))
        brood__os_yield();
}

static void unlock_naming(brood__watch_t *watch)
{
    brood__store(&watch->naming, 0, release);
}
