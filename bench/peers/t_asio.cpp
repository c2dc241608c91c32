/* SPDX-License-Identifier: Apache-2.0 */

/* t_asio.cpp: Asio without Boost: post() into a thread_pool, its futures by
 * use_future. Its join() is for good, so it has no wait for all. */

#define PEER "asio-thread_pool"
#define PEER_FUTURE

#include <asio.hpp>

#include "pb.h"

typedef std::future<void *> pb_future;

static asio::thread_pool *g_pool;

static void pool_start(int workers)
{
    g_pool = new asio::thread_pool(static_cast<size_t>(workers));
}

static void pool_submit(pb_task_fn *fn, void *baton)
{
    asio::post(*g_pool, [fn, baton] { fn(baton); });
}

static pb_future pool_future(void *baton)
{
    return asio::post(*g_pool, asio::use_future([baton] { return baton; }));
}

static void *pool_get(pb_future &future)
{
    return future.get();
}

#include "pb_pool.h"
