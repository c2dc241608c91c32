/* SPDX-License-Identifier: Apache-2.0 */

/* l_glib.c: GLib's main context: g_main_context_invoke() from another thread,
 * timeout sources in whole milliseconds, and GTask for blocking calls, whose
 * pool has 10 threads whatever is asked for. */

#define PEER "glib-main-context"
#define PEER_TIMER
#define PEER_OFFLOAD
#define PEER_EVENT

#include <gio/gio.h>
#include <glib-unix.h>

#include "pb.h"

typedef struct callback {
    pb_loop_fn *fn;
    void *baton;
} callback;

typedef struct offload {
    pb_loop_fn *work;
    pb_loop_fn *done;
    void *baton;
} offload;

static GMainContext *g_context;
static pb_event g_running;
static inline void timer_fired(void);

static gboolean run_callback(gpointer data)
{
    callback copy = *(callback *)data;

    g_slice_free(callback, data);
    copy.fn(copy.baton);
    return G_SOURCE_REMOVE;
}

static void loop_submit(pb_loop_fn *fn, void *baton)
{
    callback *self = g_slice_new(callback);

    self->fn = fn;
    self->baton = baton;
    g_main_context_invoke(g_context, run_callback, self);
}

static gboolean tell_running(PB_UNUSED gpointer data)
{
    pb_event_set(&g_running);
    return G_SOURCE_REMOVE;
}

static void *run_loop(PB_UNUSED void *baton)
{
    g_main_context_push_thread_default(g_context);
    g_main_loop_run(g_main_loop_new(g_context, FALSE));
    return NULL;
}

/* Once it runs, the context is that thread's, and invoke() comes to it. */
static void loop_start(PB_UNUSED int workers)
{
    GSource *source = g_idle_source_new();
    pthread_t thread;

    g_context = g_main_context_new();
    g_source_set_callback(source, tell_running, NULL, NULL);
    g_source_attach(source, g_context);
    g_source_unref(source);
    PB_CHECK(!pthread_create(&thread, NULL, run_loop, NULL));
    pb_event_wait(&g_running);
}

static gboolean on_timer(PB_UNUSED gpointer data)
{
    timer_fired();
    return G_SOURCE_REMOVE;
}

static void loop_timer(unsigned us)
{
    GSource *source = g_timeout_source_new(us / 1000);

    g_source_set_callback(source, on_timer, NULL, NULL);
    g_source_attach(source, g_context);
    g_source_unref(source);
}

static gboolean on_readable(PB_UNUSED gint fd, PB_UNUSED GIOCondition what,
                            gpointer data)
{
    const callback *self = data;

    self->fn(self->baton);
    return G_SOURCE_CONTINUE;
}

static void loop_on_readable(int fd, pb_loop_fn *fn, void *baton)
{
    static callback self;
    GSource *source = g_unix_fd_source_new(fd, G_IO_IN);

    self.fn = fn;
    self.baton = baton;
    g_source_set_callback(source, G_SOURCE_FUNC(on_readable), &self, NULL);
    g_source_attach(source, g_context);
    g_source_unref(source);
}

static void run_offload(GTask *task, PB_UNUSED gpointer source, gpointer data,
                        PB_UNUSED GCancellable *cancellable)
{
    offload *self = data;

    self->work(self->baton);
    g_task_return_boolean(task, TRUE);
}

static void end_offload(PB_UNUSED GObject *source, GAsyncResult *result,
                        gpointer data)
{
    offload copy = *(offload *)data;

    g_task_propagate_boolean((GTask *)result, NULL);
    g_slice_free(offload, data);
    copy.done(copy.baton);
}

static void loop_offload(pb_loop_fn *work, pb_loop_fn *done, void *baton)
{
    offload *self = g_slice_new(offload);
    GTask *task;

    self->work = work;
    self->done = done;
    self->baton = baton;
    task = g_task_new(NULL, NULL, end_offload, self);
    g_task_set_task_data(task, self, NULL);
    g_task_run_in_thread(task, run_offload);
    g_object_unref(task);
}

#include "pb_loop.h"
