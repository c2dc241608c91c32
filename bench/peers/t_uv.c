/* SPDX-License-Identifier: Apache-2.0 */

/* t_uv.c: libuv's uv_queue_work(). Only the thread of the loop may submit, so
 * the loop belongs to the main thread, and neither T3 nor T4 can be done. */

#define PEER "libuv-queue_work"
#define PEER_WAIT

#include <uv.h>

#include "pb.h"

typedef struct work {
    uv_work_t request; /* first: libuv hands us its address */
    pb_task_fn *fn;
    void *baton;
} work;

static uv_loop_t *g_loop;

static void run_work(uv_work_t *request)
{
    work *self = (work *)(void *)request;

    self->fn(self->baton);
}

static void free_work(uv_work_t *request, PB_UNUSED int status)
{
    free(request);
}

static void pool_start(int workers)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", workers);
    setenv("UV_THREADPOOL_SIZE", text, 1);
    g_loop = uv_default_loop();
}

static void pool_submit(pb_task_fn *fn, void *baton)
{
    work *self = malloc(sizeof(*self));

    self->fn = fn;
    self->baton = baton;
    PB_CHECK(uv_queue_work(g_loop, &self->request, run_work, free_work) == 0);
}

static void pool_wait(void)
{
    uv_run(g_loop, UV_RUN_DEFAULT);
}

#include "pb_pool.h"
