/* SPDX-License-Identifier: Apache-2.0 */

/* rest.c: how workers go to sleep and leave. See executor.h. */

#include "task/spin.h"
#include "thread/worker.h"

static int lie_down(brood__worker_t *worker);
static int enlist(brood__worker_t *worker, int *told);
static void last_look(brood__executor_t *executor);
static int sleep_until_woken(brood__worker_t *worker, int64_t since);
static int leave_if_idle(brood__worker_t *worker);
static void free_idle(brood__executor_t *executor, int64_t now)
    BROOD__REQUIRES(executor->lock);
static void push_out_oldest(brood__executor_t *executor)
    BROOD__REQUIRES(executor->lock);
static void send_away(brood__worker_t *worker) BROOD__NO_ANALYSIS;

/* It no longer counts as working. */
void brood__worker_deactivate(brood__worker_t *worker)
{
    brood__executor_t *executor = worker->executor;

    if (worker->state != BROOD__WORKER_ACTIVE)
        return;
    executor->n_active--;
    if (!brood__load(&worker->stuck, relaxed))
        brood__executor_count_awake(executor, -1);
    brood__store(&worker->stuck, 0, relaxed);
}

/* A sentinel that has not joined the work must not begin to. */
int brood__worker_rest(brood__worker_t *worker)
{
    return (worker->state == BROOD__WORKER_ACTIVE
            && brood__worker_search(worker))
           || lie_down(worker);
}

/* Sleep, watch, sleep, until there is something to do. False: leave. Who comes from
 * its work takes the time: when polling would have begun. */
static int lie_down(brood__worker_t *worker)
{
    brood__executor_t *executor = worker->executor;
    int64_t since = 0;

    if (worker->state == BROOD__WORKER_ACTIVE
        && brood__search_may_learn(executor))
        since = brood__os_now();
    brood__self.now.scope = executor->service; /* for releases of values */
    brood__self.now.flags = 0;
    brood__purse_empty(&brood__self.purse);
    worker->toggles = 0;
    worker->calm = 0;
    brood__pace_forget(&worker->pace);
    for (;;) {
        int go, told;

        if (!enlist(worker, &told))
            return 0;
        last_look(executor);
        if (told)
            brood__executor_check(executor);
        if (!sleep_until_woken(worker, since))
            return 0;
        since = 0;
        go = brood__worker_watch(worker);
        if (go > 0 && worker->searching
            && brood__deque_size(&worker->deque) > 0)
            brood__worker_found(worker); /* what a release has submitted */
        if (go)
            return go > 0;
    }
}

/* Register as a sleeper. False: the executor ends. *told: somebody waits for it
 * to be idle or to end. */
static int enlist(brood__worker_t *worker, int *told)
{
    brood__executor_t *executor = worker->executor;
    int stays;

    brood__lock(&executor->lock);
    brood__worker_deactivate(worker);
    brood__executor_learn_rousing(executor, worker);
    stays = executor->state != BROOD__ENDING;
    if (stays) {
        brood__store(&worker->gate, BROOD__GATE_SHUT, relaxed);
        worker->state = BROOD__WORKER_ASLEEP;
        brood__list_prepend(&executor->sleepers, &worker->link);
        brood__add(&executor->n_asleep, 1, relaxed);
        brood__executor_set_need(executor);
        if (executor->options.max_idle >= 0) {
            worker->asleep_since = brood__os_now();
            free_idle(executor, worker->asleep_since);
        }
        push_out_oldest(executor);
        *told = executor->state == BROOD__STOPPING
                || !brood__list_empty(&executor->idle_waiters);
        brood__store(&executor->hurried, *told, relaxed);
    }
    brood__unlock(&executor->lock);
    return stays;
}

/* Contains the heavy fence of (C). A searcher may have left that we took to be
 * on duty, and that took us to be. */
static void last_look(brood__executor_t *executor)
{
    brood__inbox_tidy(&executor->inbox);
    brood__executor_need_again(executor);
    if (brood__load(&executor->inbox.need, relaxed)
        && brood__executor_some(executor))
        brood__executor_wake(executor);
}

/* What a wake-up costs, and whether polling would have spared it. */
static void learn(brood__worker_t *worker, int64_t since, int slept)
{
    if (slept)
        brood__spin_learn(brood__os_now() - worker->woken_at);
    if (since)
        brood__search_learn(worker->executor, worker->woken_at - since);
}

/* True: woken. False: told to leave, or left after idling. */
static int sleep_until_woken(brood__worker_t *worker, int64_t since)
{
    brood__executor_t *executor = worker->executor;
    int max_idle = executor->options.max_idle;
    int64_t left = -1;
    int slept = 0;

    if (max_idle < 0 || brood__load(&executor->n_asleep, relaxed) > max_idle)
        left = executor->options.idle_timeout; /* (I) */
    for (;;) {
        unsigned gate = brood__load(&worker->gate, acquire);

        if (gate == BROOD__GATE_AGAIN) {
            left = executor->options.idle_timeout; /* it may leave after all */
            (void)brood__cas(&worker->gate, &gate, BROOD__GATE_SHUT, relaxed);
            continue;
        }
        if (gate != BROOD__GATE_SHUT) {
            if (gate != BROOD__GATE_LEAVE && worker->woken_at)
                learn(worker, since, slept && gate == BROOD__GATE_OPEN);
            return gate != BROOD__GATE_LEAVE;
        }
        slept = 1;
        if (brood__os_park(&worker->gate, BROOD__GATE_SHUT, left)
            == APR_SUCCESS)
            continue;
        if (leave_if_idle(worker))
            return 0;
        left = -1; /* it is one of those that stay */
    }
}

