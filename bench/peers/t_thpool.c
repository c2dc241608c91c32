/* SPDX-License-Identifier: Apache-2.0 */

/* t_thpool.c: the C-Thread-Pool of Pithikos. */

#define PEER "C-Thread-Pool"
#define PEER_WAIT

#include <thpool.h>

#include "pb.h"

static threadpool g_pool;

static void pool_start(int workers)
{
    g_pool = thpool_init(workers);
    PB_CHECK(g_pool);
}

static void pool_submit(pb_task_fn *fn, void *baton)
{
    PB_CHECK(thpool_add_work(g_pool, fn, baton) == 0);
}

static void pool_wait(void)
{
    thpool_wait(g_pool);
}

#include "pb_pool.h"
