/* SPDX-License-Identifier: Apache-2.0 */

/* roster.c: the threads of a pool: the program's hooks, and who does what. */

#include <stdio.h>
#include <string.h>

#include <brood/errors.h>

#include "async/lease.h"
#include "base/alloc.h"
#include "lineage/life.h"

/* A thread as it was when the snapshot was made, with copies of the names. */
typedef struct row_t {
    brood_affinity_info_t info;
    char task_name[BROOD__CALL_NAME];
    char *context_id; /* behind the rows */
} row_t;

/* The calling thread, if it is one of a pool's. */
static BROOD__THREAD_LOCAL brood__affine_thread_t *tl_thread;
static BROOD__THREAD_LOCAL brood_affinity_pool_t *tl_pool;

static void refuse_oldest(brood_affinity_pool_t *affinity, apr_status_t status);
static size_t size_of(brood_affinity_pool_t *affinity, int *n)
    BROOD__REQUIRES(affinity->lock);
static void fill(row_t *row, brood__affine_thread_t *thread, int64_t now,
                 char **text);

brood_affinity_pool_t *brood__affinity_here(void)
{
    return tl_pool;
}

apr_status_t brood__roster_start(void *baton)
{
    brood_affinity_pool_t *affinity = baton;
    brood__affine_thread_t *thread = brood__alloc(sizeof(*thread));
    apr_status_t rv = thread ? APR_SUCCESS : APR_ENOMEM;

    tl_pool = affinity;
    if (thread && affinity->options.on_thread_start)
        rv = affinity->options.on_thread_start(affinity->options.hook_baton);
    if (rv != APR_SUCCESS) {
        tl_pool = NULL;
        brood__free(thread);
        refuse_oldest(affinity, rv);
        return rv;
    }
    thread->worker = brood__worker_here();
    brood__lock(&affinity->lock);
    thread->number = ++affinity->numbers;
    brood__list_append(&affinity->threads, &thread->link);
    affinity->n_threads++;
    brood__unlock(&affinity->lock);
    tl_thread = thread;
    return APR_SUCCESS;
}

void brood__roster_exit(void *baton)
{
    brood_affinity_pool_t *affinity = baton;
    brood__affine_thread_t *thread = tl_thread;

    if (affinity->options.on_thread_exit)
        affinity->options.on_thread_exit(affinity->options.hook_baton);
    brood__lock(&affinity->lock);
    brood__list_remove(&thread->link);
    affinity->n_threads--;
    brood__unlock(&affinity->lock);
    brood__free(thread);
    tl_thread = NULL;
    tl_pool = NULL;
}

/* The thread was made for somebody: the one that has waited longest. */
static void refuse_oldest(brood_affinity_pool_t *affinity, apr_status_t status)
{
    brood__lease_t *oldest = NULL;
    brood__link_t *link;

    brood__lock(&affinity->lock);
    affinity->start_status = status;
    BROOD__LIST_EACH (&affinity->leases, link) {
        brood__lease_t *lease = BROOD__CONTAINER(link, brood__lease_t, link);

        brood__lock(&lease->lock);
        if (!lease->started && lease->failed == APR_SUCCESS) {
            oldest = lease;
            brood__lease_retain(oldest);
        }
        brood__unlock(&lease->lock);
        if (oldest)
            break;
    }
    brood__unlock(&affinity->lock);
    if (!oldest)
        return;
    brood__lease_fail(oldest, status);
    brood__lease_release(oldest);
}

void brood__roster_serve(brood__lease_t *lease)
{
    brood__lock(&lease->pool->lock);
    tl_thread->lease = lease;
    lease->thread = tl_thread;
    brood__unlock(&lease->pool->lock);
}

int brood__roster_has_room(brood_affinity_pool_t *affinity)
{
    int room;

    brood__lock(&affinity->lock);
    room = affinity->n_threads < affinity->options.max_threads;
    brood__unlock(&affinity->lock);
    return room;
}

/* ---- a snapshot ----------------------------------------------------------- */

apr_status_t brood_affinity_pool_each(brood_affinity_pool_t *affinity,
                                      brood_affinity_each_fn *fn, void *baton)
{
    apr_status_t rv = brood__life_check();
    brood__link_t *link;
    row_t *rows = NULL;
    size_t room = 0, needed;
    int64_t now;
    char *text;
    int n, i;

    if (rv == APR_SUCCESS && (!affinity || !fn))
        rv = APR_EINVAL;
    if (rv != APR_SUCCESS)
        return rv;
    brood__lock(&affinity->lock);
    while ((needed = size_of(affinity, &n)) > room) {
        brood__unlock(&affinity->lock);
        brood__free(rows);
        room = needed;
        rows = brood__alloc(room);
        if (!rows)
            return APR_ENOMEM;
        brood__lock(&affinity->lock);
    }
    now = brood__os_now();
    text = (char *)(rows + n);
    i = 0;
    BROOD__LIST_EACH (&affinity->threads, link)
        fill(&rows[i++], BROOD__CONTAINER(link, brood__affine_thread_t, link),
             now, &text);
    brood__unlock(&affinity->lock);
    for (i = 0; i < n && !fn(&rows[i].info, baton); i++)
        ;
    brood__free(rows);
    return APR_SUCCESS;
}

static size_t size_of(brood_affinity_pool_t *affinity, int *n)
{
    size_t size = 1; /* never 0 */
    brood__link_t *link;

    *n = 0;
    BROOD__LIST_EACH (&affinity->threads, link) {
        brood__affine_thread_t *thread = BROOD__CONTAINER(
            link, brood__affine_thread_t, link);

        size += sizeof(row_t);
        if (thread->lease)
            size += strlen(thread->lease->id) + 1;
        ++*n;
    }
    return size;
}

static void fill(row_t *row, brood__affine_thread_t *thread, int64_t now,
                 char **text)
{
    brood__lease_t *lease = thread->lease;
    int64_t since = 0;

    row->info.size = sizeof(row->info);
    row->info.number = thread->number;
    if (!lease) {
        row->info.is_busy = brood__worker_peek(thread->worker, row->task_name,
                                               sizeof(row->task_name));
    } else {
        row->info.context_id = strcpy(*text, lease->id);
        *text += strlen(lease->id) + 1;
        brood__lock(&lease->lock);
        row->info.is_busy = lease->running != NULL;
        row->info.queued = lease->n_queued;
        since = lease->since;
        if (lease->name)
            snprintf(row->task_name, sizeof(row->task_name), "%s", lease->name);
        brood__unlock(&lease->lock);
    }
    if (row->task_name[0])
        row->info.task_name = row->task_name;
    if (since)
        row->info.since = (now - since) / 1000;
}
