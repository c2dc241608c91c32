/* SPDX-License-Identifier: Apache-2.0 */

/* collector.c: one private thread that ends what nobody needs any more. */

#include "lineage/collector.h"

#include <brood/errors.h>

#include "os/lock.h"
#include "os/thread.h"

/* Only around the making and ending of the thread. */
static brood__lock_t g_control = BROOD__LOCK_INIT(BROOD__RANK_CONTROL);
static brood__thread_t *g_thread; /* under g_control */

static brood__lock_t g_lock = BROOD__LOCK_INIT(BROOD__RANK_COLLECTOR);
static brood__cond_t g_work = BROOD__COND_INIT;     /* a job came, or the end */
static brood__cond_t g_idle = BROOD__COND_INIT;     /* nothing is left to do */
static brood__link_t g_jobs = { &g_jobs, &g_jobs }; /* all under g_lock */
static int g_running; /* a job's fn is being called */
static int g_owed;
static int g_ending;

static atomic_int g_ready; /* a thread is there, and is not about to end */
static BROOD__THREAD_LOCAL char tl_is_collector;

static void collect(void *unused);
static brood__job_t *next_job(void);
static int is_idle(void) BROOD__REQUIRES(g_lock);

apr_status_t brood__collector_ready(void)
{
    brood__thread_t *thread = NULL;
    apr_status_t rv = APR_SUCCESS;

    /* Relaxed: it says only that a thread will look at the queue. */
    if (BROOD__LIKELY(brood__load(&g_ready, relaxed)))
        return APR_SUCCESS;
    brood__lock(&g_control);
    if (!g_thread) {
        rv = brood__thread_start(&thread, collect, NULL, "brood-collector", 0);
        g_thread = thread;
        brood__store(&g_ready, rv == APR_SUCCESS, relaxed);
    }
    brood__unlock(&g_control);
    return rv;
}

void brood__collector_push(brood__job_t *job)
{
    brood__lock(&g_lock);
    brood__list_append(&g_jobs, &job->link);
    brood__cond_wake_one(&g_work);
    brood__unlock(&g_lock);
}

void brood__collector_owe(int more)
{
    brood__lock(&g_lock);
    g_owed += more;
    if (is_idle())
        brood__cond_wake_all(&g_idle);
    brood__unlock(&g_lock);
}

apr_status_t brood__collector_wait(int64_t timeout)
{
    const int64_t deadline = timeout < 0 ? -1 : brood__os_now() + timeout;
    int64_t left = timeout < 0 ? -1 : timeout;
    apr_status_t rv = APR_SUCCESS;

    if (tl_is_collector)
        return BROOD_EDEADLK;
    brood__lock(&g_lock);
    while (rv == APR_SUCCESS && !is_idle()) {
        (void)brood__cond_wait(&g_idle, &g_lock, left);
        if (deadline >= 0) {
            left = deadline - brood__os_now();
            if (left <= 0 && !is_idle())
                rv = APR_TIMEUP;
        }
    }
    brood__unlock(&g_lock);
    return rv;
}

void brood__collector_stop(void)
{
    brood__thread_t *thread;

    brood__lock(&g_control);
    thread = g_thread;
    brood__unlock(&g_control);
    if (!thread)
        return;
    brood__lock(&g_lock);
    g_ending = 1;
    brood__cond_wake_one(&g_work);
    brood__unlock(&g_lock);
    brood__thread_join(thread);

    brood__lock(&g_control);
    g_ending = 0; /* alone, until another thread is made */
    g_thread = NULL;
    brood__store(&g_ready, 0, relaxed);
    brood__unlock(&g_control);
}

int brood__collector_is_self(void)
{
    return tl_is_collector;
}

static void collect(void *unused)
{
    brood__job_t *job;

    (void)unused;
    tl_is_collector = 1;
    brood__self_library(NULL);
    while ((job = next_job()) != NULL) {
        job->fn(job);
        brood__purse_empty(&brood__self.purse);
    }
    brood__self_exit();
}

/* The job before is done. NULL: the end. */
static brood__job_t *next_job(void)
{
    brood__link_t *link;

    brood__lock(&g_lock);
    g_running = 0;
    if (is_idle())
        brood__cond_wake_all(&g_idle);
    while (brood__list_empty(&g_jobs) && !g_ending)
        (void)brood__cond_wait(&g_work, &g_lock, -1);
    link = brood__list_pop(&g_jobs);
    g_running = link != NULL;
    brood__unlock(&g_lock);
    return link ? BROOD__CONTAINER(link, brood__job_t, link) : NULL;
}

static int is_idle(void)
{
    return brood__list_empty(&g_jobs) && !g_running && !g_owed;
}
