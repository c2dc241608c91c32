/* SPDX-License-Identifier: Apache-2.0 */

/*
 * timer.c: one thread, one heap of deadlines.
 *
 * The heap is 4-ary: half the depth of a binary one, and the four children
 * share a cache line of pointers (Johnson, "Priority queues with update and
 * finding minimum spanning trees", 1975). Index 0 is not used, so a timer whose
 * index is 0 is not armed.
 */

#include "task/timer.h"

#include <string.h>

#include "base/alloc.h"
#include "os/lock.h"
#include "lineage/self.h"
#include "os/thread.h"

#define WAYS 4

static struct {
    brood__lock_t lock;  /* guards all below */
    brood__cond_t wake;  /* the thread's: the nearest deadline changed */
    brood__cond_t ended; /* a callback has returned */
    brood__timer_t **heap;
    size_t n, room;
    size_t reserved;         /* promised places; all of them and all other
                                armed timers always have room */
    brood__timer_t *running; /* its callback is under way */
    unsigned n_waiting;      /* in disarm() for `ended` */
    brood__thread_t *thread;
    int stopping;
} g_timers = { .lock = BROOD__LOCK_INIT(BROOD__RANK_TIMERS),
               .wake = BROOD__COND_INIT,
               .ended = BROOD__COND_INIT };

static BROOD__THREAD_LOCAL int tl_is_timers;

static apr_status_t make_room(size_t n) BROOD__REQUIRES(g_timers.lock);
static apr_status_t make_thread(void) BROOD__REQUIRES(g_timers.lock);
static void run(void *unused);
static void serve(void) BROOD__REQUIRES(g_timers.lock);
static void sift_up(size_t at) BROOD__REQUIRES(g_timers.lock);
static void sift_down(size_t at) BROOD__REQUIRES(g_timers.lock);
static void take_out(brood__timer_t *timer) BROOD__REQUIRES(g_timers.lock);

apr_status_t brood__timer_reserve(void)
{
    apr_status_t rv;

    brood__lock(&g_timers.lock);
    rv = make_room(g_timers.n + g_timers.reserved + 2);
    if (rv == APR_SUCCESS)
        rv = make_thread();
    if (rv == APR_SUCCESS)
        g_timers.reserved++;
    brood__unlock(&g_timers.lock);
    return rv;
}

void brood__timer_unreserve(void)
{
    brood__lock(&g_timers.lock);
    g_timers.reserved--;
    brood__unlock(&g_timers.lock);
}

apr_status_t brood__timer_arm(brood__timer_t *timer, int64_t deadline,
                              void (*fn)(brood__timer_t *timer))
{
    apr_status_t rv;

    brood__lock(&g_timers.lock);
    /* Others leave the promised places free, whether or not they are used. */
    rv = timer->reserved ? APR_SUCCESS
                         : make_room(g_timers.n + g_timers.reserved + 2);
    if (rv == APR_SUCCESS)
        rv = make_thread();
    if (rv == APR_SUCCESS) {
        timer->deadline = deadline;
        timer->fn = fn;
        timer->index = ++g_timers.n;
        g_timers.heap[timer->index] = timer;
        sift_up(timer->index);
        if (timer->index == 1)
            brood__cond_wake_one(&g_timers.wake);
    }
    brood__unlock(&g_timers.lock);
    return rv;
}

int brood__timer_disarm(brood__timer_t *timer)
{
    int was_armed = 0;

    brood__lock(&g_timers.lock);
    for (;;) {
        if (timer->index) {
            take_out(timer);
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
    g_timers.stopping = 1;
    brood__cond_wake_one(&g_timers.wake);
    brood__unlock(&g_timers.lock);
    if (thread)
        brood__thread_join(thread);
    brood__free(g_timers.heap);
    g_timers.heap = NULL;
    g_timers.n = g_timers.room = 0;
    g_timers.stopping = 0;
}

int brood__timers_is_self(void)
{
    return tl_is_timers;
}

static apr_status_t make_room(size_t n)
{
    brood__timer_t **heap;
    size_t room = g_timers.room ? g_timers.room : 32;

    if (n <= g_timers.room)
        return APR_SUCCESS;
    while (room < n)
        room *= 2;
    heap = brood__alloc(room * sizeof(*heap));
    if (!heap)
        return APR_ENOMEM;
    if (g_timers.heap)
        memcpy(heap, g_timers.heap, (g_timers.n + 1) * sizeof(*heap));
    brood__free(g_timers.heap);
    g_timers.heap = heap;
    g_timers.room = room;
    return APR_SUCCESS;
}

static apr_status_t make_thread(void)
{
    if (g_timers.thread)
        return APR_SUCCESS;
    return brood__thread_start(&g_timers.thread, run, NULL, "brood-timers", 0);
}

static void run(void *unused)
{
    (void)unused;
    tl_is_timers = 1;
    brood__self_library(NULL);
    brood__lock(&g_timers.lock);
    while (!g_timers.stopping) {
        int64_t left = -1;

        if (g_timers.n) {
            left = g_timers.heap[1]->deadline - brood__os_now();
            if (left <= 0) {
                serve();
                continue;
            }
        }
        brood__cond_wait(&g_timers.wake, &g_timers.lock, left);
    }
    brood__unlock(&g_timers.lock);
    brood__self_exit();
}

/* Call the first timer. Its memory may go as soon as the callback has begun to
 * make that known, so it is only compared with afterwards. */
static void serve(void)
{
    brood__timer_t *timer = g_timers.heap[1];
    void (*fn)(brood__timer_t *) = timer->fn;

    take_out(timer);
    g_timers.running = timer;
    brood__unlock(&g_timers.lock);
    fn(timer);
    brood__lock(&g_timers.lock);
    g_timers.running = NULL;
    if (g_timers.n_waiting)
        brood__cond_wake_all(&g_timers.ended);
}

static void put_at(size_t at, brood__timer_t *timer)
{
    g_timers.heap[at] = timer;
    timer->index = at;
}

static size_t parent_of(size_t at)
{
    return (at + WAYS - 2) / WAYS;
}

static void sift_up(size_t at)
{
    brood__timer_t *timer = g_timers.heap[at];

    while (at > 1 && g_timers.heap[parent_of(at)]->deadline > timer->deadline) {
        put_at(at, g_timers.heap[parent_of(at)]);
        at = parent_of(at);
    }
    put_at(at, timer);
}

static void sift_down(size_t at)
{
    brood__timer_t *timer = g_timers.heap[at];

    for (;;) {
        size_t first = WAYS * (at - 1) + 2, least = first, i;

        if (first > g_timers.n)
            break;
        for (i = first + 1; i < first + WAYS && i <= g_timers.n; i++)
            if (g_timers.heap[i]->deadline < g_timers.heap[least]->deadline)
                least = i;
        if (g_timers.heap[least]->deadline >= timer->deadline)
            break;
        put_at(at, g_timers.heap[least]);
        at = least;
    }
    put_at(at, timer);
}

static void take_out(brood__timer_t *timer)
{
    size_t at = timer->index;
    brood__timer_t *last = g_timers.heap[g_timers.n--];

    timer->index = 0;
    if (last == timer)
        return;
    put_at(at, last);
    sift_up(at);
    sift_down(last->index);
}
