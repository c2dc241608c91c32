/* SPDX-License-Identifier: Apache-2.0 */

/* t_pthread.c: the mutex-and-condition pool of pb_list.h. */

#define PEER "mutex-pool"

#include "pb.h"
#include "pb_list.h"

static void pool_start(int workers)
{
    list_start(workers);
}

static void pool_submit(pb_task_fn *fn, void *baton)
{
    list_submit(fn, baton);
}

#include "pb_pool.h"
