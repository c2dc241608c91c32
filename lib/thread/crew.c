/* SPDX-License-Identifier: Apache-2.0 */

/*
 * crew.c: worker threads come and go.
 *
 * A worker's record is never freed before its executor is: others look at its
 * deque and counters without the lock. A leaving thread takes over the handle of
 * the one that left before it, joins that, and leaves its own, so at most one
 * thread of an executor is ended and not joined; the next start or the end joins
 * the last.
 */

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "observe/log.h"
#include "task/spin.h"
#include "thread/worker.h"

#define NAME_MAX_ 64

static brood__worker_t *get_record(brood__executor_t *executor)
    BROOD__REQUIRES(executor->lock);
static void refuse_all(brood__executor_t *executor,
                       apr_status_t status) BROOD__NO_ANALYSIS;
static void hand_over(brood__worker_t *worker, int alone) BROOD__NO_ANALYSIS;
static void put_back(brood__worker_t *worker) BROOD__NO_ANALYSIS;

apr_status_t brood__executor_spawn(brood__executor_t *executor, int watching)
{
    brood__worker_t *worker = get_record(executor);
    char name[NAME_MAX_];
    apr_status_t rv;

    if (!worker) {
        executor->n_refused++;
        executor->refused_with = APR_ENOMEM;
        return APR_ENOMEM;
    }
    snprintf(name, sizeof(name), "%s-%d",
             executor->options.prefix ? executor->options.prefix : "brood",
             worker->number);
    if (watching) {
        worker->state = BROOD__WORKER_WATCHING;
        executor->sentinel = worker;
        brood__store(&executor->watching, 1, relaxed);
    } else {
        worker->state = BROOD__WORKER_ACTIVE;
        executor->n_active++;
        brood__executor_count_awake(executor, 1);
    }
    brood__store(&worker->gate, BROOD__GATE_OPEN, relaxed);
    rv = brood__thread_start(&worker->thread, brood__worker_main, worker, name,
                             executor->options.stack_size);
    if (rv != APR_SUCCESS) {
        brood__worker_relieve(worker);
        put_back(worker);
        executor->n_refused++;
        executor->refused_with = rv;
        return rv;
    }
    executor->n_threads++;
    executor->n_started++;
    worker->put_before = brood__inbox_put(&executor->inbox)
                         + executor->n_errands_put;
    brood__and(&executor->inbox.rare, ~(unsigned)BROOD__RARE_NOBODY, relaxed);
    brood__executor_set_need(executor);
    brood__executor_watch(executor);
    return APR_SUCCESS;
}

/* The last worker stays though nobody asked for it any more: a submit may have
 * seen, without the lock, that there is one. */
void brood__executor_unhire(brood__executor_t *executor, int first)
{
    unsigned n = brood__load(&executor->n_workers, relaxed), i;

    for (i = 0; i < n && executor->n_threads > 1; i++) {
        brood__worker_t *worker = executor->workers[i];

        if (worker->state == BROOD__WORKER_ACTIVE && worker->number >= first)
            brood__worker_dismiss(worker);
    }
}

/* If it was the sentinel: from now on nobody relies on it. */
void brood__worker_relieve(brood__worker_t *worker)
{
    brood__executor_t *executor = worker->executor;

    if (executor->sentinel != worker)
        return;
    executor->sentinel = NULL;
    brood__store(&executor->watching, 0, relaxed);
}

/* It will leave and no longer counts: whoever asks for a worker from now on gets
 * another one. */
void brood__worker_dismiss(brood__worker_t *worker)
{
    brood__executor_t *executor = worker->executor;

    brood__worker_deactivate(worker);
    brood__worker_relieve(worker);
    worker->state = BROOD__WORKER_LEAVING;
    executor->n_threads--;
    executor->n_leaving++;
}

