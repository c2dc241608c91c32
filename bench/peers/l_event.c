/* SPDX-License-Identifier: Apache-2.0 */

/* l_event.c: libevent, used plainly from another thread: event_base_once() for
 * each callback. Built with EVENT_QUEUE: a list under a mutex, and one event
 * made active. Blocking calls go to the pool of pb_list.h and come back. */

#ifdef EVENT_QUEUE
#define PEER "libevent-queue"
#else
#define PEER "libevent-once"
#endif
#define PEER_TIMER
#define PEER_OFFLOAD
#define PEER_EVENT

#include <event2/event.h>
#include <event2/thread.h>

#include "pb.h"
#include "pb_list.h"

typedef struct callback {
    struct callback *next;
    pb_loop_fn *fn;
    void *baton;
} callback;

typedef struct offload {
    pb_loop_fn *work;
    pb_loop_fn *done;
    void *baton;
} offload;

static struct event_base *g_base;
static inline void timer_fired(void);

static callback *make_callback(pb_loop_fn *fn, void *baton)
{
    callback *self = malloc(sizeof(*self));

    self->next = NULL;
    self->fn = fn;
    self->baton = baton;
    return self;
}

#ifdef EVENT_QUEUE
static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static callback *g_first, **g_end = &g_first;
static struct event *g_arrived;

static void run_callbacks(PB_UNUSED evutil_socket_t fd, PB_UNUSED short what,
                          PB_UNUSED void *baton)
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
    callback *self = make_callback(fn, baton);

    pthread_mutex_lock(&g_lock);
    *g_end = self;
    g_end = &self->next;
    pthread_mutex_unlock(&g_lock);
    event_active(g_arrived, EV_READ, 0);
}

static void prepare_queue(void)
{
    g_arrived = event_new(g_base, -1, EV_PERSIST, run_callbacks, NULL);
    event_add(g_arrived, NULL);
}
#else
static void run_callback(PB_UNUSED evutil_socket_t fd, PB_UNUSED short what,
                         void *baton)
{
    callback copy = *(callback *)baton;

    free(baton);
    copy.fn(copy.baton);
}

static void loop_submit(pb_loop_fn *fn, void *baton)
{
    event_base_once(g_base, -1, EV_TIMEOUT, run_callback,
                    make_callback(fn, baton), NULL);
}

static void prepare_queue(void)
{
}
#endif

static void *run_loop(PB_UNUSED void *baton)
{
    event_base_loop(g_base, EVLOOP_NO_EXIT_ON_EMPTY);
    return NULL;
}

static void loop_start(int workers)
{
    pthread_t thread;

#ifdef _WIN32
    WSADATA data;

    PB_CHECK(WSAStartup(MAKEWORD(2, 2), &data) == 0);
    evthread_use_windows_threads();
#else
    evthread_use_pthreads();
#endif
    g_base = event_base_new();
    prepare_queue();
    list_start(workers);
    PB_CHECK(!pthread_create(&thread, NULL, run_loop, NULL));
}

static void on_timer(PB_UNUSED evutil_socket_t fd, PB_UNUSED short what,
                     void *event)
{
    event_free(event);
    timer_fired();
}

static void loop_timer(unsigned us)
{
    const struct timeval length = { 0, (long)us };
    struct event *event = event_new(g_base, -1, 0, on_timer,
                                    event_self_cbarg());

    event_add(event, &length);
}

typedef struct watch {
    pb_loop_fn *fn;
    void *baton;
} watch;

static void on_readable(PB_UNUSED evutil_socket_t fd, PB_UNUSED short what,
                        void *baton)
{
    const watch *self = baton;

    self->fn(self->baton);
}

static PB_UNUSED void loop_on_readable(int fd, pb_loop_fn *fn, void *baton)
{
    static watch self;

    self.fn = fn;
    self.baton = baton;
    event_add(event_new(g_base, fd, EV_READ | EV_PERSIST, on_readable, &self),
              NULL);
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
    list_submit(run_offload, self);
}

#include "pb_loop.h"
