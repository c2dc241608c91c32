/* SPDX-License-Identifier: Apache-2.0 */

/* l_asio.cpp: Asio without Boost: an io_context in a thread, told that others
 * post to it; steady_timer; blocking calls go to a thread_pool and come back. */

#define PEER "asio-io_context"
#define PEER_FUTURE
#define PEER_TIMER
#define PEER_OFFLOAD
#define PEER_EVENT

#include <asio.hpp>
#include <memory>

#include "pb.h"

typedef std::future<void *> pb_future;

static asio::io_context g_loop(2);
static asio::thread_pool *g_pool;
static inline void timer_fired(void);

static void loop_submit(pb_loop_fn *fn, void *baton)
{
    asio::post(g_loop, [fn, baton] { fn(baton); });
}

static pb_future loop_future(void *baton)
{
    return asio::post(g_loop, asio::use_future([baton] { return baton; }));
}

static void *loop_get(pb_future &future)
{
    return future.get();
}

static void *run_loop(PB_UNUSED void *baton)
{
    auto guard = asio::make_work_guard(g_loop);

    g_loop.run();
    return nullptr;
}

static void loop_start(int workers)
{
    pthread_t thread;

    g_pool = new asio::thread_pool(static_cast<size_t>(workers));
    PB_CHECK(!pthread_create(&thread, nullptr, run_loop, nullptr));
}

static void loop_timer(unsigned us)
{
    auto timer = std::make_unique<asio::steady_timer>(
        g_loop, std::chrono::microseconds(us));
    asio::steady_timer *waiting = timer.get();

    waiting->async_wait(
        [timer = std::move(timer)](const asio::error_code &) { timer_fired(); });
}

static void wait_readable(asio::posix::stream_descriptor *socket,
                          pb_loop_fn *fn, void *baton)
{
    socket->async_wait(asio::posix::stream_descriptor::wait_read,
                       [=](const asio::error_code &) {
                           wait_readable(socket, fn, baton);
                           fn(baton);
                       });
}

static void loop_on_readable(int fd, pb_loop_fn *fn, void *baton)
{
    wait_readable(new asio::posix::stream_descriptor(g_loop, fd), fn, baton);
}

static void loop_offload(pb_loop_fn *work, pb_loop_fn *done, void *baton)
{
    asio::post(*g_pool, [work, done, baton] {
        work(baton);
        asio::post(g_loop, [done, baton] { done(baton); });
    });
}

#include "pb_loop.h"
