/* SPDX-License-Identifier: Apache-2.0 */

/* duty.c: is there work, and who is put on duty for it. See executor.h. */

#include "task/spin.h"
#include "thread/worker.h"

static brood__worker_t *put_on_duty(brood__executor_t *executor)
    BROOD__REQUIRES(executor->lock);
static brood__worker_t *hurry_sentinel(brood__executor_t *executor)
    BROOD__REQUIRES(executor->lock);

static int some_in_deques(brood__executor_t *executor)
{
    unsigned n = brood__load(&executor->n_workers, acquire), i;

    for (i = 0; i < n; i++)
        if (brood__deque_size(&executor->workers[i]->deque) > 0)
            return 1;
    return 0;
}

int brood__executor_some(brood__executor_t *executor)
{
    return brood__load(&executor->n_errands, relaxed)
           || brood__inbox_some(&executor->inbox) || some_in_deques(executor);
}

int brood__executor_any(brood__executor_t *executor)
{
    return brood__load(&executor->n_errands, relaxed)
           || brood__inbox_any(&executor->inbox) || some_in_deques(executor);
}

void brood__executor_count_awake(brood__executor_t *executor, int delta)
{
    brood__add(&executor->awake, delta, relaxed);
    brood__add(&brood__busy.n, delta, relaxed);
}

int brood__executor_can_spawn(brood__executor_t *executor)
{
    const brood__executor_options_t *o = &executor->options;

    return executor->n_threads - executor->n_blocked < o->max_workers
           && executor->n_threads < o->max_workers + o->max_spares;
}

int brood__executor_has_room(brood__executor_t *executor)
{
    return brood__load(&executor->n_asleep, relaxed)
           || brood__load(&executor->awake, relaxed)
                  < brood__load(&executor->max, relaxed);
}

/* Raise `need` if nobody is on duty and somebody could be. A sentinel beside
 * whom nobody works is on duty, but not before its tick is over, which is too
 * late. Never lowers it: the caller may hold no lock, and what it has seen may
 * be old by now. Who relies on it looks at the queues after a heavy fence. */
void brood__executor_set_need(brood__executor_t *executor)
{
    if (brood__executor_has_room(executor)
        && (!brood__load(&executor->watching, relaxed)
            || brood__load(&executor->awake, relaxed) <= 0)
        && !brood__load(&executor->searching, relaxed)
        && !brood__load(&executor->inbox.need, relaxed))
        brood__store(&executor->inbox.need, 1, relaxed);
}

void brood__executor_need_surely(brood__executor_t *executor)
{
    brood__executor_set_need(executor);
    brood__heavy_fence(&executor->inbox.fences); /* (C) */
    brood__executor_need_again(executor);
}

void brood__executor_need_again(brood__executor_t *executor)
{
    if (brood__load(&executor->inbox.need, relaxed))
        return;
    brood__executor_set_need(executor); /* (G) */
    if (brood__load(&executor->inbox.need, relaxed))
        brood__heavy_fence(&executor->inbox.fences);
}

void brood__executor_has_hands(brood__executor_t *executor)
{
    brood__executor_need_surely(executor);
    if (brood__executor_some(executor))
        brood__executor_wake_locked(executor);
}

/* The sentinel, if nobody works beside it and it waits for its tick: it is to
 * look now. */
static brood__worker_t *hurry_sentinel(brood__executor_t *executor)
{
    brood__worker_t *worker = executor->sentinel;

    if (!worker || brood__load(&executor->awake, relaxed) > 0
        || brood__load(&worker->gate, relaxed) != BROOD__GATE_OPEN)
        return NULL;
    brood__store(&worker->gate, BROOD__GATE_LOOK, release);
    return worker;
}

/* Woken under no lock: on a busy CPU the woken thread runs at once, and would
 * only come to wait for the lock. It may be on its way already, even at its end,
 * but unparking needs no more than the address. */
void brood__executor_wake(brood__executor_t *executor)
{
    brood__worker_t *worker;

    brood__lock(&executor->lock);
    worker = put_on_duty(executor);
    brood__unlock(&executor->lock);
    if (worker)
        brood__os_unpark_one(&worker->gate);
}

void brood__executor_wake_locked(brood__executor_t *executor)
{
    brood__worker_t *worker = put_on_duty(executor);

    if (worker)
        brood__os_unpark_one(&worker->gate);
}

static int no_more_may_run(const brood__executor_t *executor)
    BROOD__REQUIRES(executor->lock)
{
    return executor->n_active - executor->n_blocked
               >= executor->options.max_workers
           || executor->state == BROOD__ENDING;
}

static brood__worker_t *pop_sleeper(brood__executor_t *executor)
    BROOD__REQUIRES(executor->lock)
{
    brood__worker_t *worker = BROOD__CONTAINER(
        brood__list_pop(&executor->sleepers), brood__worker_t, link);

    brood__sub(&executor->n_asleep, 1, relaxed);
    executor->n_wakes++;
    return worker;
}

brood__worker_t *brood__executor_rouse(brood__executor_t *executor)
{
    brood__worker_t *worker;

    if (brood__list_empty(&executor->sleepers) || no_more_may_run(executor))
        return NULL;
    worker = pop_sleeper(executor);
    worker->woken_at = 0; /* it may have to wait for others' wake-ups */
    worker->roused = 1;
    worker->roused_ran = brood__load(&worker->ran, relaxed);
    brood__worker_join(worker);
    brood__store(&worker->gate, BROOD__GATE_OPEN, release);
    return worker;
}

void brood__executor_learn_rousing(brood__executor_t *executor,
                                   brood__worker_t *worker)
{
    unsigned *at_once = &executor->at_once;

    if (!worker->roused)
        return;
    worker->roused = 0;
    if (brood__load(&worker->ran, relaxed) == worker->roused_ran)
        *at_once -= *at_once > 1;
    else
        *at_once += *at_once < BROOD__AT_ONCE;
}

/* One more thread, unless somebody is; the one to unpark, or NULL. Where nobody
 * works there is nothing to watch: it is the searcher from now on. */
static brood__worker_t *put_on_duty(brood__executor_t *executor)
{
    brood__worker_t *worker = NULL;

    /* (G) Before the look at `searching`: a searcher that leaves stores that
     * first, and then raises `need`. */
    (void)brood__swap(&executor->inbox.need, 0, seq_cst);
    if (brood__load(&executor->watching, relaxed))
        return hurry_sentinel(executor);
    if (brood__load(&executor->searching, relaxed) || no_more_may_run(executor))
        return NULL;
    if (!brood__list_empty(&executor->sleepers)) {
        worker = pop_sleeper(executor);
        worker->woken_at = brood__cpus > 1 ? brood__os_now() : 0;
        if (executor->n_active == 0) {
            brood__worker_join(worker);
            brood__worker_seek(worker, 1);
        } else {
            worker->state = BROOD__WORKER_WATCHING;
            executor->sentinel = worker;
            brood__store(&executor->watching, 1, relaxed);
        }
        brood__store(&worker->gate, BROOD__GATE_OPEN, release);
    } else if (brood__executor_can_spawn(executor)
               && brood__executor_spawn(executor, 1) != APR_SUCCESS) {
        /* Refused by the system: the others go on, the next submit tries. */
        brood__store(&executor->inbox.need, 1, relaxed);
    }
    return worker;
}
