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
 *
 * The runners' futures are kept, too: a cancel of the whole raises their tokens,
 * so that calls under way see it, and a worker that waits for the whole runs one
 * that is still queued. Queue and run timeouts are the runners' own; what one of
 * them meets is how the whole goes, unless the array is done all the same.
 */

#include <brood/errors.h>

#include "base/alloc.h"
#include "lineage/life.h"
#include "thread/thread_manager.h"

#define CHUNKS_EACH 8  /* a worker's, when the caller leaves the choice to us */
#define LOOK_EACH   16 /* elements between two looks whether to go on */

typedef struct map_t {
    brood_future_t *future; /* the settler's reference */
    brood_task_fn *fn;
    char *base;
    apr_size_t n, stride, chunk, chunks;
    atomic_size_t next; /* chunk to begin */
    atomic_size_t left; /* chunks not done */
    atomic_size_t refs;
    brood_future_t **runner; /* before the whole is known to anybody */
    apr_size_t n_runners;
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
static apr_status_t end_asked(void);
static apr_status_t call(const map_t *map, apr_size_t i);
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
    map->future->extra->flags |= options->flags & BROOD_TASK_QUIET;
    /* A failure that nobody reads is reported, as any task's. */
    brood__and(&map->future->state, ~(unsigned)BROOD__NO_TASK, relaxed);
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
    brood__free(map->runner);
    brood__free(map);
}

/* Queue the runners, all or none. */
static apr_status_t submit_runners(brood_thread_manager_t *manager, map_t *map,
                                   apr_size_t n,
                                   const brood_task_options_t *options)
{
    brood_task_options_t each = *options;
    brood_task_t *tasks;
    apr_status_t rv;
    apr_size_t i;

    each.size = sizeof(each);
    if (n == 0)
        return brood__executor_submit_many(NULL, &manager->executor, NULL, 0,
                                           &each);
    tasks = brood__alloc(n * sizeof(*tasks));
    map->runner = brood__alloc(n * sizeof(*map->runner));
    if (!tasks || !map->runner) {
        brood__free(tasks);
        return APR_ENOMEM;
    }
    for (i = 0; i < n; i++) {
        tasks[i].fn = run;
        tasks[i].baton = map;
    }
    each.destroy = runner_gone;
    each.free_value = NULL;
    each.flags |= BROOD_TASK_QUIET;
    brood__add(&map->refs, n, relaxed);
    brood__store(&map->runners, n, relaxed);
    map->n_runners = n;
    rv = brood__executor_submit_many(map->runner, &manager->executor, tasks, n,
                                     &each);
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
    map->n = n; /* of nothing there is one chunk, which begin() does */
    if (n == 0)
        runners = 0;
    else if (runners > map->chunks)
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
    apr_status_t asked;
    map_t *map = baton;

    (void)unused;
    do
        asked = end_asked();
    while (asked == APR_SUCCESS && do_chunk(map));
    if (asked != APR_SUCCESS)
        give_up(map, asked);
    return APR_SUCCESS;
}

/* Why the runner on this thread should end; APR_SUCCESS: it should not. */
static apr_status_t end_asked(void)
{
    brood_future_t *task = brood__self.now.task;

    if (!brood_task_canceled())
        return APR_SUCCESS;
    return task && (brood__load(&task->state, relaxed) & BROOD__OVERRAN)
               ? BROOD_EOVERRUN
               : BROOD_ECANCELED;
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
        apr_status_t rv = i % LOOK_EACH ? APR_SUCCESS : end_asked();

        if (rv == APR_SUCCESS)
            rv = call(map, i);
        if (rv != APR_SUCCESS) {
            fail(map, rv); /* also when every chunk was begun */
            give_up(map, rv);
            break;
        }
    }
    count_down(map, 1);
    return 1;
}

/* One that gives in to the token ends as a task that does. */
static apr_status_t call(const map_t *map, apr_size_t i)
{
    void *value = NULL;
    apr_status_t rv = map->fn(map->base + i * map->stride, &value);
    apr_status_t asked = APR_SUCCESS;

    if (rv == BROOD_ECANCELED || rv == BROOD_EINTERRUPTED)
        asked = end_asked();
    return asked != APR_SUCCESS ? asked : rv;
}

static void fail(map_t *map, apr_status_t status)
{
    if (!brood__swap(&map->failed, 1, relaxed))
        map->status = status; /* read by whoever takes `left` to 0 (A) */
}

/* Chunks that are not begun are done with. When there are none this changes
 * nothing: the array may be done all the same. */
static void give_up(map_t *map, apr_status_t status)
{
    apr_size_t at = brood__load(&map->next, relaxed);

    while (at < map->chunks
           && !brood__cas_weak(&map->next, &at, map->chunks, relaxed))
        ;
    if (at < map->chunks) {
        fail(map, status);
        count_down(map, map->chunks - at);
    }
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

/* The last runner is gone, so nobody will begin another chunk. One that was not
 * called is refused by a cancel or a stop, or by the timers' thread when its
 * queue timeout is over. */
static void runner_gone(void *baton)
{
    map_t *map = baton;

    if (brood__sub(&map->runners, 1, acq_rel) == 1)
        give_up(map,
                brood__timers_is_self() ? BROOD_EEXPIRED : BROOD_ECANCELED);
    release(map);
}

static void release(map_t *map)
{
    if (brood__sub(&map->refs, 1, acq_rel) != 1)
        return;
    while (map->n_runners > 0)
        brood_future_release(map->runner[--map->n_runners]);
    brood__free(map->runner);
    brood__free(map);
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
    apr_size_t i;

    (void)home;
    if (!map)
        return;
    give_up(map, BROOD_ECANCELED);
    for (i = 0; i < map->n_runners; i++)
        (void)brood__future_end(map->runner[i], BROOD_ECANCELED, 0);
    release(map);
}

/* A worker waits for the whole: it runs one of those who do it. */
static int help(brood_future_t *future,
                int (*run_other)(void *baton, brood_future_t *other),
                void *baton)
{
    map_t *map = hold(future);
    int helped = 0;
    apr_size_t i;

    if (!map)
        return 0;
    for (i = 0; i < map->n_runners && !helped; i++)
        helped = run_other(baton, map->runner[i]);
    release(map);
    return helped;
}