/* The thread's last act but one; its record is free for another afterwards. */
void brood__worker_leave(brood__worker_t *worker, apr_status_t start_status)
{
    brood__executor_t *executor = worker->executor;
    brood__thread_t *before;
    int failed = start_status != APR_SUCCESS;
    int rests, alone;

    if (failed)
        brood__log(BROOD_LOG_ERROR, "a worker of '%s' could not start: %d",
                   executor->options.prefix ? executor->options.prefix
                                            : "brood",
                   start_status);
    brood__lock(&executor->lock);
    if (worker->state != BROOD__WORKER_LEAVING)
        brood__worker_dismiss(worker);
    alone = executor->n_threads == 0;
    if (alone)
        brood__or(&executor->inbox.rare, BROOD__RARE_NOBODY, relaxed);
    if (failed && alone)
        refuse_all(executor, start_status);
    before = executor->ended;
    executor->ended = worker->thread;
    put_back(worker);
    if (failed)
        hand_over(worker, alone);
    rests = executor->n_threads + executor->n_leaving == 0
            && executor->state == BROOD__ENDING;
    if (rests) {
        executor->state = BROOD__RESTING; /* (4) */
        brood__sleepers_fire(&executor->rest_waiters);
    }
    brood__unlock(&executor->lock);

    if (before)
        brood__thread_join(before);
    if (rests && executor->on_rest)
        executor->on_rest(executor);
    else if (!rests && failed)
        brood__executor_check(executor); /* nobody else may be left to */
}

/* There is nobody who could run what is queued, and the world says why. Meanwhile
 * others may submit again, and get a worker. */
static void refuse_all(brood__executor_t *executor, apr_status_t status)
{
    executor->start_status = status;
    brood__unlock(&executor->lock);
    brood__inbox_settle(&executor->inbox);
    brood__executor_refuse_queued(executor, status);
    brood__lock(&executor->lock);
}

/* It could not start, and may have been on duty. What came meanwhile relied on
 * it: one more try for that. What was there before stays for those that live. */
static void hand_over(brood__worker_t *worker, int alone)
{
    brood__executor_t *executor = worker->executor;

    brood__executor_need_surely(executor);
    if (!alone
        && worker->put_before
               != brood__inbox_put(&executor->inbox) + executor->n_errands_put)
        brood__executor_wake_locked(executor);
}

/* (3), and (4) when nobody is left. */
void brood__executor_end_all(brood__executor_t *executor)
{
    brood__link_t *link;

    executor->state = BROOD__ENDING;
    while ((link = brood__list_pop(&executor->sleepers))) {
        brood__worker_t *worker = BROOD__CONTAINER(link, brood__worker_t, link);

        brood__sub(&executor->n_asleep, 1, relaxed);
        brood__worker_dismiss(worker);
        brood__store(&worker->gate, BROOD__GATE_LEAVE, release);
        brood__os_unpark_one(&worker->gate);
    }
    if (executor->sentinel) {
        brood__store(&executor->sentinel->gate, BROOD__GATE_LEAVE, release);
        brood__os_unpark_one(&executor->sentinel->gate);
    }
    if (executor->n_threads + executor->n_leaving == 0) {
        executor->state = BROOD__RESTING;
        brood__sleepers_fire(&executor->rest_waiters);
    }
}

/* A record without a thread: one that was used before, or a new one. */
static brood__worker_t *get_record(brood__executor_t *executor)
{
    brood__link_t *link = brood__list_pop(&executor->free);
    unsigned n = brood__load(&executor->n_workers, relaxed);
    brood__worker_t *worker;

    if (link) {
        worker = BROOD__CONTAINER(link, brood__worker_t, link);
    } else {
        if (n == BROOD__WORKERS_MAX)
            return NULL;
        worker = brood__alloc_aligned(sizeof(*worker), BROOD__LINE);
        if (!worker)
            return NULL;
        worker->executor = executor;
        worker->place.ops = &brood__worker_place_ops;
        worker->slot = n;
        brood__list_init(&worker->link);
        brood__lock_init(&worker->name_lock, BROOD__RANK_LEAF);
        executor->workers[n] = worker;
        /* (F) Whoever sees the new count sees the record. */
        brood__store(&executor->n_workers, n + 1, release);
    }
    worker->number = executor->next_number++;
    worker->searching = 0;
    worker->toggles = 0;
    worker->calm = 0;
    memset(&worker->pace, 0, sizeof(worker->pace));
    worker->interrupted = 0;
    worker->blocks = 0;
    worker->lent = 0;
    worker->roused = 0;
    worker->thread = NULL;
    brood__store(&worker->clocked, 0, relaxed);
    brood__store(&worker->stuck, 0, relaxed);
    return worker;
}

static void put_back(brood__worker_t *worker)
{
    brood__executor_t *executor = worker->executor;

    brood__worker_deactivate(worker);
    if (worker->state == BROOD__WORKER_LEAVING)
        executor->n_leaving--;
    worker->state = BROOD__WORKER_FREE;
    brood__list_append(&executor->free, &worker->link);
}
