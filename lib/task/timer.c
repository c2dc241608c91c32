/* SPDX-License-Identifier: Apache-2.0 */

/* timer.c: one thread, one set of deadlines. */

#include "task/timer.h"

#include "base/atomic.h"
#include "os/lock.h"
#include "lineage/self.h"
#include "os/thread.h"

static struct {
    atomic_int runs;     /* there is a thread */
    brood__lock_t lock;  /* guards all below */
    brood__cond_t wake;  /* the thread's: the nearest deadline changed */
    brood__cond_t ended; /* a callback has returned */
    brood__alarms_t alarms;
    int64_t sleeps_until;    /* the thread does; -1: without a limit */
    brood__timer_t *running; /* its callback is under way */
    unsigned n_waiting;      /* in disarm() for `ended` */
    brood__thread_t *thread;
    int stopping;
} g_timers = { .lock = BROOD__LOCK_INIT(BROOD__RANK_TIMERS),
               .wake = BROOD__COND_INIT,
               .ended = BROOD__COND_INIT };

static BROOD__THREAD_LOCAL int tl_is_timers;

static apr_status_t make_thread(void) BROOD__REQUIRES(g_timers.lock);
static void run(void *unused);
static void serve(brood__timer_t *timer) BROOD__REQUIRES(g_timers.lock);

apr_status_t brood__timers_ready(void)
{
    apr_status_t rv;

    /* Relaxed: a hint; what it stands for is looked at under the lock. */
    if (brood__load(&g_timers.runs, relaxed))
        return APR_SUCCESS;
    brood__lock(&g_timers.lock);
    rv = make_thread();
    brood__unlock(&g_timers.lock);
    return rv;
}

apr_status_t brood__timer_arm(brood__timer_t *timer, int64_t deadline,
                              void (*fn)(brood__timer_t *timer))
{
    apr_status_t rv;

    brood__lock(&g_timers.lock);
    rv = make_thread();
    if (rv == APR_SUCCESS) {
        timer->fn = fn;
        brood__alarms_add(&g_timers.alarms, &timer->alarm, deadline);
        if (g_timers.sleeps_until < 0 || deadline < g_timers.sleeps_until) {
            g_timers.sleeps_until = deadline; /* one wake-up is enough */
            brood__cond_wake_one(&g_timers.wake);
        }
    }
    brood__unlock(&g_timers.lock);
    return rv;
}

int brood__timer_disarm(brood__timer_t *timer)
{
    int was_armed = 0;

    brood__lock(&g_timers.lock);
    for (;;) {
        if (brood__alarm_is_set(&timer->alarm)) {
            brood__alarms_remove(&g_timers.alarms, &timer->alarm);
            was_armed = 1;
        }
        if (g_timers.running != timer || tl_is_timers)
            break;
        /* The callback may arm it again: look once more afterwards. */
        g_timers.n_waiting++;
        brood__cond_wait(&g_timers.ended, &g_timers.lock, -1);
        g_timers.n_waiting--;
    }
    brood__unlock(&g_timers.lock);
    return was_armed;
}

void brood__timers_stop(void)
{
    brood__thread_t *thread;

    brood__lock(&g_timers.lock);
    thread = g_timers.thread;
    g_timers.thread = NULL;
    brood__store(&g_timers.runs, 0, relaxed);
    g_timers.stopping = 1;
    brood__cond_wake_one(&g_timers.wake);
    brood__unlock(&g_timers.lock);
    if (thread)
        brood__thread_join(thread);
    g_timers.stopping = 0;
}

int brood__timers_is_self(void)
{
    return tl_is_timers;
}

static apr_status_t make_thread(void)
{
    apr_status_t rv;

    if (g_timers.thread)
        return APR_SUCCESS;
    g_timers.sleeps_until = 0; /* it looks before it sleeps */
    rv = brood__thread_start(&g_timers.thread, run, NULL, "brood-timers", 0);
    if (rv == APR_SUCCESS)
        brood__store(&g_timers.runs, 1, relaxed);
    return rv;
}

static void run(void *unused)
{
    (void)unused;
    tl_is_timers = 1;
    brood__self_library(NULL);
    brood__lock(&g_timers.lock);
    while (!g_timers.stopping) {
        int64_t now = brood__os_now();
        brood__alarm_t *due = brood__alarms_due(&g_timers.alarms, now);
        int64_t next;

        if (due) {
            serve(BROOD__CONTAINER(due, brood__timer_t, alarm));
            continue;
        }
        next = brood__alarms_next(&g_timers.alarms);
        g_timers.sleeps_until = next;
        brood__cond_wait(&g_timers.wake, &g_timers.lock,
                         next < 0 ? -1 : next - now);
        g_timers.sleeps_until = 0;
    }
    brood__unlock(&g_timers.lock);
    brood__self_exit();
}

/* Its memory may go as soon as the callback has begun to make that known, so it
 * is only compared with afterwards. */
static void serve(brood__timer_t *timer)
{
    void (*fn)(brood__timer_t *) = timer->fn;

    g_timers.running = timer;
    brood__unlock(&g_timers.lock);
    fn(timer);
    brood__lock(&g_timers.lock);
    g_timers.running = NULL;
    if (g_timers.n_waiting)
        brood__cond_wake_all(&g_timers.ended);
}