/* An idle timeout has passed. The last worker first says that there is nobody:
 * from then on a submit takes the slow path and, under the lock, either takes
 * that back or makes a worker; one that did not see it has been published before
 * the settling is over (inbox.h, D), and we see its task. */
static int leave_if_idle(brood__worker_t *worker)
{
    brood__executor_t *executor = worker->executor;
    atomic_uint *rare = &executor->inbox.rare;
    int leave;

    brood__lock(&executor->lock);
    if (executor->options.max_idle >= 0) {
        free_idle(executor, brood__os_now());
        leave = worker->state == BROOD__WORKER_LEAVING;
        brood__unlock(&executor->lock);
        return leave;
    }
    leave = worker->state == BROOD__WORKER_ASLEEP
            && executor->n_threads > executor->options.min_workers;
    if (leave && executor->n_threads == 1) {
        brood__or(rare, BROOD__RARE_NOBODY, relaxed);
        brood__unlock(&executor->lock);
        brood__inbox_settle(&executor->inbox);
        brood__lock(&executor->lock);
        leave = worker->state == BROOD__WORKER_ASLEEP
                && (brood__load(rare, relaxed) & BROOD__RARE_NOBODY)
                && !brood__executor_any(executor);
        if (!leave)
            brood__and(rare, ~(unsigned)BROOD__RARE_NOBODY, relaxed);
    }
    if (leave)
        send_away(worker);
    brood__unlock(&executor->lock);
    return leave;
}

static void send_away(brood__worker_t *worker)
{
    brood__list_remove(&worker->link);
    brood__sub(&worker->executor->n_asleep, 1, relaxed);
    brood__worker_dismiss(worker);
    brood__store(&worker->gate, BROOD__GATE_LEAVE, release);
    brood__os_unpark_one(&worker->gate);
}

/*
 * More sleep than may: those that have slept longest leave if that was long
 * enough, never the last worker. Nothing is on its way to a sleeping worker, so
 * nothing can be lost. (I) Who sees, after it has lain down, that there are too
 * many comes here again when its own time is over. That is enough: if there are
 * too many now, there were too many when the last of them lay down; when its
 * time is over, that of all others is.
 */
static void free_idle(brood__executor_t *executor, int64_t now)
{
    const brood__executor_options_t *o = &executor->options;
    int least = o->max_idle > 1 ? o->max_idle : 1;

    while (brood__load(&executor->n_asleep, relaxed) > o->max_idle
           && executor->n_threads > least) {
        brood__worker_t *oldest = BROOD__CONTAINER(executor->sleepers.prev,
                                                   brood__worker_t, link);

        if (now - oldest->asleep_since < o->idle_timeout)
            return;
        send_away(oldest);
    }
}

/* An executor that shrinks: the one that has slept longest leaves. */
static void push_out_oldest(brood__executor_t *executor)
{
    if (brood__load(&executor->shrinking, relaxed)
        && executor->n_threads > executor->options.max_workers
        && executor->n_threads > 1 && brood__load(&executor->n_asleep, relaxed))
        send_away(
            BROOD__CONTAINER(executor->sleepers.prev, brood__worker_t, link));
}

/* Who stays for ever because it was one of the few thinks again. */
void brood__executor_set_min(brood__executor_t *executor, int min)
{
    brood__worker_t *worker;
    brood__link_t *link;

    executor->options.min_workers = min;
    if (executor->options.idle_timeout < 0)
        return;
    BROOD__LIST_EACH (&executor->sleepers, link) {
        worker = BROOD__CONTAINER(link, brood__worker_t, link);
        brood__store(&worker->gate, BROOD__GATE_AGAIN, relaxed);
        brood__os_unpark_one(&worker->gate);
    }
}

void brood__executor_send_surplus(brood__executor_t *executor)
{
    int surplus = executor->n_threads - executor->options.max_workers;

    brood__store(&executor->shrinking, surplus > 0, relaxed);
    for (; surplus > 0 && !brood__list_empty(&executor->sleepers); surplus--)
        send_away(
            BROOD__CONTAINER(executor->sleepers.prev, brood__worker_t, link));
}

/* Between two tasks of a shrinking executor. True: leave. */
int brood__worker_is_surplus(brood__worker_t *worker)
{
    brood__executor_t *executor = worker->executor;
    int surplus, leave;

    brood__lock(&executor->lock);
    surplus = executor->n_threads - executor->options.max_workers;
    leave = surplus > 0
            && executor->n_active - executor->n_blocked
                   > executor->options.max_workers;
    if (surplus <= 0)
        brood__store(&executor->shrinking, 0, relaxed);
    if (leave)
        brood__worker_dismiss(worker);
    brood__unlock(&executor->lock);
    return leave;
}

void brood__executor_check(brood__executor_t *executor)
{
    int rests = 0;

    brood__lock(&executor->lock);
    if (executor->n_active == 0 && !brood__executor_any(executor)) {
        brood__sleepers_fire(&executor->idle_waiters);
        brood__store(&executor->hurried, executor->state == BROOD__STOPPING,
                     relaxed);
        if (executor->state == BROOD__STOPPING && !executor->closing) {
            brood__executor_end_all(executor); /* (3) */
            rests = executor->state == BROOD__RESTING;
        }
    }
    brood__unlock(&executor->lock);
    if (rests && executor->on_rest)
        executor->on_rest(executor);
}
