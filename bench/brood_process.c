/* SPDX-License-Identifier: Apache-2.0 */

/* brood_process.c: the process manager in the workloads of pb_process.h.
 * Nothing is set but the number of workers. */

#define PEER "brood"
#define PEER_MEMORY

#include <brood.h>

#include "pb.h"

enum { PEER_WINDOW = 100000 };

typedef brood_future_t *pb_call;

static brood_process_manager_t *g_manager;

static apr_status_t nothing(PB_UNUSED const void *in, PB_UNUSED apr_size_t len,
                            PB_UNUSED brood_buffer_t **out)
{
    return APR_SUCCESS;
}

static apr_status_t echo(const void *in, apr_size_t len, brood_buffer_t **out)
{
    return brood_buffer_copy(out, in, len);
}

static apr_status_t block(PB_UNUSED const void *in, PB_UNUSED apr_size_t len,
                          PB_UNUSED brood_buffer_t **out)
{
    while (!brood_task_canceled())
        pb_sleep_long();
    return BROOD_ECANCELED;
}

static const brood_process_entry_t g_functions[] = { { "nothing", nothing },
                                                     { "echo", echo },
                                                     { "block", block },
                                                     { NULL, NULL } };

static int process_begin(int argc, char **argv)
{
    brood_process_main(argc, (const char *const *)argv, g_functions);
    PB_CHECK(brood_initialize() == APR_SUCCESS);
    PB_CHECK(brood_process_manager_get(&g_manager, NULL, 0) == APR_SUCCESS);
    return 0;
}

static void process_start(int workers)
{
    brood_process_manager_options_t options =
        BROOD_PROCESS_MANAGER_OPTIONS_INIT;

    options.max_workers = workers;
    options.min_workers = workers;
    PB_CHECK(brood_process_manager_start(g_manager, &options) == APR_SUCCESS);
}

static void process_stop(void)
{
    PB_CHECK(brood_process_manager_stop(g_manager, BROOD_STOP_DRAIN, -1)
             == APR_SUCCESS);
}

static inline pb_call submit(const char *function, const void *in, size_t len)
{
    pb_call call;

    PB_CHECK(
        brood_process_manager_submit(&call, g_manager, function, in, len, NULL)
        == APR_SUCCESS);
    return call;
}

static inline pb_call process_call(void)
{
    return submit("nothing", NULL, 0);
}

static inline void process_end(pb_call call)
{
    PB_CHECK(brood_future_get(call, NULL, -1) == APR_SUCCESS);
    brood_future_release(call);
}

static const void *process_echo(PB_UNUSED void *to, const void *from,
                                size_t len)
{
    static pb_call call;
    void *value;

    brood_future_release(call);
    call = submit("echo", from, len);
    PB_CHECK(brood_future_get(call, &value, -1) == APR_SUCCESS);
    PB_CHECK(brood_buffer_size(value) == len);
    return brood_buffer_data(value);
}

/* Each worker has one. */
static void process_block(void)
{
    brood_stats_t stats = BROOD_STATS_INIT;
    int i;

    PB_CHECK(brood_process_manager_stats(g_manager, &stats) == APR_SUCCESS);
    for (i = 0; i < (int)stats.workers; i++)
        submit("block", NULL, 0);
    while (stats.running < stats.workers) {
        pb_sleep_us(1000);
        PB_CHECK(brood_process_manager_stats(g_manager, &stats) == APR_SUCCESS);
    }
}

#include "pb_process.h"
