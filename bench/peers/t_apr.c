/* SPDX-License-Identifier: Apache-2.0 */

/* t_apr.c: apr_thread_pool. A push walks all tasks that wait, so a million of
 * them would never end: bench/run gives it a fiftieth of everybody's N. */

#define PEER "apr_thread_pool"

#include <apr_general.h>
#include <apr_pools.h>
#include <apr_thread_pool.h>

#define PEER_TASK(name)                                                        \
    static void *APR_THREAD_FUNC name(PB_UNUSED apr_thread_t *thread,          \
                                      PB_UNUSED void *baton)
#define PEER_END return NULL
typedef void *APR_THREAD_FUNC pb_task_fn(apr_thread_t *thread, void *baton);

#include "pb.h"

static apr_pool_t *g_pool;
static apr_thread_pool_t *g_threads;

static void pool_start(int workers)
{
    PB_CHECK(apr_initialize() == APR_SUCCESS);
    PB_CHECK(apr_pool_create(&g_pool, NULL) == APR_SUCCESS);
    PB_CHECK(apr_thread_pool_create(&g_threads, (apr_size_t)workers,
                                    (apr_size_t)workers, g_pool)
             == APR_SUCCESS);
}

static void pool_submit(pb_task_fn *fn, void *baton)
{
    PB_CHECK(apr_thread_pool_push(g_threads, fn, baton,
                                  APR_THREAD_TASK_PRIORITY_NORMAL, NULL)
             == APR_SUCCESS);
}

#include "pb_pool.h"
