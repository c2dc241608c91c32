/* SPDX-License-Identifier: Apache-2.0 */

/* brood_loop.c: the loop manager, and blocking calls from its coroutines, in
 * the workloads of pb_loop.h. */

#define PEER "brood"
#define PEER_FUTURE
#define PEER_TIMER
#define PEER_SLEEPER
#define PEER_EVENT
#define PEER_CALLS

#include <brood.h>
#include <event2/event.h>

#include "pb.h"

enum { WINDOW = 1000 };

typedef brood_future_t *pb_future;

static brood_loop_manager_t *g_loop;
static brood_affinity_pool_t *g_pool;

static inline void timer_fired(void);

static void loop_start(int workers)
{
    brood_affinity_pool_options_t options = BROOD_AFFINITY_POOL_OPTIONS_INIT;
    apr_pool_t *pool;

    PB_CHECK(brood_initialize() == APR_SUCCESS);
    PB_CHECK(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    PB_CHECK(brood_loop_manager_get(&g_loop, NULL, 0) == APR_SUCCESS);
    PB_CHECK(brood_loop_manager_start(g_loop, NULL) == APR_SUCCESS);

    /* As many general threads as the others have workers, kept like theirs. */
    options.max_threads = workers;
    options.keep_general_threads = 1;
    PB_CHECK(brood_affinity_pool_create(&g_pool, &options, pool)
             == APR_SUCCESS);
}

static inline void loop_submit(pb_loop_fn *fn, void *baton)
{
    PB_CHECK(brood_loop_manager_post(g_loop, fn, baton) == APR_SUCCESS);
}

static void loop_spawn(brood_task_fn *fn, void *baton,
                       const brood_task_options_t *options)
{
    PB_CHECK(brood_loop_manager_submit(NULL, g_loop, fn, baton, options)
             == APR_SUCCESS);
}

/* --- Futures and timers --------------------------------------------------- */

static apr_status_t give_back(void *baton, void **result)
{
    *result = baton;
    return APR_SUCCESS;
}

static inline pb_future loop_future(void *baton)
{
    pb_future future;

    PB_CHECK(brood_loop_manager_submit(&future, g_loop, give_back, baton, NULL)
             == APR_SUCCESS);
    return future;
}

static inline void *loop_get(pb_future future)
{
    void *value;

    PB_CHECK(brood_future_get(future, &value, -1) == APR_SUCCESS);
    brood_future_release(future);
    return value;
}

static apr_status_t tell_fired(PB_UNUSED void *baton, PB_UNUSED void **result)
{
    timer_fired();
    return APR_SUCCESS;
}

/* A timer of brood is a task with a delay. */
static void loop_timer(unsigned us)
{
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;

    options.delay = us;
    loop_spawn(tell_fired, NULL, &options);
}

static apr_status_t sleep_and_tell(void *baton, PB_UNUSED void **result)
{
    apr_status_t rv = brood_sleep((apr_interval_time_t)(intptr_t)baton);

    timer_fired();
    return rv;
}

static void loop_sleeper(unsigned us)
{
    loop_spawn(sleep_and_tell, (void *)(intptr_t)us, NULL);
}

/* --- Sockets -------------------------------------------------------------- */

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
    struct event_base *base;

    self.fn = fn;
    self.baton = baton;
    PB_CHECK(brood_loop_manager_event_base(g_loop, &base) == APR_SUCCESS);
    event_add(event_new(base, fd, EV_READ | EV_PERSIST, on_readable, &self),
              NULL);
}

/* --- Blocking calls ------------------------------------------------------- */

/* The loop's thread only. */
static long g_calls_left;
static long g_callers;
static pb_event g_calls_end;

static long *g_calls_count; /* what each call adds itself to; or NULL */

/* Empty, but that a call with a baton counts itself there. */
static apr_status_t blocking_call(void *baton, PB_UNUSED void **result)
{
    if (baton)
        __atomic_add_fetch((long *)baton, 1, __ATOMIC_RELAXED);
    return APR_SUCCESS;
}

static apr_status_t call_and_await(void)
{
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;
    brood_future_t *future;
    apr_status_t rv;

    options.pool = g_pool;
    rv = brood_sync_to_async(&future, blocking_call, g_calls_count, &options);
    if (rv != APR_SUCCESS)
        return rv;
    rv = brood_await(future, NULL);
    brood_future_release(future);
    return rv;
}

static long open_call(brood_future_t **future)
{
    brood_async_options_t options = BROOD_ASYNC_OPTIONS_INIT;

    options.pool = g_pool;
    PB_CHECK(brood_sync_to_async(future, blocking_call, g_calls_count, &options)
             == APR_SUCCESS);
    return 1;
}

/* One coroutine with a window of open calls: it takes the oldest answer and
 * opens another. */
static apr_status_t keep_window(PB_UNUSED void *baton, PB_UNUSED void **result)
{
    static brood_future_t *window[WINDOW];
    const long n = g_calls_left;
    long opened = 0;
    long done;

    while (opened < n && opened < WINDOW)
        opened += open_call(&window[opened]);
    for (done = 0; done < n; done++) {
        brood_future_t **oldest = &window[done % WINDOW];

        PB_CHECK(brood_await(*oldest, NULL) == APR_SUCCESS);
        brood_future_release(*oldest);
        if (opened < n)
            opened += open_call(oldest);
    }
    pb_event_set(&g_calls_end);
    return APR_SUCCESS;
}

static void calls_windowed(long n, long *count)
{
    pb_event_reset(&g_calls_end);
    g_calls_count = count;
    g_calls_left = n;
    loop_spawn(keep_window, NULL, NULL);
    pb_event_wait(&g_calls_end);
}

/* One of a window of coroutines, each with one call open. */
static apr_status_t keep_calling(PB_UNUSED void *baton, PB_UNUSED void **result)
{
    while (g_calls_left > 0) {
        g_calls_left--;
        PB_CHECK(call_and_await() == APR_SUCCESS);
    }
    if (--g_callers == 0)
        pb_event_set(&g_calls_end);
    return APR_SUCCESS;
}

static void open_callers(PB_UNUSED void *baton)
{
    const long n = g_callers;
    long i;

    for (i = 0; i < n; i++)
        loop_spawn(keep_calling, NULL, NULL);
}

static void calls_each(long n, long *count)
{
    pb_event_reset(&g_calls_end);
    g_calls_count = count;
    g_calls_left = n;
    g_callers = n < WINDOW ? n : WINDOW;
    loop_submit(open_callers, NULL);
    pb_event_wait(&g_calls_end);
}

typedef struct serial_calls {
    uint32_t *ns;
    long most;
    long done;
} serial_calls;

static apr_status_t call_serially(void *baton, PB_UNUSED void **result)
{
    serial_calls *calls = baton;
    const uint64_t begin = pb_ns();

    while (calls->done < calls->most && !pb_capped(calls->done, begin)) {
        const uint64_t t = pb_ns();

        PB_CHECK(call_and_await() == APR_SUCCESS);
        calls->ns[calls->done++] = pb_u32(pb_ns() - t);
    }
    pb_event_set(&g_calls_end);
    return APR_SUCCESS;
}

static long calls_serial(uint32_t *ns, long n)
{
    serial_calls calls = { ns, n, 0 };

    pb_event_reset(&g_calls_end);
    g_calls_count = NULL;
    loop_spawn(call_serially, &calls, NULL);
    pb_event_wait(&g_calls_end);
    return calls.done;
}

#include "pb_loop.h"
