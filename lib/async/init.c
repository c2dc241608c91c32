/* SPDX-License-Identifier: Apache-2.0 */

/* init.c: the first and the last call of a program. */

#include <brood/init.h>

#include <apr_general.h>

#include <brood/errors.h>

#include "lineage/collector.h"
#include "lineage/life.h"
#include "observe/log.h"
#include "os/lock.h"
#include "os/thread.h"
#include "task/magazine.h"
#include "task/spin.h"
#include "task/timer.h"
#include "thread/inbox.h"

#define TIMEOUT_USEC ((apr_interval_time_t)30 * 1000000)

static brood__lock_t g_lock = BROOD__LOCK_INIT(BROOD__RANK_INIT);
static brood__cond_t g_ended = BROOD__COND_INIT; /* (3) of life.h */
static unsigned g_count;                         /* all under g_lock */
static int g_unfinished; /* ended from within; nobody has joined yet */
static int g_at_fork;    /* handlers are there; once per process */

static atomic_llong g_timeout = TIMEOUT_USEC;

static int is_inside(void);
static apr_status_t start(void);
static int is_last(void);
static void cancel_all(void);
static void stop_all(void);
static apr_status_t wait_for_all(int64_t deadline);
static void free_all(void);
static void lock_for_fork(void);
static void unlock_after_fork(void);

apr_status_t brood_initialize(void)
{
    apr_status_t rv = APR_SUCCESS;

    if (brood__life_forked())
        return BROOD_EFORKED;
    brood__lock(&g_lock);
    while (brood__load(&brood__life, relaxed) == BROOD__LIFE_ENDING
           && rv == APR_SUCCESS) {
        if (g_unfinished || is_inside())
            rv = BROOD_ESTOPPED;
        else
            (void)brood__cond_wait(&g_ended, &g_lock, -1);
    }
    if (rv == APR_SUCCESS && g_count == 0)
        rv = start();
    if (rv == APR_SUCCESS)
        g_count++;
    brood__unlock(&g_lock);
    return rv;
}

void brood_terminate(void)
{
    if (brood__life_forked() || !is_last())
        return;
    if (is_inside()) {
        cancel_all();
        return;
    }
    /* A transaction that this thread left open is rolled back while there is
     * somebody to do it. */
    brood__self_run_at_end();
    stop_all();
    free_all();

    brood__lock(&g_lock);
    brood__store(&brood__life, BROOD__LIFE_NONE, relaxed);
    g_unfinished = 0;
    brood__cond_wake_all(&g_ended);
    brood__unlock(&g_lock);
}

void brood_terminate_timeout_set(apr_interval_time_t timeout)
{
    brood__store(&g_timeout, timeout, relaxed);
}

/* On a thread of ours, or in a task: something that will not end before we
 * return. */
static int is_inside(void)
{
    return brood__self.library || brood__self.place
           || (brood__self.now.flags & BROOD__FRAME_IN_TASK);
}

/* Under g_lock. */
static apr_status_t start(void)
{
    apr_status_t rv = apr_initialize();

    if (rv != APR_SUCCESS)
        return rv;
    rv = brood__os_init();
    if (rv == APR_SUCCESS)
        rv = brood__self_init();
    if (rv == APR_SUCCESS && !g_at_fork) {
        brood__life_fork_lock = lock_for_fork;
        brood__life_fork_unlock = unlock_after_fork;
        rv = brood__life_at_fork();
        g_at_fork = rv == APR_SUCCESS;
    }
    if (rv != APR_SUCCESS) {
        apr_terminate();
        return rv;
    }
    brood__os_pin_library();
    brood__os_fork_mark();
    brood__spin_init();
    brood__self_at_exit(brood__magazine_exit); /* called last */
    brood__self_at_exit(brood__lanes_exit);
    brood__store(&brood__life, BROOD__LIFE_READY, relaxed);
    return APR_SUCCESS;
}

/* Give a count back; true if that ends the library, or if it was the last one
 * that was given back by one of our own threads, and now comes one that can
 * join them. */
static int is_last(void)
{
    int last = 0;

    brood__lock(&g_lock);
    if (g_count)
        last = --g_count == 0;
    else
        last = g_unfinished && !is_inside();
    if (last) {
        g_unfinished = is_inside();
        brood__store(&brood__life, BROOD__LIFE_ENDING, relaxed);
    }
    brood__unlock(&g_lock);
    return last;
}

static void cancel_all(void)
{
    brood__life_stop(0);
    brood__managers_retire();
    brood__life_stop(1);
    (void)brood__managers_cancel();
}

/* Returns when every manager and every part has ended. */
static void stop_all(void)
{
    const long long timeout = brood__load(&g_timeout, relaxed);
    const int64_t deadline = timeout < 0 || timeout > INT64_MAX / 4000
                                 ? -1
                                 : brood__os_now() + (int64_t)timeout * 1000;
    size_t n;

    brood__life_stop(0);
    brood__managers_retire();
    if (wait_for_all(deadline) == APR_SUCCESS)
        return;
    brood__life_stop(1);
    n = brood__managers_cancel();
    brood__log(BROOD_LOG_ERROR,
               "brood_terminate: not drained within %lld ms, canceling"
               " (managers: %llu)",
               timeout / 1000, (unsigned long long)n);
    (void)wait_for_all(-1);
}

static apr_status_t wait_for_all(int64_t deadline)
{
    apr_status_t rv = brood__life_wait(deadline);
    int64_t left = -1;

    if (rv != APR_SUCCESS)
        return rv;
    if (deadline >= 0) {
        left = deadline - brood__os_now();
        if (left < 0)
            left = 0;
    }
    return brood__collector_wait(left);
}

/* From what was made last to what was made first. */
static void free_all(void)
{
    brood__self_default(NULL);
    brood__self_exit_all();
    (void)brood__collector_wait(-1);
    brood__collector_stop();
    brood__life_free(); /* disarms what is armed: the timers must be there */
    brood__timers_stop();
    brood__unobserved_rest();
    brood__self_exit_all(); /* what the log hook, say, has made meanwhile */
    brood__magazines_end();
    brood__thread_reap();
    apr_terminate();
}

static void lock_for_fork(void) BROOD__NO_ANALYSIS
{
    brood__lock(&g_lock);
}

static void unlock_after_fork(void) BROOD__NO_ANALYSIS
{
    brood__unlock(&g_lock);
}
