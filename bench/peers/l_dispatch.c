/* SPDX-License-Identifier: Apache-2.0 */

/* l_dispatch.c: libdispatch with a serial queue as the loop, dispatch_after()
 * for timers, and the global queue, of a thread per CPU, for blocking calls. */

#define PEER "libdispatch-serial"
#define PEER_TIMER
#define PEER_OFFLOAD

#include <dispatch/dispatch.h>

#include "pb.h"

typedef struct offload {
    pb_loop_fn *work;
    pb_loop_fn *done;
    void *baton;
} offload;

static dispatch_queue_t g_loop, g_workers_queue;
static inline void timer_fired(void);

static void loop_start(PB_UNUSED int workers)
{
    g_loop = dispatch_queue_create("bench", DISPATCH_QUEUE_SERIAL);
    g_workers_queue = dispatch_get_global_queue(0, 0);
}

static void loop_submit(pb_loop_fn *fn, void *baton)
{
    dispatch_async_f(g_loop, baton, fn);
}

static void on_timer(PB_UNUSED void *baton)
{
    timer_fired();
}

static void loop_timer(unsigned us)
{
    dispatch_after_f(dispatch_time(DISPATCH_TIME_NOW, us * INT64_C(1000)),
                     g_loop, NULL, on_timer);
}

static void run_offload(void *baton)
{
    offload copy = *(offload *)baton;

    free(baton);
    copy.work(copy.baton);
    loop_submit(copy.done, copy.baton);
}

static void loop_offload(pb_loop_fn *work, pb_loop_fn *done, void *baton)
{
    offload *self = malloc(sizeof(*self));

    self->work = work;
    self->done = done;
    self->baton = baton;
    dispatch_async_f(g_workers_queue, self, run_offload);
}

#include "pb_loop.h"
