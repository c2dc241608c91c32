/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PB_POOL_H
#define PB_POOL_H

/*
 * pb_pool.h: the workloads of a thread pool, and main(). The last include of a
 * program that defines
 *
 *   PEER                                            its name
 *   void pool_start(int workers)
 *   void pool_submit(pb_task_fn *fn, void *baton)   from any thread
 *
 * and may define
 *
 *   PEER_WAIT    and  void pool_wait(void): until all is done
 *   PEER_WAITED  and  void pool_submit_waited(fn, baton): pool_wait() waits only
 *                for what comes through this one
 *   PEER_FUTURE  and  pb_future, pb_future pool_future(void *baton) for an
 *                empty task whose value is `baton`, void *pool_get(pb_future)
 *                to wait for it and drop it (in C++ it may take a reference);
 *                others get a future such as a user would write
 *   PEER_TEAM    the calling thread counts as a worker and helps in
 *                pool_wait(); void pool_enter(void (*run)(void)) calls run()
 *                as a member of the team
 *
 * All is static so that a peer's submit can be inlined, as a user's would be.
 */

#include "pb.h"

#ifndef PEER_WAITED
#define pool_submit_waited pool_submit
#endif

static pb_latch g_latch;
static int g_workers;

#ifdef PEER_WAIT
PEER_TASK(task_empty)
{
    PEER_END;
}
#endif

PEER_TASK(task_count)
{
    pb_latch_down(&g_latch);
    PEER_END;
}

PEER_TASK(task_set)
{
    pb_event_set((pb_event *)baton);
    PEER_END;
}

PEER_TASK(task_block)
{
    pb_event_wait((pb_event *)baton);
    PEER_END;
}

/* --- The future of a pool that has none ----------------------------------- */

#ifndef PEER_FUTURE
typedef struct own_future {
    pb_event done;
    void *baton;
    void *value;
} * pb_future;

PEER_TASK(task_future)
{
    pb_future future = (pb_future)baton;

    future->value = future->baton;
    pb_event_set(&future->done);
    PEER_END;
}

static inline pb_future pool_future(void *baton)
{
    pb_future future = (pb_future)malloc(sizeof(*future));

    pb_event_reset(&future->done);
    future->baton = baton;
    future->value = NULL;
    pool_submit(task_future, future);
    return future;
}

static inline void *pool_get(pb_future future)
{
    void *value;

    pb_event_wait(&future->done);
    value = future->value;
    free(future);
    return value;
}
#endif

#include "pb_pool_tasks.h"
#include "pb_pool_wait.h"

/* --- main ----------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*run)(void);
} g_workloads[] = {
    { "T1", t1 },
    { "T1f", t1f },
    { "T2", t2 },
    { "T2.idle30", t2_idle_producers },
    { "T2.1cpu", t2_one_cpu },
    { "T3", t3 },
    { "T4", t4 },
    { "T5.1us", t5_1us },
    { "T5.10us", t5_10us },
    { "T6", t6 },
    { "T6f", t6f },
    { "W1", w1 },
    { "W2", w2 },
    { "W2.behind", w2_behind },
    { "W3", w3 },
    { "W3.hogs", w3_hogs },
    { "idle", idle },
};

static int g_found;

static void run_workload(void)
{
    size_t i;

    warm_up();
    for (i = 0; i < sizeof(g_workloads) / sizeof(g_workloads[0]); i++)
        if (pb_is(g_workloads[i].name, g_workload)) {
            g_found = 1;
            g_workloads[i].run();
        }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s WORKLOAD WORKERS\n", argv[0]);
        return 2;
    }
    g_workload = argv[1];
    g_workers = atoi(argv[2]);
    if (pb_is(g_workload, "T2.1cpu"))
        pb_pin_to_one_cpu();
    if (pb_is(g_workload, "W3.hogs"))
        start_hogs();
    pool_start(g_workers);
#ifdef PEER_TEAM
    pool_enter(run_workload);
#else
    run_workload();
#endif
    end_hogs();
    /* Taking a pool down is not measured, and some peers hang in it. */
    _exit(g_found ? 0 : 2);
}

#endif /* PB_POOL_H */
