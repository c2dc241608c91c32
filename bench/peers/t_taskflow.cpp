/* SPDX-License-Identifier: Apache-2.0 */

/* t_taskflow.cpp: the executor of Taskflow, silent_async() and async(). */

#define PEER "taskflow"
#define PEER_WAIT
#define PEER_FUTURE

#include <taskflow/taskflow.hpp>

#include "pb.h"

typedef std::future<void *> pb_future;

static tf::Executor *g_executor;

static void pool_start(int workers)
{
    g_executor = new tf::Executor(static_cast<size_t>(workers));
}

static void pool_submit(pb_task_fn *fn, void *baton)
{
    g_executor->silent_async([fn, baton] { fn(baton); });
}

static void pool_wait(void)
{
    g_executor->wait_for_all();
}

static pb_future pool_future(void *baton)
{
    return g_executor->async([baton] { return baton; });
}

static void *pool_get(pb_future &future)
{
    return future.get();
}

#include "pb_pool.h"
