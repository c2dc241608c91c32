/* SPDX-License-Identifier: Apache-2.0 */

/* brood_lineage.c: finding a manager that is owned ten generations up. THREADS
 * threads look at the same time: were anything written that they share, two
 * would be slower than one. */

#define PEER "brood"

#include <brood.h>

#include "pb.h"

enum { GENERATIONS = 10, MOST_THREADS = 16 };

/* The id of the manager, and one that each generation between owns: it is
 * looked at and walked past. */
static const char g_id[] = "measured";
static const char g_other_id[] = "between";

/* A line of descent below the main thread, which owns the manager. */
typedef struct line {
    apr_thread_t *threads[GENERATIONS];
    apr_pool_t *pool;
    int generation; /* of the thread made last; the main thread's is 0 */
    double ns;
} line;

static brood_thread_manager_t *g_manager;
static pthread_barrier_t g_barrier;

static double look_up(long n)
{
    brood_thread_manager_t *found = NULL;
    uint64_t begin;
    long i;

    PB_CHECK(brood_thread_manager_get(&found, g_id, 0) == APR_SUCCESS);
    pthread_barrier_wait(&g_barrier);
    begin = pb_ns();
    for (i = 0; i < n; i++)
        brood_thread_manager_get(&found, g_id, 0);
    begin = pb_ns() - begin;
    PB_CHECK(found == g_manager);
    return (double)begin / (double)n;
}

/* Each thread makes the next one and waits for it; the last one looks. On
 * Windows, APR's join of a thread that just returns is no success. */
static void *APR_THREAD_FUNC descend(apr_thread_t *thread, void *baton)
{
    brood_thread_manager_t *between;
    line *self = baton;
    const int generation = ++self->generation;
    apr_status_t rv;

    if (generation == GENERATIONS) {
        self->ns = look_up(pb_n(2000000));
        apr_thread_exit(thread, APR_SUCCESS);
        return NULL;
    }
    PB_CHECK(
        brood_thread_manager_get(&between, g_other_id, BROOD_GET_FORCE_CREATE)
        == APR_SUCCESS);
    PB_CHECK(brood_thread_create(&self->threads[generation], NULL, descend,
                                 self, self->pool)
             == APR_SUCCESS);
    PB_CHECK(apr_thread_join(&rv, self->threads[generation]) == APR_SUCCESS);
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

int main(int argc, char **argv)
{
    apr_thread_t *threads[MOST_THREADS];
    line lines[MOST_THREADS];
    double slowest = 0;
    apr_status_t rv;
    int n, i;

    if (argc != 3 || !pb_is(argv[1], "lineage") || atoi(argv[2]) < 1
        || atoi(argv[2]) > MOST_THREADS) {
        fprintf(stderr, "usage: %s lineage THREADS\n", argv[0]);
        return 2;
    }
    n = atoi(argv[2]);
    PB_CHECK(brood_initialize() == APR_SUCCESS);
    PB_CHECK(brood_thread_manager_get(&g_manager, g_id, 0) == APR_SUCCESS);
    pthread_barrier_init(&g_barrier, NULL, (unsigned)n);
    for (i = 0; i < n; i++) {
        lines[i].generation = 0;
        PB_CHECK(apr_pool_create(&lines[i].pool, NULL) == APR_SUCCESS);
        PB_CHECK(brood_thread_create(&threads[i], NULL, descend, &lines[i],
                                     lines[i].pool)
                 == APR_SUCCESS);
    }
    for (i = 0; i < n; i++) {
        PB_CHECK(apr_thread_join(&rv, threads[i]) == APR_SUCCESS);
        if (lines[i].ns > slowest)
            slowest = lines[i].ns;
    }
    pb_out("lineage", "", n, slowest, "ns", "");
    fflush(stdout);
    _exit(0);
}
