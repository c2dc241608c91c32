/* SPDX-License-Identifier: Apache-2.0 */

/* t_dispatch.c: libdispatch. With 1 worker a serial queue, otherwise the global
 * concurrent one, which has as many threads as there are CPUs and cannot be
 * asked for another number. Its futures are blocks that can be waited for, where
 * the compiler has blocks. */

#define PEER "libdispatch"
#define PEER_WAIT
#define PEER_WAITED
#ifdef __BLOCKS__
#define PEER_FUTURE
#endif

#include <dispatch/dispatch.h>

#include "pb.h"

static dispatch_queue_t g_queue;
static dispatch_group_t g_group;

static void pool_start(int workers)
{
    g_queue = workers == 1
                  ? dispatch_queue_create("bench", DISPATCH_QUEUE_SERIAL)
                  : dispatch_get_global_queue(0, 0);
    g_group = dispatch_group_create();
}

static void pool_submit(pb_task_fn *fn, void *baton)
{
    dispatch_async_f(g_queue, baton, fn);
}

static void pool_submit_waited(pb_task_fn *fn, void *baton)
{
    dispatch_group_async_f(g_group, g_queue, baton, fn);
}

static void pool_wait(void)
{
    dispatch_group_wait(g_group, DISPATCH_TIME_FOREVER);
}

#ifdef __BLOCKS__
#include <Block.h>

typedef struct block_future {
    dispatch_block_t block;
    void *value;
} * pb_future;

static pb_future pool_future(void *baton)
{
    pb_future future = malloc(sizeof(*future));

    future->value = NULL;
    future->block = dispatch_block_create(0, ^{
      future->value = baton;
    });
    dispatch_async(g_queue, future->block);
    return future;
}

static void *pool_get(pb_future future)
{
    void *value;

    dispatch_block_wait(future->block, DISPATCH_TIME_FOREVER);
    value = future->value;
    Block_release(future->block);
    free(future);
    return value;
}
#endif

#include "pb_pool.h"
