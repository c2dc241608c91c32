/* SPDX-License-Identifier: Apache-2.0 */

/*
 * map.c: one function over an array, in parallel.
 *
 * The array is cut into chunks. Some runner tasks, not more than workers, take
 * chunk after chunk by an atomic index, so an array of a million costs a
 * handful of tasks, and a worker that waits for the whole may take chunks too.
 *
 * `left` counts chunks that are not done; whoever takes it to 0 settles, once.
 * To give the rest up (a failure, a cancel, the last runner was refused) somebody
 * takes all chunks that are not begun, at once, by moving `next` to the end.
 * `refs` keeps the record: the future's until it settles, and each runner's,
 * given back by `destroy`, which is called for accepted runners whether they run
 * or not.
 */

#include <brood/errors.h>

#include "base/alloc.h"
#include "lineage/life.h"
#include "thread/thread_manager.h"

#define CHUNKS_EACH 8  /* a worker's, when the caller leaves the choice to us */
#define LOOK_EACH   16 /* elements between two looks whether to go on */

typedef struct map_t {
    brood_future_t *future;      /* the settler's reference */
    brood__scope_t *scope;       /* of the caller; one reference */
    brood__executor_t *executor; /* only compared */
    brood_task_fn *fn;
    char *base;
    apr_size_t n, stride, chunk, chunks;
    atomic_size_t next; /* chunk to begin */
    atomic_size_t left; /* chunks not done */
    atomic_size_t refs;
    atomic_size_t runners; /* accepted and not destroyed */
    atomic_int failed;     /* `status` is being or was written */
    apr_status_t status;
    void (*destroy)(void *baton);
} map_t;

static apr_status_t begin(brood_future_t **future,
                          brood_thread_manager_t *manager, map_t *map,
                          apr_size_t runners,
                          const brood_task_options_t *options);
static apr_status_t run(void *map, void **unused);
static int do_chunk(map_t *map);
static void fail(map_t *map, apr_status_t status);
static void give_up(map_t *map, apr_status_t status);
static void count_down(map_t *map, apr_size_t chunks);
static void runner_gone(void *map);
static void release(map_t *map);
static void on_token(brood__home_t *home, brood_future_t *future);
static int help(brood_future_t *future,
                int (*run_other)(void *baton, brood_future_t *other),
                void *baton);
static map_t *hold(brood_future_t *future);

static const brood__home_ops_t map_ops = { .noun = "map",
                                           .token = on_token,
                                           .help = help };
static brood__home_t g_map_home = { &map_ops };

static map_t *map_make(brood_task_fn *fn, void *base, apr_size_t n,
                       apr_size_t stride, apr_size_t chunk,
                       const brood_task_options_t *options)
{
    map_t *map = brood__alloc(sizeof(*map));

    if (!map)
        return NULL;
    map->future = brood__future_make_running(&g_map_home, 1);
    if (!map->future) {
        brood__free(map);
        return NULL;
    }
    map->future->extra->owner = map;
    map->future->extra->name = options->name;
    map->future->extra->flags = options->flags & BROOD_TASK_QUIET;
    /* A failure that nobody reads is reported, as any task's. */
    brood__and(&map->future->state, ~(unsigned)BROOD__NO_TASK, relaxed);
    map->scope = brood__self.now.scope;
    brood__scope_retain(map->scope);
    map->fn = fn;
    map->base = base;
    map->n = n;
    map->stride = stride;
    map->chunk = chunk;
    map->chunks = n / chunk + (n % chunk != 0);
    map->destroy = options->destroy;
    atomic_init(&map->left, map->chunks);
    atomic_init(&map->refs, 1);
    return map;
}

/* Nothing was accepted. */
static void map_unmake(map_t *map)
{
    brood__future_unmake(map->future);
    brood__scope_release(map->scope, 1);
    brood__free(map);
}

/* Queue the runners, all or none. */
static apr_status_t submit_runners(brood_thread_manager_t *manager, map_t *map,
                                   apr_size_t n,
                                   const brood_task_options_t *options)
{
    brood_task_options_t each = *options;
    brood_task_t *tasks = brood__alloc(n * sizeof(*tasks));
    apr_status_t rv;
    apr_size_t i;

    if (!tasks)
        return APR_ENOMEM;
    for (i = 0; i < n; i++) {
        tasks[i].fn = run;
        tasks[i].baton = map;
    }
    each.size = sizeof(each);
    each.destroy = runner_gone;
    each.free_value = NULL;
    each.flags |= BROOD_TASK_QUIET;
    brood__add(&map->refs, n, relaxed);
    brood__store(&map->runners, n, relaxed);
    rv = brood__executor_submit_many(NULL, &manager->executor, tasks, n, &each);
    brood__free(tasks);
    return rv;
}

