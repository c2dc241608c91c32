/* SPDX-License-Identifier: Apache-2.0 */

/* work.c: what a worker does with its day. */

#include "observe/log.h"
#include "observe/task_hooks.h"
#include "thread/worker.h"

#define LANES_EACH 64 /* own tasks after which what came from outside is due */

static void stand_at_service(brood__worker_t *worker);
static void take_turns(brood__worker_t *worker);
static int get_work(brood__worker_t *worker);
static int take_batch(brood__worker_t *worker, int none);
static int steal(brood__worker_t *worker, brood__call_t *call);
static void run_own(brood__worker_t *worker);
static void run_special(brood__worker_t *worker, brood__call_t call);
static int run_errand(brood__worker_t *worker, int idle);
static void run_one(brood__worker_t *worker, const brood__call_t *call,
                    int is_task);
static void task_ended(brood__worker_t *worker, brood__call_t call,
                       apr_status_t rv);
static apr_status_t run_plain_errand(void *errand, void **unused);
static void unstick(brood__worker_t *worker);

void brood__worker_main(void *baton)
{
    brood__worker_t *worker = baton;
    brood__executor_t *executor = worker->executor;
    apr_status_t rv = APR_SUCCESS;
    int wanted;

    brood__self_library(executor->service);
    brood__self.place = &worker->place;
    brood__lock(&executor->lock); /* the sentinel reads it */
    brood__os_cpu_clock_self(&worker->clock);
    brood__store(&worker->clocked, 1, release); /* (K) */
    wanted = worker->state != BROOD__WORKER_LEAVING;
    brood__unlock(&executor->lock);
    if (wanted && executor->options.on_start)
        rv = executor->options.on_start(executor->options.hook_baton);
    stand_at_service(worker);
    if (wanted && rv == APR_SUCCESS) {
        int go = worker->state != BROOD__WORKER_WATCHING
                 || brood__worker_watch(worker) > 0
                 || brood__worker_rest(worker);

        while (go) {
            run_own(worker);
            if (BROOD__UNLIKELY(brood__load(&executor->shrinking, relaxed))
                && brood__worker_is_surplus(worker))
                break;
            go = get_work(worker) || brood__worker_rest(worker);
        }
        if (worker->searching) /* it leaves as one too many */
            brood__worker_found(worker);
        stand_at_service(worker);
        if (executor->options.on_exit)
            executor->options.on_exit(executor->options.hook_baton);
    }
    brood__self.place = NULL;
    brood__self_exit();
    brood__worker_leave(worker, rv);
}

/* Nothing of the last task, or of what a hook has set up, is left. */
static void stand_at_service(brood__worker_t *worker)
{
    brood__frame_t *now = &brood__self.now;

    if (now->flags || now->at_end)
        brood__frame_clean();
    now->scope = worker->executor->service;
    now->task = NULL;
    now->flags = 0;
}

BROOD__INLINE apr_status_t call_task(brood__worker_t *worker,
                                     const brood__call_t *call)
{
    brood__frame_t *now = &brood__self.now;
    void *value = NULL;
    int64_t begun = 0;
    apr_status_t rv;

    /* A worker has no frame of its own between tasks: nothing to save. */
    now->scope = call->scope;
    now->task = NULL;
    now->flags = BROOD__FRAME_IN_TASK;
    brood__purse_turn(&brood__self.purse, call->scope); /* may run releases */
    if (BROOD__UNLIKELY(worker->tick++ % BROOD__STAMP_EACH == 0))
        begun = brood__os_now();
    brood__store(&worker->running, 1, relaxed);
    rv = call->fn(call->baton, &value);
    if (BROOD__UNLIKELY(now->flags != BROOD__FRAME_IN_TASK || now->at_end))
        brood__frame_clean();
    if (BROOD__UNLIKELY(begun))
        brood__histogram_add(&worker->executor->run_time,
                             brood__os_now() - begun);
    /* First this: else the watchdog would take us for a new task. */
    brood__store(&worker->running, 0, relaxed);
    brood__store(&worker->ran, brood__load(&worker->ran, relaxed) + 1, relaxed);
    return rv;
}

/* Run a task and give its scope's reference back. What is out of the ordinary gets
 * a copy of the call, so that the usual one stays in registers. */
BROOD__INLINE void run(brood__worker_t *worker, const brood__call_t *call)
{
    apr_status_t rv;

    if (BROOD__UNLIKELY(brood__load(&worker->executor->special, relaxed))) {
        run_special(worker, *call);
        return;
    }
    rv = call_task(worker, call);
    if (BROOD__LIKELY(rv == APR_SUCCESS))
        brood__purse_earn(&brood__self.purse, call->scope);
    else
        task_ended(worker, *call, rv);
}

