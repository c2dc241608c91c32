/* SPDX-License-Identifier: Apache-2.0 */

/* t_marl.cpp: marl. Each thread that submits is bound to the scheduler first;
 * bound threads run none of the others' tasks. A future is an event and the
 * place of its value. */

#define PEER "marl"
#define PEER_FUTURE

#include <marl/event.h>
#include <marl/scheduler.h>

#include "pb.h"

typedef struct marl_future {
    marl::Event done;
    void *value;
} * pb_future;

static marl::Scheduler *g_scheduler;
static thread_local bool tl_bound;

static void bind_thread(void)
{
    if (!tl_bound && !marl::Scheduler::get())
        g_scheduler->bind();
    tl_bound = true;
}

static void pool_start(int workers)
{
    marl::Scheduler::Config config;

    config.setWorkerThreadCount(workers);
    g_scheduler = new marl::Scheduler(config);
    bind_thread();
}

static void pool_submit(pb_task_fn *fn, void *baton)
{
    if (!tl_bound)
        bind_thread();
    marl::schedule([fn, baton] { fn(baton); });
}

static pb_future pool_future(void *baton)
{
    pb_future future = new marl_future{
        marl::Event(marl::Event::Mode::Manual), nullptr
    };
    marl::Event done = future->done; /* lives on after the waiter's end */

    marl::schedule([future, done, baton] {
        future->value = baton;
        done.signal();
    });
    return future;
}

static void *pool_get(pb_future future)
{
    void *value;

    future->done.wait();
    value = future->value;
    delete future;
    return value;
}

#include "pb_pool.h"
