/* SPDX-License-Identifier: Apache-2.0 */

/*
 * search.c: workers that have nothing to do, or hardly anything.
 *
 * One of them looks for work. It polls before it sleeps, for as long as a wake-up
 * costs, while that pays. After some failures it goes to sleep at once, and polls
 * again when a sleep was so short that polling would have spared it: sleeping tells
 * as much as trying would.
 *
 * Any of them may pause right behind a stream of tasks; see pace.h.
 */

#include "task/spin.h"
#include "thread/worker.h"

#define SUCCESS     2  /* what one earns */
#define PER_LOOK    32 /* polls between two looks at the clock */
#define PARTS       4  /* of a wait, between two looks */
#define TOGGLES_MAX 2  /* then a sentinel is cheaper than the heavy fences */

static int poll_for_work(brood__worker_t *worker);

/* True: it was not, and is from now on. */
static int become_searcher(brood__worker_t *worker)
{
    int none = 0;

    if (worker->searching
        || !brood__cas(&worker->executor->searching, &none, 1, relaxed))
        return 0;
    worker->searching = 1;
    return 1;
}

static void stop_searching(brood__worker_t *worker)
{
    worker->searching = 0;
    brood__store(&worker->executor->searching, 0, relaxed);
}

int brood__worker_search(brood__worker_t *worker)
{
    brood__executor_t *executor = worker->executor;

    if (become_searcher(worker) && brood__load(&executor->inbox.need, relaxed))
        brood__store(&executor->inbox.need, 0, relaxed);
    if (!worker->searching)
        return 0;
    if (!poll_for_work(worker)) {
        stop_searching(worker);
        return 0;
    }
    brood__fences_calm(&executor->inbox.fences, &worker->calm);
    return 1;
}

/* The options, and the machine, allow it. */
static int may_poll(const brood__executor_t *executor)
{
    return brood__cpus > 1 && executor->options.spin >= 0;
}

/* For all that run. */
static int has_cpus(void)
{
    return brood__load(&brood__busy.n, relaxed) <= brood__cpus;
}

static int64_t poll_limit(const brood__executor_t *executor)
{
    return executor->options.spin > 0 ? (int64_t)executor->options.spin * 1000
                                      : brood__spin_limit();
}

/* It has found something. A searcher that lost its CPU to another program does
 * so too, whenever it comes back, and that proves nothing; `end`: when it was to
 * give up, 0 if it has not looked at the clock yet. */
static void reward(brood__executor_t *executor, int64_t end, int64_t limit)
{
    int score = brood__load(&executor->score, relaxed);

    if (score < BROOD__SCORE_MAX && (!end || brood__os_now() < end + limit))
        brood__store(&executor->score, score + SUCCESS, relaxed);
}

/* Poll for as long as a wake-up costs, if that has paid lately, and nobody waits
 * for us to lie down. */
static int poll_for_work(brood__worker_t *worker)
{
    brood__executor_t *executor = worker->executor;
    int64_t limit = poll_limit(executor), end = 0;
    int score = brood__load(&executor->score, relaxed);

    if (score <= 0 || !may_poll(executor) || !has_cpus())
        return 0;
    for (;;) {
        int64_t now;

        for (int i = 0; i < PER_LOOK; i++) {
            if (brood__executor_some(executor)) {
                reward(executor, end, limit);
                return 1;
            }
            brood__pause();
        }
        if (brood__load(&executor->hurried, relaxed))
            return 0;
        now = brood__os_now();
        if (!end)
            end = now + limit;
        else if (now > end)
            break;
    }
    brood__store(&executor->score, score - 1, relaxed);
    return 0;
}

/* Something has to be done at once, or others need the CPU. */
static int may_not_wait(brood__executor_t *executor)
{
    return brood__load(&executor->hurried, relaxed)
           || brood__load(&executor->n_errands, relaxed) || !has_cpus();
}

static int wait_for_more(brood__executor_t *executor)
{
    for (int i = 0; i < PARTS; i++) {
        if (may_not_wait(executor))
            return 0;
        brood__spin_wait(BROOD__PACE_NS / PARTS);
    }
    return 1;
}

void brood__worker_stay_behind(brood__worker_t *worker, unsigned n)
{
    brood__executor_t *executor = worker->executor;
    brood__pace_t *pace = &worker->pace;

    if (!may_poll(executor) || poll_limit(executor) < BROOD__PACE_NS)
        return;
    if (n >= BROOD__PACE_SMALL) {
        brood__pace_large(pace);
        return;
    }
    if (brood__pace_take(pace, n))
        brood__pace_look(pace, brood__load(&worker->ran, relaxed),
                         brood__os_now());
    if (pace->waits && !wait_for_more(executor))
        brood__pace_skip(pace);
}

int brood__search_may_learn(brood__executor_t *executor)
{
    return brood__load(&executor->score, relaxed) <= 0 && may_poll(executor);
}

void brood__search_learn(brood__executor_t *executor, int64_t asleep)
{
    int none = 0;

    if (asleep < poll_limit(executor))
        brood__cas(&executor->score, &none, SUCCESS, relaxed);
}

/* Does anything wait that the caller is not about to run itself? */
static int more_is_left(brood__worker_t *worker)
{
    brood__executor_t *executor = worker->executor;
    unsigned n = brood__load(&executor->n_workers, acquire), i;

    if (brood__load(&executor->n_errands, relaxed)
        || brood__inbox_some(&executor->inbox))
        return 1;
    for (i = 0; i < n; i++)
        if (brood__deque_size(&executor->workers[i]->deque)
            > (executor->workers[i] == worker))
            return 1;
    return 0;
}

/*
 * The searcher found work, and what it runs may take long. (G) It leaves: either
 * it sees here that a sentinel is on duty, or the sentinel sees afterwards that
 * nobody searches any more (brood__worker_seek(), lie_down()). Else it raises
 * `need` (also when it seems to be raised: a waker may just be lowering it), and
 * looks once more for whoever has looked at that just before. The heavy fence is
 * paid at most TOGGLES_MAX times in a row.
 */
void brood__worker_found(brood__worker_t *worker)
{
    brood__executor_t *executor = worker->executor;

    stop_searching(worker);
    brood__light_fence(&executor->inbox.fences);
    if (brood__load(&executor->watching, relaxed)
        || !brood__executor_has_room(executor))
        return;
    if (++worker->toggles > TOGGLES_MAX) {
        worker->toggles = 0;
        brood__executor_wake(executor);
    } else {
        brood__store(&executor->inbox.need, 1, release); /* (G) */
        brood__heavy_fence(&executor->inbox.fences);     /* (C) */
        if (more_is_left(worker))
            brood__executor_wake(executor);
    }
}

/* Who joins the work of itself is the searcher until it has found some, also for
 * those it has roused, unless there is one: (G) that one will see that nobody
 * watches any more. `alone`: nobody else was active under the lock, so no
 * searcher can be leaving, and the last that left did before it took the lock to
 * sleep. */
void brood__worker_seek(brood__worker_t *worker, int alone)
{
    if (!alone)
        brood__heavy_fence(&worker->executor->inbox.fences);
    (void)become_searcher(worker);
}
