/* SPDX-License-Identifier: Apache-2.0 */

/* t_tbb.cpp: oneTBB, task_arena::enqueue() into an arena of THREADS slots, none
 * of them for the caller. Built with TBB_GROUP: task_group in an arena of
 * THREADS slots, the caller among them; it helps while it waits. */

#ifdef TBB_GROUP
#define PEER "oneTBB-group"
#define PEER_TEAM
#define PEER_WAIT
#else
#define PEER "oneTBB-enqueue"
#endif

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include "pb.h"

namespace onetbb = oneapi::tbb;

static onetbb::global_control *g_limit;
static onetbb::task_arena *g_arena;

static void start_arena(int slots, unsigned for_caller, int parallelism)
{
    g_limit = new onetbb::global_control(
        onetbb::global_control::max_allowed_parallelism,
        static_cast<size_t>(parallelism));
    g_arena = new onetbb::task_arena(slots, for_caller);
    g_arena->initialize();
}

#ifdef TBB_GROUP
static onetbb::task_group *g_group;

static void pool_start(int workers)
{
    start_arena(workers, 1, workers);
    g_group = new onetbb::task_group;
}

static void pool_submit(pb_task_fn *fn, void *baton)
{
    g_group->run([fn, baton] { fn(baton); });
}

static void pool_wait(void)
{
    g_group->wait();
}

static void pool_enter(void (*run)(void))
{
    g_arena->execute([run] { run(); });
}
#else
static void pool_start(int workers)
{
    start_arena(workers, 0, workers + 1);
}

static void pool_submit(pb_task_fn *fn, void *baton)
{
    g_arena->enqueue([fn, baton] { fn(baton); });
}
#endif

#include "pb_pool.h"
