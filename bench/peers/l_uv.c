/* SPDX-License-Identifier: Apache-2.0 */

/* l_uv.c: libuv. Callbacks: a list under a mutex, and uv_async_send(). Timers:
 * uv_timer, in whole milliseconds. Blocking calls: uv_queue_work(). */

#define PEER "libuv"
#define PEER_TIMER
#define PEER_OFFLOAD
#define PEER_EVENT

#include <uv.h>

#include "pb.h"

typedef struct callback {
    struct callback *next;
    pb_loop_fn *fn;
    void *baton;
} callback;

typedef struct offload {
    uv_work_t request; /* first: libuv hands us its address */
    pb_loop_fn *work;
    pb_loop_fn *done;
    void *baton;
} offload;

static uv_loop_t *g_loop;
static uv_async_t g_arrived;
static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static callback *g_first, **g_end = &g_first;
static inline void timer_fired(void);

static void run_callbacks(PB_UNUSED uv_async_t *handle)
{
    callback *self, *next;

    pthread_mutex_lock(&g_lock);
    self = g_first;
    g_first = NULL;
    g_end = &g_first;
    pthread_mutex_unlock(&g_lock);
    for (; self; self = next) {
        next = self->next;
        self->fn(self->baton);
        free(self);
    }
}

static void loop_submit(pb_loop_fn *fn, void *baton)
{
    callback *self = malloc(sizeof(*self));

    self->next = NULL;
    self->fn = fn;
    self->baton = baton;
    pthread_mutex_lock(&g_lock);
    *g_end = self;
    g_end = &self->next;
    pthread_mutex_unlock(&g_lock);
    uv_async_send(&g_arrived);
}

static void *run_loop(PB_UNUSED void *baton)
{
    uv_run(g_loop, UV_RUN_DEFAULT);
    return NULL;
}

static void loop_start(int workers)
{
    pthread_t thread;
    char text[16];

    snprintf(text, sizeof(text), "%d", workers);
    setenv("UV_THREADPOOL_SIZE", text, 1);
    g_loop = uv_default_loop();
    uv_async_init(g_loop, &g_arrived, run_callbacks);
    PB_CHECK(!pthread_create(&thread, NULL, run_loop, NULL));
}

static void free_timer(uv_handle_t *handle)
{
    free(handle);
}

static void on_timer(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, free_timer);
    timer_fired();
}

static void loop_timer(unsigned us)
{
    uv_timer_t *timer = malloc(sizeof(*timer));

    uv_timer_init(g_loop, timer);
    uv_timer_start(timer, on_timer, us / 1000, 0);
}

typedef struct watch {
    uv_poll_t poll; /* first: libuv hands us its address */
    pb_loop_fn *fn;
    void *baton;
} watch;

static void on_readable(uv_poll_t *poll, PB_UNUSED int status,
                        PB_UNUSED int events)
{
    const watch *self = (const watch *)(void *)poll;

    self->fn(self->baton);
}

static void loop_on_readable(int fd, pb_loop_fn *fn, void *baton)
{
    static watch self;

    self.fn = fn;
    self.baton = baton;
    PB_CHECK(uv_poll_init(g_loop, &self.poll, fd) == 0);
    PB_CHECK(uv_poll_start(&self.poll, UV_READABLE, on_readable) == 0);
}

static void run_offload(uv_work_t *request)
{
    offload *self = (offload *)(void *)request;

    self->work(self->baton);
}

static void end_offload(uv_work_t *request, PB_UNUSED int status)
{
    offload copy = *(offload *)(void *)request;

    free(request);
    copy.done(copy.baton);
}

static void loop_offload(pb_loop_fn *work, pb_loop_fn *done, void *baton)
{
    offload *self = malloc(sizeof(*self));

    self->work = work;
    self->done = done;
    self->baton = baton;
    PB_CHECK(uv_queue_work(g_loop, &self->request, run_offload, end_offload)
             == 0);
}

#include "pb_loop.h"
