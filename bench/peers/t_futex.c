/* SPDX-License-Identifier: Apache-2.0 */

/* t_futex.c: floor, two threads that wake each other through a futex; of the
 * round trips only, and best known with both on one CPU. */

#define PEER "floor-futex"
#define PEER_FUTURE

#include "pb.h"

typedef void *pb_future;

static pb_task_fn *g_fn;
static void *g_baton;
static pb_event g_sent, g_answered;

static void *answer(PB_UNUSED void *baton)
{
    for (;;) {
        pb_event_wait(&g_sent);
        pb_event_reset(&g_sent);
        if (g_fn)
            g_fn(g_baton);
        pb_event_set(&g_answered);
    }
    return NULL;
}

static void pool_start(PB_UNUSED int workers)
{
    pthread_t thread;

    PB_CHECK(!pthread_create(&thread, NULL, answer, NULL));
}

/* The future is the baton itself: one round at a time. */
static pb_future pool_future(void *baton)
{
    g_fn = NULL;
    pb_event_reset(&g_answered);
    pb_event_set(&g_sent);
    return baton;
}

static void *pool_get(pb_future baton)
{
    pb_event_wait(&g_answered);
    return baton;
}

static void pool_submit(pb_task_fn *fn, void *baton)
{
    g_fn = fn;
    g_baton = baton;
    pb_event_reset(&g_answered);
    pb_event_set(&g_sent);
    pb_event_wait(&g_answered);
}

#include "pb_pool.h"
