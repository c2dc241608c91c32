/* SPDX-License-Identifier: Apache-2.0 */

/* l_floor.c: floor of a loop: libevent, with an eventfd for when it sleeps; the
 * rings of pb_mesh.h into the loop and out to the workers; it looks at them for
 * a while, and at libevent every 64th time, before it sleeps; a wheel of 4 us
 * slots for the timers, its nodes from a free list. What sleeps has a stack, the
 * one that was used last or one that never was: of that it touches one page, in
 * which its node lies. */

#define PEER "floor-loop"
#define PEER_TIMER
#define PEER_SLEEPER
#define PEER_OFFLOAD

#include <event2/event.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "pb.h"
#include "pb_mesh.h"

enum { MOST_WORKERS = 4, WHEEL_SLOTS = 4096 };
enum { MOST_STACKS = 20000, STACK_SIZE = 64 * 1024 };

typedef struct wheel_timer {
    struct wheel_timer *next;
    struct wheel_timer **home; /* the list it goes back to */
    uint64_t tick;
} wheel_timer;

typedef struct offload {
    struct offload *next;
    pb_loop_fn *work;
    pb_loop_fn *done;
    void *baton;
} offload;

static struct event_base *g_base;
static mesh_inbox g_loop, g_inboxes[MOST_WORKERS];
static unsigned g_n_inboxes, g_turn;

/* The loop's thread only, all of these. */
static wheel_timer *g_wheel[WHEEL_SLOTS], *g_free_timers, *g_free_stacks;
static char *g_stacks; /* those that were never used begin here */
static long g_n_stacks;
static uint64_t g_wheel_tick; /* the next slot to look at */
static long g_timers;
static offload *g_free_offloads;

static inline void timer_fired(void);

/* --- Timers --------------------------------------------------------------- */

static uint64_t tick_in(unsigned us)
{
    return (pb_ns() + us * UINT64_C(1000)) >> 12;
}

static wheel_timer *take_timer(wheel_timer **home)
{
    wheel_timer *timer = *home;

    if (timer)
        *home = timer->next;
    return timer;
}

static void set_timer(wheel_timer *timer, wheel_timer **home, unsigned us)
{
    wheel_timer **slot;

    timer->home = home;
    if (!g_timers++)
        g_wheel_tick = tick_in(0);
    timer->tick = tick_in(us);
    slot = &g_wheel[timer->tick % WHEEL_SLOTS];
    timer->next = *slot;
    *slot = timer;
}

static void loop_timer(unsigned us)
{
    wheel_timer *timer = take_timer(&g_free_timers);

    if (!timer)
        timer = malloc(sizeof(*timer));
    set_timer(timer, &g_free_timers, us);
}

static void map_stacks(void)
{
    const size_t size = (size_t)MOST_STACKS * STACK_SIZE;

    g_stacks = mmap(NULL, size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    PB_CHECK(g_stacks != MAP_FAILED);
    (void)madvise(g_stacks, size, MADV_NOHUGEPAGE); /* or there are none */
}

/* The upper end of a stack that was never used. */
static wheel_timer *open_stack(void)
{
    char *end;

    PB_CHECK(g_n_stacks < MOST_STACKS);
    end = g_stacks + (size_t)++g_n_stacks * STACK_SIZE;
    return (wheel_timer *)(void *)end - 1;
}

static void loop_sleeper(unsigned us)
{
    wheel_timer *timer = take_timer(&g_free_stacks);

    set_timer(timer ? timer : open_stack(), &g_free_stacks, us);
}

static void fire_slot(wheel_timer **place)
{
    wheel_timer *timer;

    while ((timer = *place) != NULL) {
        if (timer->tick > g_wheel_tick) { /* of a later turn */
            place = &timer->next;
            continue;
        }
        *place = timer->next;
        timer->next = *timer->home;
        *timer->home = timer;
        g_timers--;
        timer_fired();
    }
}

static void turn_wheel(void)
{
    const uint64_t now = tick_in(0);

    for (; g_timers && g_wheel_tick < now; g_wheel_tick++)
        fire_slot(&g_wheel[g_wheel_tick % WHEEL_SLOTS]);
}

/* --- The loop ------------------------------------------------------------- */

static void on_eventfd(evutil_socket_t fd, PB_UNUSED short what,
                       PB_UNUSED void *baton)
{
    uint64_t count;

    PB_CHECK(read(fd, &count, sizeof(count)) == sizeof(count));
}

static void run_while_busy(unsigned long *turns)
{
    unsigned long ran;

    while ((ran = mesh_run(&g_loop)) != 0 || g_timers) {
        if (g_timers)
            turn_wheel();
        else
            mesh_pause_after(ran);
        if (++*turns % 64 == 0)
            event_base_loop(g_base, EVLOOP_NONBLOCK);
    }
}

static void *run_loop(PB_UNUSED void *baton)
{
    unsigned long turns = 0;

    for (;;) {
        run_while_busy(&turns);
        if (!mesh_spin(&g_loop) && mesh_may_sleep(&g_loop)) {
            event_base_loop(g_base, EVLOOP_ONCE);
            __atomic_store_n(&g_loop.asleep, 0, __ATOMIC_RELAXED);
        }
    }
    return NULL;
}

static void loop_start(int workers)
{
    const int fd = eventfd(0, EFD_NONBLOCK);
    pthread_t thread;
    int i;

    PB_CHECK(workers <= MOST_WORKERS);
    g_mesh_mask = (1ul << 13) - 1;
    g_n_inboxes = (unsigned)workers;
    g_base = event_base_new();
    event_add(event_new(g_base, fd, EV_READ | EV_PERSIST, on_eventfd, NULL),
              NULL);
    map_stacks();
    mesh_init(&g_loop, fd);
    for (i = 0; i < workers; i++) {
        mesh_init(&g_inboxes[i], -1);
        PB_CHECK(!pthread_create(&thread, NULL, mesh_thread, &g_inboxes[i]));
    }
    PB_CHECK(!pthread_create(&thread, NULL, run_loop, NULL));
}

static void loop_submit(pb_loop_fn *fn, void *baton)
{
    mesh_put(&g_loop, fn, baton);
}

/* --- Blocking calls ------------------------------------------------------- */

static void end_offload(void *baton)
{
    offload *self = baton;
    offload copy = *self;

    self->next = g_free_offloads;
    g_free_offloads = self;
    copy.done(copy.baton);
}

static void run_offload(void *baton)
{
    offload *self = baton;

    self->work(self->baton);
    mesh_put(&g_loop, end_offload, self);
}

static void loop_offload(pb_loop_fn *work, pb_loop_fn *done, void *baton)
{
    offload *self = g_free_offloads;

    if (self)
        g_free_offloads = self->next;
    else
        self = malloc(sizeof(*self));
    self->work = work;
    self->done = done;
    self->baton = baton;
    mesh_put(&g_inboxes[(g_turn++ >> 6) % g_n_inboxes], run_offload, self);
}

#include "pb_loop.h"
