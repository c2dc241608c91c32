/* SPDX-License-Identifier: Apache-2.0 */

/* brood_coroutine.c: what a coroutine costs: one that never awaits, beside a
 * post; giving way; and to be many. */

#define PEER "brood"

#include <brood.h>

#include "pb.h"

static brood_loop_manager_t *g_loop;
static pb_latch g_latch;

static void start_loop(void)
{
    PB_CHECK(brood_initialize() == APR_SUCCESS);
    PB_CHECK(brood_loop_manager_get(&g_loop, NULL, 0) == APR_SUCCESS);
    PB_CHECK(brood_loop_manager_start(g_loop, NULL) == APR_SUCCESS);
}

static void spawn(brood_task_fn *fn, void *baton)
{
    PB_CHECK(brood_loop_manager_submit(NULL, g_loop, fn, baton, NULL)
             == APR_SUCCESS);
}

/* --- co.spawn: one that never awaits, beside a post ----------------------- */

static apr_status_t count_and_end(PB_UNUSED void *baton,
                                  PB_UNUSED void **result)
{
    pb_latch_down(&g_latch);
    return APR_SUCCESS;
}

static void count_call(PB_UNUSED void *baton)
{
    pb_latch_down(&g_latch);
}

static void spawn_one(void)
{
    spawn(count_and_end, NULL);
}

static void post_one(void)
{
    PB_CHECK(brood_loop_manager_post(g_loop, count_call, NULL) == APR_SUCCESS);
}

static inline pb_span send_all(void (*send_one)(void), long n)
{
    pb_span begin = pb_begin();
    long i;

    pb_latch_init(&g_latch, n);
    for (i = 0; i < n; i++)
        send_one();
    pb_latch_wait(&g_latch);
    return pb_end(begin);
}

/* In turns, so that what wears off or warms up does so for both. */
static void co_spawn(void)
{
    enum { TURNS = 5 };
    const long n = pb_n(200000);
    pb_span spawned = { 0, 0 }, posted = { 0, 0 }, span;
    int i;

    for (i = 0; i < TURNS; i++) {
        span = send_all(spawn_one, n);
        spawned.wall += span.wall;
        spawned.cpu += span.cpu;
        span = send_all(post_one, n);
        posted.wall += span.wall;
        posted.cpu += span.cpu;
    }
    pb_out_span("co.spawn", 1, spawned, (double)n * TURNS, "coroutine");
    pb_out_span("co.post", 1, posted, (double)n * TURNS, "callback");
}

/* --- co.yield: two that give way to each other ---------------------------- */

static const void *g_last; /* who ran last */
static long g_turns;       /* how often it was the other one */

/* The first one's span goes to its baton. */
static apr_status_t give_way(void *baton, PB_UNUSED void **result)
{
    const long n = pb_n(1000000);
    pb_span begin = pb_begin();
    long i;

    for (i = 0; i < n; i++) {
        g_turns += g_last != baton;
        g_last = baton;
        PB_CHECK(brood_yield() == APR_SUCCESS);
    }
    *(pb_span *)baton = pb_end(begin);
    pb_latch_down(&g_latch);
    return APR_SUCCESS;
}

static void spawn_two(void *baton)
{
    pb_span *spans = baton;

    spawn(give_way, &spans[0]);
    spawn(give_way, &spans[1]);
}

static void co_yield (void)
{
    const long n = pb_n(1000000);
    pb_span spans[2];

    pb_latch_init(&g_latch, 2);
    PB_CHECK(brood_loop_manager_post(g_loop, spawn_two, spans) == APR_SUCCESS);
    pb_latch_wait(&g_latch);
    PB_CHECK(g_turns == 2 * n);
    pb_out_span("co.yield", 1, spans[1], 2.0 * (double)n, "yield");
}

/* --- co.many: as many as there is room for -------------------------------- */

/* The loop's thread only, the first two. */
static long g_waiting;
static long g_refused;
static brood_future_t *g_end;

/* To wait is what needs a stack of one's own. */
static apr_status_t wait_for_end(PB_UNUSED void *baton, PB_UNUSED void **result)
{
    void *value = NULL;
    apr_status_t rv;

    g_waiting++;
    rv = brood_await(g_end, &value);
    if (rv == APR_ENOMEM) {
        g_waiting--;
        g_refused++;
    } else {
        PB_CHECK(rv == APR_SUCCESS && value == &g_end);
    }
    pb_latch_down(&g_latch);
    return APR_SUCCESS;
}

/* What is posted last runs last: then all the others wait, or were refused. */
static void tell_arrived(void *event)
{
    pb_event_set(event);
}

static void wait_until_all_wait(void)
{
    pb_event arrived;

    pb_event_reset(&arrived);
    PB_CHECK(brood_loop_manager_post(g_loop, tell_arrived, &arrived)
             == APR_SUCCESS);
    pb_event_wait(&arrived);
}

/* 30,000 fit everywhere; more than 32,753 where the kernel has guards that need
 * no mapping of their own. */
static void co_many(void)
{
    const long n = pb_n(100000), least = pb_n(30000);
    brood_promise_t *promise;
    int64_t before, resident;
    long i;
    pb_span begin;

    PB_CHECK(brood_promise_make(&promise, &g_end, NULL) == APR_SUCCESS);
    pb_latch_init(&g_latch, n);
    before = pb_resident();
    begin = pb_begin();
    for (i = 0; i < n; i++)
        spawn(wait_for_end, NULL);
    wait_until_all_wait();
    begin = pb_end(begin);
    resident = pb_resident() - before;
    PB_CHECK(g_waiting + g_refused == n && g_waiting >= least);
    PB_CHECK(brood_promise_settle(promise, APR_SUCCESS, &g_end) == APR_SUCCESS);
    pb_latch_wait(&g_latch);
    brood_future_release(g_end);
    pb_out("co.many", "", 1, (double)g_waiting, "coroutines", "");
    pb_out("co.many.resident", "", 1,
           (double)resident / 1024 / (double)g_waiting, "KiB", "");
    pb_out_span("co.many.each", 1, begin, (double)g_waiting, "coroutine");
}

/* --- main ----------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*run)(void);
} g_workloads[] = {
    { "co.spawn", co_spawn },
    { "co.yield", co_yield },
    { "co.many", co_many },
};

int main(int argc, char **argv)
{
    int found = 0;
    size_t i;

    if (argc != 3 || atoi(argv[2]) != 1) {
        fprintf(stderr, "usage: %s WORKLOAD 1\n", argv[0]);
        return 2;
    }
    start_loop();
    send_all(spawn_one, 2000);
    send_all(post_one, 2000);
    for (i = 0; i < sizeof(g_workloads) / sizeof(g_workloads[0]); i++)
        if (pb_is(g_workloads[i].name, argv[1])) {
            found = 1;
            g_workloads[i].run();
        }
    _exit(found ? 0 : 2);
}
