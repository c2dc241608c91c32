/* SPDX-License-Identifier: Apache-2.0 */

/*
 * supervisor.c: the one thread of the process that starts, watches and ends
 * worker processes. It lives as long as the library: on Linux a worker is killed
 * when the thread ends that started it.
 *
 * HOW IT SLEEPS
 *
 * Armed: every worker rings for the next result. So one result costs a wake-up,
 * which is right while results are few. When one look finds many, or others
 * poll and find some, it does not arm but looks again after a while: 100 us, or
 * up to 1 ms while it finds nothing itself. A look that finds little ends that.
 * Whoever sleeps for a result arms its worker himself, so nobody waits for the
 * next look. Argument: doc/internals/process.md.
 */

#include "process/core.h"

#include "base/alloc.h"
#include "lineage/life.h"
#include "os/thread.h"

#define MANY         4
#define SHORTEST     ((int64_t)100 * 1000)
#define LONGEST      ((int64_t)1000 * 1000)
#define DEATHS_EVERY ((int64_t)20 * 1000000) /* where nothing tells of them */

brood__os_watcher_t *brood__watcher;

static brood__lock_t g_lock = BROOD__LOCK_INIT(BROOD__RANK_LEAF);
static brood_process_manager_t *g_joins; /* under g_lock */
static int g_ending;                     /* under g_lock */
static brood__lock_t g_start = BROOD__LOCK_INIT(BROOD__RANK_CONTROL);
static brood__thread_t *g_thread; /* under g_start */
static atomic_llong g_until;      /* it sleeps until then; -1: for ever, and 0
                                     while it is awake */
static atomic_uint g_polls;
static atomic_uint g_dirty; /* something is to be done */
static BROOD__THREAD_LOCAL int tl_supervises;
static int64_t g_when; /* the thread's: when to look again; -1: never */

static void supervise(void *unused);
static void free_supervisor(void);
static int take_joins(brood_process_manager_t **list);
static unsigned tend_all(brood_process_manager_t **list, int64_t *when,
                         int thorough);
static int arm_all(brood_process_manager_t *list, int on);

static brood__part_t g_part = { .free = free_supervisor };

apr_status_t brood__supervisor_ready(void)
{
    apr_status_t rv = APR_SUCCESS;

    brood__lock(&g_start);
    if (!g_thread) {
        rv = brood__os_watcher_make(&brood__watcher);
        if (rv == APR_SUCCESS)
            rv = brood__thread_start(&g_thread, supervise, NULL,
                                     "brood-processes", 0);
        if (rv != APR_SUCCESS) {
            brood__os_watcher_free(brood__watcher);
            brood__watcher = NULL;
        }
    }
    brood__unlock(&g_start);
    if (rv == APR_SUCCESS)
        brood__life_add(&g_part);
    return rv;
}

static void free_supervisor(void)
{
    brood__thread_t *thread = g_thread;

    if (!thread)
        return;
    brood__lock(&g_lock);
    g_ending = 1;
    brood__unlock(&g_lock);
    brood__os_watcher_wake(brood__watcher);
    brood__thread_join(thread);
    brood__os_watcher_free(brood__watcher);
    brood__watcher = NULL;
    g_thread = NULL;
    g_ending = 0;
}

void brood__supervisor_add(brood_process_manager_t *m)
{
    brood__lock(&g_lock);
    m->next_join = g_joins;
    g_joins = m;
    brood__unlock(&g_lock);
    brood__supervisor_wake();
}

/* The supervisor stores `g_until` and then looks at `g_dirty`; we store that and
 * then look at `g_until`; all seq_cst, so one of the two sees the other's. */
void brood__supervisor_wake(void)
{
    brood__supervisor_wake_at(0);
}

void brood__supervisor_wake_at(int64_t when)
{
    long long until = brood__load(&g_until, seq_cst);

    if (tl_supervises && when > 0) {
        brood__sooner(&g_when, when);
        return;
    }
    if (until > 0 && when > until)
        return; /* early enough */
    brood__store(&g_dirty, 1, seq_cst);
    until = brood__load(&g_until, seq_cst);
    if (until != 0 && brood__cas(&g_until, &until, 0, seq_cst))
        brood__os_watcher_wake(brood__watcher);
}

void brood__supervisor_polled(void)
{
    if (!brood__load(&g_polls, relaxed))
        brood__store(&g_polls, 1, relaxed);
}

static void supervise(void *unused)
{
    brood_process_manager_t *list = NULL;
    int64_t period = 0, now, last = 0;
    unsigned n;

    (void)unused;
    brood__self_library(NULL);
    tl_supervises = 1;
    while (take_joins(&list) || list) {
        now = brood__os_now();
        g_when = -1;
        n = tend_all(&list, &g_when, now - last >= DEATHS_EVERY);
        if (now - last >= DEATHS_EVERY)
            last = now;
        if (n >= MANY)
            period = SHORTEST;
        else if (brood__swap(&g_polls, 0, relaxed))
            period = period ? period * 2 : SHORTEST;
        else
            period = 0;
        if (period > LONGEST)
            period = LONGEST;
        now = brood__os_now();
        if (period)
            brood__sooner(&g_when, now + period);
        brood__store(&g_until, g_when, seq_cst);
        if (arm_all(list, !period) || brood__load(&g_dirty, seq_cst))
            continue;
        brood__self_rest();
        brood__os_watcher_wait(brood__watcher, g_when < 0     ? -1
                                               : g_when > now ? g_when - now
                                                              : 0);
    }
    brood__self_exit();
}

/* 0: the library ends. */
static int take_joins(brood_process_manager_t **list)
{
    brood_process_manager_t *m;
    int go_on;

    /* Whatever is asked for after this is seen by the next look, if not by
     * this one. */
    brood__store(&g_until, 0, seq_cst);
    brood__store(&g_dirty, 0, seq_cst);
    brood__lock(&g_lock);
    while ((m = g_joins) != NULL) {
        g_joins = m->next_join;
        m->next_run = *list;
        *list = m;
    }
    go_on = !g_ending;
    brood__unlock(&g_lock);
    return go_on;
}

static unsigned tend_all(brood_process_manager_t **list, int64_t *when,
                         int thorough)
{
    brood_process_manager_t *m;
    unsigned n = 0;
    int over;

    while ((m = *list) != NULL) {
        brood_process_manager_t *next = m->next_run;

        over = 0;
        n += brood__tend(m, when, thorough, &over);
        if (over) /* it may be gone, or joining again */
            *list = next;
        else
            list = &m->next_run;
    }
    return n;
}

static int arm_all(brood_process_manager_t *list, int on)
{
    int found = 0;

    for (; list; list = list->next_run)
        found |= brood__tend_arm(list, on);
    return found;
}
