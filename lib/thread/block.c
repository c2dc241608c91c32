/* SPDX-License-Identifier: Apache-2.0 */

/*
 * block.c: a worker whose task waits: it runs what it waits for, or another
 * worker takes its place.
 */

#include "task/spin.h"
#include "thread/worker.h"

/* A task is run in place only while that much of the stack is left. */
#define STACK_NEEDED ((size_t)65536)

static int help(brood__place_t *place, brood_future_t *const *futures,
                size_t n);
static const void *manager(brood__place_t *place);
static int help_one(void *worker, brood_future_t *future);
static int help_running(brood__worker_t *worker, brood_future_t *future);
static void run_in_place(brood__worker_t *worker, brood_future_t *future);
static int help_own(brood__worker_t *worker);
static apr_status_t sleep_in_task(brood__place_t *place, brood__sleep_t *sleep,
                                  int64_t deadline, brood_future_t *on);
static int canceled(brood__place_t *place);
static int alone(brood__place_t *place);
static void name(brood__place_t *place, const char *shown);
static void begin(brood__worker_t *worker) BROOD__NO_ANALYSIS;
static void end(brood__worker_t *worker) BROOD__NO_ANALYSIS;
static int nobody_left(brood__executor_t *executor)
    BROOD__REQUIRES(executor->lock);

const brood__place_ops_t brood__worker_place_ops = { .help = help,
                                                     .sleep = sleep_in_task,
                                                     .wake = brood__park_wake,
                                                     .spins = 1,
                                                     .canceled = canceled,
                                                     .name = name,
                                                     .manager = manager,
                                                     .alone = alone };

static brood__worker_t *worker_at(brood__place_t *place)
{
    return BROOD__CONTAINER(place, brood__worker_t, place);
}

static const void *manager(brood__place_t *place)
{
    return worker_at(place)->executor;
}

/* Run an awaited task that is still queued here. */
static int help(brood__place_t *place, brood_future_t *const *futures, size_t n)
{
    brood__worker_t *worker = worker_at(place);
    size_t i;

    for (i = 0; i < n; i++)
        if (help_one(worker, futures[i]))
            return 1;
    return help_own(worker);
}

static int help_one(void *baton, brood_future_t *future)
{
    brood__worker_t *worker = baton;
    brood__executor_t *executor = worker->executor;
    unsigned state = brood__load(&future->state, acquire);

    if (brood__os_stack_left() < STACK_NEEDED
        || brood__load(&executor->special, relaxed) & BROOD__SPECIAL_CANCEL)
        return 0;
    if ((state & BROOD__PHASE) == BROOD__RUNNING)
        return help_running(worker, future);
    if ((state & BROOD__PHASE) != BROOD__QUEUED
        || future->home != &executor->home
        || (future->extra && brood__load(&future->extra->delayed, acquire))
        || !brood__future_claim(future, BROOD__IN_PLACE))
        return 0;
    run_in_place(worker, future);
    return 1;
}

/* Not queued itself, but perhaps what it consists of is. Its home is there only
 * as long as it runs, and it does not settle while we hold its lock. */
static int help_running(brood__worker_t *worker, brood_future_t *future)
{
    const brood__home_ops_t *ops = NULL;

    brood__future_lock(future);
    if ((brood__load(&future->state, relaxed) & BROOD__PHASE) == BROOD__RUNNING)
        ops = future->home->ops; /* static */
    brood__future_unlock(future);
    return ops && ops->help && ops->help(future, help_one, worker);
}

/* Claimed. Whoever finds its slot later leaves the reference to its scope to
 * us. */
static void run_in_place(brood__worker_t *worker, brood_future_t *future)
{
    brood__scope_t *scope = future->scope;
    long long base = worker->base;
    atomic_ullong *count = &worker->failed;

    brood_future_retain(future); /* the queue's entry keeps its own */
    brood__purse_empty(&brood__self.purse);
    brood__worker_base(future);
    if (brood__future_run(future, scope) != APR_SUCCESS)
        brood__store(count, brood__load(count, relaxed) + 1, relaxed);
    worker->base = base;
    brood__store(&worker->ran, brood__load(&worker->ran, relaxed) + 1, relaxed);
    brood__scope_release(scope, 1);
}

/* Before a task with BROOD_WAIT_HELP runs: what it submits lies above this. */
void brood__worker_base(const brood_future_t *future)
{
    brood__worker_t *worker = brood__worker_self();

    if (worker && future->extra && (future->extra->flags & BROOD_WAIT_HELP))
        worker->base = brood__load(&worker->deque.bottom, relaxed);
}

/* BROOD_WAIT_HELP: what the waiting task submitted itself lies above where the
 * deque ended when it began. */