/* The producer has written it last: have it here when it is its turn. */
BROOD__INLINE void ask_ahead(brood__worker_t *worker)
{
    long long at = brood__load(&worker->deque.bottom, relaxed) - BROOD__AHEAD;
    brood__deque_entry_t *entry = worker->deque.entry;

    entry += at & (BROOD__DEQUE - 1);
    if (brood__load(&entry->fn, relaxed) == brood__run_future)
        BROOD__PREFETCH_WRITE(brood__load(&entry->baton, relaxed));
}

/* All of the deque, newest first; batches were pushed reversed, so that they
 * run in the order they came. */
static void run_own(brood__worker_t *worker)
{
    brood__call_t call;

    while (brood__deque_pop(&worker->deque, &call)) {
        if (call.fn == brood__run_future)
            ask_ahead(worker);
        run(worker, &call);
        if (BROOD__UNLIKELY(worker->tick % LANES_EACH == 0))
            take_turns(worker);
    }
}

/* Tasks that submit others, which lie above, may go on for ever: now comes what
 * is queued outside, and the task at the other end. If there are none, the deque
 * holds the rest of a batch, and that stays in order. */
static void take_turns(brood__worker_t *worker)
{
    unsigned long long spawned = brood__load(&worker->spawned, relaxed);
    unsigned long long new = spawned - worker->spawned_seen;
    brood__call_t call;

    worker->spawned_seen = spawned;
    brood__fences_calm(&worker->executor->inbox.fences, &worker->calm);
    if (new >= LANES_EACH && brood__deque_steal(&worker->deque, &call))
        brood__worker_run(worker, &call);
    if (new &&brood__deque_size(&worker->deque)
        < BROOD__DEQUE - 2 * BROOD__BATCH)
        take_batch(worker, 0);
}

/* True: something was put into the deque, or run. */
static int get_work(brood__worker_t *worker)
{
    brood__executor_t *executor = worker->executor;
    brood__call_t call;
    int got;

    if (BROOD__UNLIKELY(brood__load(&worker->stuck, relaxed)))
        unstick(worker);
    if (BROOD__UNLIKELY(brood__load(&executor->n_errands, relaxed))
        && !brood__errand_pause(worker->tick) && run_errand(worker, 1))
        return 1;
    got = take_batch(worker, 1);
    if (got) {
        run_own(worker);
        brood__worker_stay_behind(worker, (unsigned)got);
        return 1;
    }
    if (steal(worker, &call)) {
        brood__worker_run(worker, &call);
        return 1;
    }
    return BROOD__UNLIKELY(brood__load(&executor->n_errands, relaxed))
           && run_errand(worker, 1);
}

/* Before anything runs that may take long, somebody is on duty for the rest. What
 * lies in the deque is published as by a submit: who says just now that it sleeps,
 * blocks or searches no more, and is not seen here, finds it there. */
static void call_for_duty(brood__executor_t *executor)
{
    brood__light_fence(&executor->inbox.fences); /* (C), (G) */
    if (!brood__load(&executor->watching, relaxed)
        && !brood__load(&executor->searching, relaxed)
        && (brood__load(&executor->n_asleep, relaxed)
            || brood__load(&executor->awake, relaxed)
                   < brood__load(&executor->max, relaxed)))
        brood__executor_wake(executor);
}

/* `none`: the deque is empty. Then a single one has no use for it. */
static int take_batch(brood__worker_t *worker, int none)
{
    brood__call_t calls[BROOD__BATCH];
    unsigned n = brood__inbox_take(&worker->executor->inbox, calls,
                                   &worker->turn);

    for (unsigned i = n > BROOD__AHEAD ? BROOD__AHEAD : n; i-- > 0;)
        if (calls[i].fn == brood__run_future)
            BROOD__PREFETCH_WRITE(calls[i].baton);
    for (unsigned i = n == 1 && none ? 0 : n; i-- > 0;)
        brood__deque_push(&worker->deque, calls[i].fn, calls[i].baton,
                          calls[i].scope);
    if (n && worker->searching)
        brood__worker_found(worker);
    if (n > 1)
        call_for_duty(worker->executor);
    else if (n && none)
        brood__worker_run(worker, calls);
    return (int)n;
}

static int steal(brood__worker_t *worker, brood__call_t *call)
{
    brood__executor_t *executor = worker->executor;
    unsigned n = brood__load(&executor->n_workers, acquire), i;

    for (i = 0; i < n; i++) {
        unsigned at = (worker->victim + i) % n;
        brood__worker_t *victim = executor->workers[at];

        if (victim == worker || brood__deque_size(&victim->deque) <= 0
            || !brood__deque_steal(&victim->deque, call))
            continue;
        worker->victim = at;
        brood__store(&worker->steals, brood__load(&worker->steals, relaxed) + 1,
                     relaxed);
        if (worker->searching)
            brood__worker_found(worker);
        if (brood__executor_some(executor))
            call_for_duty(executor);
        return 1;
    }
    return 0;
}

