/* SPDX-License-Identifier: Apache-2.0 */

/* t_glib.c: GLib's GThreadPool, with threads of its own. */

#define PEER "GThreadPool"

#include <glib.h>

#include "pb.h"

typedef struct call {
    pb_task_fn *fn;
    void *baton;
} call;

static GThreadPool *g_pool;

/* The pool has one function for all tasks. */
static void run_call(gpointer data, PB_UNUSED gpointer user_data)
{
    call copy = *(call *)data;

    g_slice_free(call, data);
    copy.fn(copy.baton);
}

static void pool_start(int workers)
{
    g_pool = g_thread_pool_new(run_call, NULL, workers, TRUE, NULL);
}

static void pool_submit(pb_task_fn *fn, void *baton)
{
    call *new_call = g_slice_new(call);

    new_call->fn = fn;
    new_call->baton = baton;
    g_thread_pool_push(g_pool, new_call, NULL);
}

#include "pb_pool.h"
