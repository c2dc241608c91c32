/* SPDX-License-Identifier: Apache-2.0 */

/* brood_pool.c: the thread manager in the workloads of pb_pool.h. Nothing is
 * set but the number of workers. */

#define PEER "brood"
#define PEER_WAIT
#define PEER_FUTURE

#include <brood.h>

#define PEER_TASK(name)                                                        \
    static apr_status_t name(PB_UNUSED void *baton, PB_UNUSED void **result)
#define PEER_END return APR_SUCCESS
typedef brood_task_fn pb_task_fn;

#include "pb.h"

typedef brood_future_t *pb_future;

static brood_thread_manager_t *g_manager;

static void pool_start(int workers)
{
    brood_thread_manager_options_t options = BROOD_THREAD_MANAGER_OPTIONS_INIT;

    options.max_workers = workers;
    options.min_workers = workers;
    PB_CHECK(brood_initialize() == APR_SUCCESS);
    PB_CHECK(brood_thread_manager_get(&g_manager, NULL, 0) == APR_SUCCESS);
    PB_CHECK(brood_thread_manager_start(g_manager, &options) == APR_SUCCESS);
}

static inline void pool_submit(pb_task_fn *fn, void *baton)
{
    PB_CHECK(brood_thread_manager_submit(NULL, g_manager, fn, baton, NULL)
             == APR_SUCCESS);
}

static void pool_wait(void)
{
    PB_CHECK(brood_thread_manager_wait_idle(g_manager, -1) == APR_SUCCESS);
}

static apr_status_t give_back(void *baton, void **result)
{
    *result = baton;
    return APR_SUCCESS;
}

static inline pb_future pool_future(void *baton)
{
    pb_future future;

    PB_CHECK(
        brood_thread_manager_submit(&future, g_manager, give_back, baton, NULL)
        == APR_SUCCESS);
    return future;
}

static inline void *pool_get(pb_future future)
{
    void *value;

    PB_CHECK(brood_future_get(future, &value, -1) == APR_SUCCESS);
    brood_future_release(future);
    return value;
}

#include "pb_pool.h"