apr_status_t brood__run_future(void *baton, void **unused)
{
    brood_future_t *future = baton;

    (void)unused;
    if (!brood__future_claim(future, 0))
        return brood__future_drop(future) ? BROOD__TOMBSTONE : BROOD__NOT_OURS;
    if (BROOD__UNLIKELY(future->extra != NULL))
        brood__worker_base(future);
    /* Its failure is its future's to report. */
    return brood__future_run(future, brood__self.now.scope) == APR_SUCCESS
               ? APR_SUCCESS
               : BROOD__FAILED;
}

void brood__worker_run(brood__worker_t *worker, const brood__call_t *call)
{
    run(worker, call);
}

/* Did it end because it was asked to? That is no failure. */
static int is_cancel(brood__worker_t *worker, apr_status_t rv)
{
    return rv == BROOD_ECANCELED
           || (rv == BROOD_EINTERRUPTED
               && (brood__load(&worker->executor->special, relaxed)
                   & BROOD__SPECIAL_CANCEL));
}

/* A task that did not simply succeed. */
static void task_ended(brood__worker_t *worker, brood__call_t call,
                       apr_status_t rv)
{
    atomic_ullong *count = &worker->failed;

    /* `ran` counts these too, though nothing ran here. */
    if (rv == BROOD__NOT_OURS)
        count = &worker->elsewhere;
    else if (rv == BROOD__TOMBSTONE)
        count = &worker->unrun;
    else if (call.fn != brood__run_future && !is_cancel(worker, rv))
        brood__unobserved(rv, NULL);
    brood__store(count, brood__load(count, relaxed) + 1, relaxed);
    if (rv != BROOD__NOT_OURS)
        brood__purse_earn(&brood__self.purse, call.scope);
}

/* What is out of the ordinary is looked at in one place, and only when there is
 * anything. */
static void run_special(brood__worker_t *worker, brood__call_t call)
{
    if (brood__load(&worker->executor->special, relaxed)
        & BROOD__SPECIAL_ERRANDS)
        while (run_errand(worker, 0))
            ;
    run_one(worker, &call, 1);
}

/* `is_task`: counted and cancelable, not a notice. */
static void run_one(brood__worker_t *worker, const brood__call_t *call,
                    int is_task)
{
    brood__executor_t *executor = worker->executor;
    unsigned special = brood__load(&executor->special, relaxed);
    unsigned hooked = 0;
    apr_status_t rv;

    if ((special & BROOD__SPECIAL_CAPACITY) && is_task)
        brood__capacity_give(executor, 1);
    if ((special & BROOD__SPECIAL_CANCEL) && is_task) {
        brood__call_refuse(executor, call, BROOD_ECANCELED);
        return;
    }
    if ((special & BROOD__SPECIAL_HOOKS) && call->fn != brood__run_future)
        hooked = brood__task_hook_before(NULL);
    rv = call_task(worker, call);
    brood__task_hook_after(hooked, NULL);
    if (rv == APR_SUCCESS)
        brood__purse_earn(&brood__self.purse, call->scope);
    else
        task_ended(worker, *call, rv);
}

void brood__worker_run_only(brood__worker_t *worker, const brood__call_t *call)
{
    run_one(worker, call, 1);
}

/* An errand that is due; `idle`: there is nothing else to do. */
static int run_errand(brood__worker_t *worker, int idle)
{
    brood__executor_t *executor = worker->executor;
    brood__errand_t *errand = brood__errand_pop(executor, worker->tick, idle);
    brood__call_t call;
    int errand_is_task;

    if (!errand)
        return 0;
    if (worker->searching)
        brood__worker_found(worker);
    if (brood__executor_some(executor))
        call_for_duty(executor);
    call.scope = errand->scope;
    errand_is_task = errand->future != NULL; /* it may be gone after the run */
    if (errand_is_task) {
        call.fn = brood__run_future;
        call.baton = errand->future;
    } else {
        call.fn = run_plain_errand;
        call.baton = errand;
    }
    run_one(worker, &call, errand_is_task);
    return 1;
}

static apr_status_t run_plain_errand(void *baton, void **unused)
{
    brood__errand_t *errand = baton;

    (void)unused;
    errand->fn(errand->baton); /* frees the errand */
    return APR_SUCCESS;
}

/* The sentinel had given us up. */
static void unstick(brood__worker_t *worker)
{
    brood__executor_t *executor = worker->executor;

    brood__lock(&executor->lock);
    if (brood__load(&worker->stuck, relaxed)) {
        brood__store(&worker->stuck, 0, relaxed);
        brood__executor_count_awake(executor, 1);
    }
    brood__unlock(&executor->lock);
}
