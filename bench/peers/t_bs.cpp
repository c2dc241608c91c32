/* SPDX-License-Identifier: Apache-2.0 */

/* t_bs.cpp: BS::thread_pool, detach_task() and submit_task(). */

#define PEER "BS-thread_pool"
#define PEER_WAIT
#define PEER_FUTURE

#include <BS_thread_pool.hpp>

#include "pb.h"

typedef std::future<void *> pb_future;

static BS::thread_pool<> *g_pool;

static void pool_start(int workers)
{
    g_pool = new BS::thread_pool<>(static_cast<size_t>(workers));
}

static void pool_submit(pb_task_fn *fn, void *baton)
{
    g_pool->detach_task([fn, baton] { fn(baton); });
}

static void pool_wait(void)
{
    g_pool->wait();
}

static pb_future pool_future(void *baton)
{
    return g_pool->submit_task([baton] { return baton; });
}

static void *pool_get(pb_future &future)
{
    return future.get();
}

#include "pb_pool.h"