static int help_own(brood__worker_t *worker)
{
    brood_future_t *task = brood__self.now.task;
    brood__frame_t saved = brood__self.now;
    long long base = worker->base;
    brood__call_t call;

    if (!task || !task->extra || !(task->extra->flags & BROOD_WAIT_HELP)
        || brood__load(&worker->deque.bottom, relaxed) <= base
        || !brood__deque_pop(&worker->deque, &call))
        return 0;
    brood__self.now.attached = NULL;
    brood__self.now.at_end = NULL;
    brood__worker_run_only(worker, &call); /* and no stranger's errand */
    brood__store(&worker->running, 1, relaxed);
    worker->base = base;
    brood__self.now = saved;
    return 1;
}

static apr_status_t sleep_in_task(brood__place_t *place, brood__sleep_t *sleep,
                                  int64_t deadline, brood_future_t *on)
{
    brood__worker_t *worker = worker_at(place);
    brood__executor_t *executor = worker->executor;
    apr_status_t rv = APR_SUCCESS;
    brood__sleep_t *outer;

    brood__lock(&executor->lock);
    begin(worker);
    outer = worker->sleep;
    worker->sleep = sleep;
    if (on && deadline < 0 && on->home == &executor->home
        && (brood__load(&on->state, relaxed) & BROOD__PHASE) == BROOD__QUEUED
        && nobody_left(executor)) {
        if (brood__sleep_try(sleep, BROOD__SLEEP_INTERRUPTED))
            rv = BROOD_EDEADLK;
    } else if (canceled(place) && !sleep->firm && !worker->interrupted) {
        worker->interrupted = 1;
        brood__sleep_try(sleep, BROOD__SLEEP_INTERRUPTED);
    }
    brood__unlock(&executor->lock);

    brood__park_sleep(sleep, deadline);

    brood__lock(&executor->lock);
    worker->sleep = outer;
    end(worker);
    brood__unlock(&executor->lock);
    return rv;
}

static int canceled(brood__place_t *place)
{
    return (brood__load(&worker_at(place)->executor->special, relaxed)
            & BROOD__SPECIAL_CANCEL)
           != 0;
}

static int alone(brood__place_t *place)
{
    brood__executor_t *executor = worker_at(place)->executor;
    int none;

    brood__lock(&executor->lock);
    none = executor->n_active - executor->n_blocked <= 1
           && !brood__load(&executor->n_asleep, relaxed) && !executor->sentinel
           && executor->n_threads >= executor->options.max_workers
                                         + executor->options.max_spares;
    brood__unlock(&executor->lock);
    return none;
}

/* For the watchdog; see watch.c. */
static void name(brood__place_t *place, const char *shown)
{
    brood__worker_t *worker = worker_at(place);

    if (brood__executor_warning(worker->executor) <= 0 && !worker->name)
        return;
    brood__lock(&worker->name_lock);
    worker->name = shown;
    brood__unlock(&worker->name_lock);
}

void brood__worker_block(void)
{
    brood__worker_t *worker = brood__worker_self();

    if (!worker)
        return;
    brood__lock(&worker->executor->lock);
    begin(worker);
    brood__unlock(&worker->executor->lock);
}

void brood__worker_unblock(void)
{
    brood__worker_t *worker = brood__worker_self();

    if (!worker)
        return;
    brood__lock(&worker->executor->lock);
    end(worker);
    brood__unlock(&worker->executor->lock);
}

void brood_blocking_begin(void)
{
    brood__worker_block();
}

void brood_blocking_end(void)
{
    brood__worker_unblock();
}

/* Count as blocked, and see to it that somebody takes our place. */
static void begin(brood__worker_t *worker)
{
    brood__executor_t *executor = worker->executor;

    /* In a hook it counts as nobody. */
    if (worker->state != BROOD__WORKER_ACTIVE || worker->blocks++)
        return;
    executor->n_blocked++;
    if (brood__load(&worker->stuck, relaxed))
        brood__store(&worker->stuck, 0, relaxed);
    else
        brood__executor_count_awake(executor, -1);
    worker->calm = 0;
    brood__executor_has_hands(executor);
}

static void end(brood__worker_t *worker)
{
    brood__executor_t *executor = worker->executor;

    if (worker->state != BROOD__WORKER_ACTIVE || !worker->blocks
        || --worker->blocks)
        return;
    executor->n_blocked--;
    brood__executor_count_awake(executor, 1);
}

/* With us blocked: no one who could run a queued task, now or later? */
static int nobody_left(brood__executor_t *executor)
{
    return executor->n_active == executor->n_blocked
           && !brood__load(&executor->n_asleep, relaxed) && !executor->sentinel
           && (!brood__executor_can_spawn(executor)
               || brood__executor_spawn(executor, 0) != APR_SUCCESS);
}