apr_status_t brood_thread_manager_map(brood_future_t **future,
                                      brood_thread_manager_t *manager,
                                      brood_task_fn *fn, void *base,
                                      apr_size_t n, apr_size_t stride,
                                      apr_size_t chunk,
                                      const brood_task_options_t *options)
{
    brood_task_options_t full;
    apr_size_t runners;
    apr_status_t rv;
    map_t *map;
    int needs;

    if (future)
        *future = NULL;
    rv = brood__life_check();
    if (rv != APR_SUCCESS)
        return rv;
    if (!manager || !fn || (n && !base)
        || (n > 1 && stride > SIZE_MAX / (n - 1)))
        return APR_EINVAL;
    rv = brood__task_options(&full, options, &needs);
    if (rv == APR_SUCCESS)
        rv = brood__self_ready();
    if (rv != APR_SUCCESS)
        return rv;
    runners = brood__executor_width(&manager->executor);
    if (!chunk)
        chunk = n / (runners * CHUNKS_EACH) + 1;
    map = map_make(fn, base, n ? n : 1, stride, chunk, &full);
    if (!map)
        return APR_ENOMEM;
    map->executor = &manager->executor;
    if (n == 0) /* one runner finds nothing to do, so types are checked too */
        map->n = 0;
    if (runners > map->chunks)
        runners = map->chunks;
    return begin(future, manager, map, runners, &full);
}

/* Queue the runners; on failure nothing was made. */
static apr_status_t begin(brood_future_t **future,
                          brood_thread_manager_t *manager, map_t *map,
                          apr_size_t runners,
                          const brood_task_options_t *options)
{
    brood_future_t *result = map->future;
    apr_status_t rv;

    brood__add(&map->refs, 1, relaxed); /* ours */
    rv = submit_runners(manager, map, runners, options);
    if (rv != APR_SUCCESS) {
        map_unmake(map);
        return rv;
    }
    if (map->n == 0)
        (void)do_chunk(map);
    release(map);
    if (future)
        *future = result;
    else
        brood_future_release(result);
    return APR_SUCCESS;
}

static apr_status_t run(void *baton, void **unused)
{
    map_t *map = baton;

    (void)unused;
    while (!brood_task_canceled() && do_chunk(map))
        ;
    if (brood_task_canceled())
        give_up(map, BROOD_ECANCELED);
    return APR_SUCCESS;
}

/* True: a chunk was run. */
static int do_chunk(map_t *map)
{
    apr_size_t at = brood__load(&map->next, relaxed);
    apr_size_t i, end;

    do
        if (at >= map->chunks)
            return 0;
    while (!brood__cas_weak(&map->next, &at, at + 1, relaxed));
    i = at * map->chunk;
    end = map->n - i < map->chunk ? map->n : i + map->chunk;
    for (; i < end; i++) {
        void *value = NULL;
        apr_status_t rv = BROOD_ECANCELED;

        if (i % LOOK_EACH || !brood_task_canceled())
            rv = map->fn(map->base + i * map->stride, &value);
        else
            fail(map, rv); /* also when every chunk was begun */
        if (rv != APR_SUCCESS) {
            give_up(map, rv);
            break;
        }
    }
    count_down(map, 1);
    return 1;
}

static void fail(map_t *map, apr_status_t status)
{
    if (!brood__swap(&map->failed, 1, relaxed))
        map->status = status; /* read by whoever takes `left` to 0 (A) */
}

/* The first status stands; chunks that are not begun are done with. */
static void give_up(map_t *map, apr_status_t status)
{
    apr_size_t at = brood__load(&map->next, relaxed);

    while (at < map->chunks
           && !brood__cas_weak(&map->next, &at, map->chunks, relaxed))
        ;
    /* A cancel that comes when all are begun changes nothing. */
    if (status != BROOD_ECANCELED || at < map->chunks)
        fail(map, status);
    if (at < map->chunks)
        count_down(map, map->chunks - at);
}

static void count_down(map_t *map, apr_size_t chunks)
{
    brood_future_t *future = map->future;

    if (brood__sub(&map->left, chunks, acq_rel) != chunks) /* (A) */
        return;
    brood__future_lock(future); /* a token that is just being raised looks */
    future->extra->owner = NULL;
    brood__future_unlock(future);
    if (map->destroy)
        map->destroy(map->base);
    brood__future_settle(future, map->status, NULL);
    release(map);
}

/* The last runner is gone, so nobody will begin another chunk. */
static void runner_gone(void *baton)
{
    map_t *map = baton;

    if (brood__sub(&map->runners, 1, acq_rel) == 1)
        give_up(map, BROOD_ECANCELED);
    release(map);
}

static void release(map_t *map)
{
    if (brood__sub(&map->refs, 1, acq_rel) == 1) {
        brood__scope_release(map->scope, 1);
        brood__free(map);
    }
}

static map_t *hold(brood_future_t *future)
{
    map_t *map;

    brood__future_lock(future);
    map = future->extra->owner;
    if (map)
        brood__add(&map->refs, 1, relaxed);
    brood__future_unlock(future);
    return map;
}

static void on_token(brood__home_t *home, brood_future_t *future)
{
    map_t *map = hold(future);

    (void)home;
    if (!map)
        return;
    give_up(map, BROOD_ECANCELED);
    release(map);
}

/* A worker waits for the whole: it takes a chunk. */
static int help(brood_future_t *future,
                int (*run_other)(void *baton, brood_future_t *other),
                void *baton)
{
    map_t *map = hold(future);
    brood__frame_t saved;
    int helped;

    (void)run_other;
    (void)baton;
    if (!map)
        return 0;
    helped = brood__executor_current() == map->executor;
    if (helped) {
        brood__frame_begin(&saved, map->scope, NULL); /* as its runners do */
        helped = do_chunk(map);
        brood__frame_end(&saved);
    }
    release(map);
    return helped;
}
