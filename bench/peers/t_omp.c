/* SPDX-License-Identifier: Apache-2.0 */

/* t_omp.c: the tasks of OpenMP, by GNU's library. THREADS is the team; the
 * caller is one of it and helps while it waits. Past 64 tasks a thread libgomp
 * runs a new one at once, inside of the submit: most of T1 and T4 is a function
 * call, so it is shown by name but is no peer. */

#define PEER "inline-libgomp"
#define PEER_TEAM
#define PEER_WAIT

#include <omp.h>

#include "pb.h"

/* `#pragma omp taskgroup` wants a block; these are its beginning and its end. */
void GOMP_taskgroup_start(void);
void GOMP_taskgroup_end(void);

static void pool_start(int workers)
{
    omp_set_dynamic(0);
    omp_set_num_threads(workers);
}

static void pool_submit(pb_task_fn *fn, void *baton)
{
#pragma omp task firstprivate(fn, baton)
    fn(baton);
}

/* All since the last call, with what they submitted. */
static void pool_wait(void)
{
    GOMP_taskgroup_end();
    GOMP_taskgroup_start();
}

/* The others run tasks at the end of the block. */
static void pool_enter(void (*run_workload)(void))
{
#pragma omp parallel
#pragma omp single
    {
        GOMP_taskgroup_start();
        run_workload();
        GOMP_taskgroup_end();
    }
}

#include "pb_pool.h"
