/* SPDX-License-Identifier: Apache-2.0 */

/* executor.c: start, stop, and what is asked in between. */

#include "thread/executor.h"

#include "base/alloc.h"
#include "observe/task_hooks.h"
#include "task/rest.h"
#include "thread/worker.h"

static apr_status_t take_options(brood__executor_options_t *to,
                                 const brood__executor_options_t *options);
static void exchange_options(brood__executor_t *executor,
                             brood__executor_options_t *other);
static void free_options(brood__executor_options_t *options);
static apr_status_t hire(brood__executor_t *executor);
static void begin_run(brood__executor_t *executor)
    BROOD__REQUIRES(executor->lock);
static void join_ended(brood__executor_t *executor);
static void waited(brood__inbox_t *inbox, int64_t ns);
static apr_status_t wait_in(brood__executor_t *executor, brood__link_t *list,
                            int (*over)(brood__executor_t *), int64_t deadline,
                            int firm);

static const brood__home_ops_t executor_home_ops = {
    .noun = "executor",
    .post = brood__executor_post,
    .undelay = brood__executor_undelay
};

apr_status_t brood__executor_init(brood__executor_t *executor,
                                  brood__scope_t *service,
                                  void (*on_rest)(brood__executor_t *))
{
    apr_status_t rv = brood__inbox_init(&executor->inbox);

    if (rv != APR_SUCCESS)
        return rv;
    executor->workers = brood__alloc(BROOD__WORKERS_MAX
                                     * sizeof(*executor->workers));
    if (!executor->workers) {
        brood__inbox_fini(&executor->inbox);
        return APR_ENOMEM;
    }
    executor->home.ops = &executor_home_ops;
    executor->service = service;
    executor->on_rest = on_rest;
    executor->inbox.waited = waited;
    brood__store(&executor->inbox.rare, BROOD__RARE_CLOSED, relaxed);
    brood__lock_init(&executor->control, BROOD__RANK_CONTROL);
    brood__lock_init(&executor->lock, BROOD__RANK_EXECUTOR);
    brood__notices_init(&executor->notices);
    brood__list_init(&executor->sleepers);
    brood__list_init(&executor->free);
    for (int i = 0; i < BROOD__ERRAND_LISTS; i++)
        brood__list_init(&executor->errands[i]);
    brood__list_init(&executor->delayed);
    brood__list_init(&executor->rest_waiters);
    brood__list_init(&executor->idle_waiters);
    brood__list_init(&executor->space_waiters);
    return APR_SUCCESS;
}

void brood__executor_fini(brood__executor_t *executor)
{
    unsigned n, i;

    n = brood__load(&executor->n_workers, acquire);
    for (i = 0; i < n; i++) {
        brood__lock_fini(&executor->workers[i]->name_lock);
        brood__free_aligned(executor->workers[i]);
    }
    brood__free(executor->workers);
    free_options(&executor->options);
    brood__notices_fini(&executor->notices);
    brood__lock_fini(&executor->lock);
    brood__lock_fini(&executor->control);
    brood__inbox_fini(&executor->inbox);
}

void brood__executor_disband(brood__executor_t *executor)
{
    join_ended(executor);
    brood__executor_unwatch(executor);
    brood__timer_disarm(&executor->retry);
    executor->retry_armed = 0;
}

size_t brood__executor_width(brood__executor_t *executor)
{
    int n;

    brood__lock(&executor->lock);
    n = executor->options.max_workers;
    brood__unlock(&executor->lock);
    return n > 0 ? (size_t)n : 1;
}

apr_status_t brood__executor_start(brood__executor_t *executor,
                                   const brood__executor_options_t *options)
{
    brood__executor_options_t other;
    apr_status_t rv = APR_SUCCESS;

    brood__lock(&executor->control);
    brood__lock(&executor->lock);
    if (executor->retired)
        rv = BROOD_ESTOPPED;
    else if (executor->state == BROOD__RUNS)
        rv = BROOD_EALREADY;
    else if (executor->state != BROOD__RESTING)
        rv = BROOD_EPENDING;
    brood__unlock(&executor->lock);
    if (rv == APR_SUCCESS)
        rv = take_options(&other, options);
    if (rv == APR_SUCCESS) {
        join_ended(executor);
        exchange_options(executor, &other);
        rv = hire(executor);
        if (rv != APR_SUCCESS) /* as if it had never been asked for */
            exchange_options(executor, &other);
        free_options(&other);
    }
    brood__unlock(&executor->control);
    return rv;
}

/* Copies; what they hold is the copy's. */
static apr_status_t take_options(brood__executor_options_t *to,
                                 const brood__executor_options_t *options)
{
    char *prefix = brood__strdup(options->prefix);
    char *type = brood__strdup(options->task_type);

    if ((options->prefix && !prefix) || (options->task_type && !type)) {
        brood__free(prefix);
        brood__free(type);
        return APR_ENOMEM;
    }
    *to = *options;
    to->prefix = prefix;
    to->task_type = type;
    return APR_SUCCESS;
}

static void free_options(brood__executor_options_t *options)
{
    brood__free((char *)options->prefix);
    brood__free((char *)options->task_type);
}

/* Exchange the options for *other. Nobody reads them without the lock: no worker
 * lives, and every submit is refused. */
static void exchange_options(brood__executor_t *executor,
                             brood__executor_options_t *other)
{
    brood__executor_options_t options = *other;

    brood__lock(&executor->lock);
    *other = executor->options;
    executor->options = options;
    brood__store(&executor->max, options.max_workers, relaxed);
    brood__store(&executor->capacity, options.capacity, relaxed);
    brood__store(&executor->when_full, options.when_full, relaxed);
    brood__store(&executor->full_timeout, options.full_timeout, relaxed);
    brood__unlock(&executor->lock);
}

/* The first threads; all of them or none. */
static apr_status_t hire(brood__executor_t *executor)
{
    apr_status_t rv = APR_SUCCESS;
    int64_t never = -1;

    brood__lock(&executor->lock);
    begin_run(executor);
    for (int i = 0; i < executor->options.min_workers && rv == APR_SUCCESS; i++)
        rv = brood__executor_spawn(executor, 0);
    if (rv == APR_SUCCESS) {
        unsigned rare = 0;

        if (executor->options.task_type)
            rare |= BROOD__RARE_TYPED;
        if (executor->options.capacity)
            rare |= BROOD__RARE_CAPACITY;
        if (executor->n_threads == 0)
            rare |= BROOD__RARE_NOBODY;
        brood__store(&executor->ever_started, 1, relaxed);
        brood__notices_open(&executor->notices);
        brood__executor_set_need(executor);
        brood__store(&executor->inbox.rare, rare, release);
    } else if (executor->n_threads == 0) {
        executor->state = BROOD__RESTING;
    } else {
        executor->state = BROOD__STOPPING;
        executor->closing = 0;
    }
    brood__unlock(&executor->lock);
    if (rv != APR_SUCCESS) {
        /* The workers that were made have nothing to do: this is short. */
        brood__executor_check(executor);
        brood__executor_wait_rest_firm(executor, never);
    }
    return rv;
}

static void begin_run(brood__executor_t *executor)
{
    unsigned special = 0;

    if (executor->options.capacity)
        special |= BROOD__SPECIAL_CAPACITY;
    brood__store(&executor->special, special, seq_cst);
    if (brood__task_hooks_on()) /* hooks set before now; else they tell us */
        brood__or(&executor->special, BROOD__SPECIAL_HOOKS, relaxed);
    brood__store(&executor->inbox.need, 0, relaxed);
    brood__store(&executor->score, BROOD__SCORE_MAX, relaxed);
    executor->at_once = BROOD__AT_ONCE;
    executor->cancelling = 0;
    executor->closing = 0;
    executor->next_number = 0;
    executor->state = BROOD__RUNS; /* (1) */
}

/* What a stop has to do; see brood__executor_stop(). */
typedef struct ending_t {
    int first;  /* it began the end */
    int part;   /* it is counted in `closing` */
    int cancel; /* nothing that is queued runs any more */
} ending_t;

static ending_t begin_stop(brood__executor_t *executor, brood_stop_e how)
{
    ending_t ending = { 0, 0, 0 };

    brood__lock(&executor->control); /* no start is under way */
    brood__lock(&executor->lock);
    ending.first = executor->state == BROOD__RUNS;
    if (ending.first) {
        executor->state = BROOD__STOPPING; /* (2) */
        brood__store(&executor->hurried, 1, relaxed);
        brood__or(&executor->inbox.rare, BROOD__RARE_CLOSED, relaxed);
    }
    ending.part = executor->state == BROOD__STOPPING;
    if (ending.part && how == BROOD_STOP_CANCEL) {
        executor->cancelling = 1;
        brood__or(&executor->special, BROOD__SPECIAL_CANCEL, relaxed);
    }
    ending.cancel = ending.part && executor->cancelling;
    executor->closing += ending.part;
    brood__unlock(&executor->lock);
    brood__unlock(&executor->control);
    return ending;
}

/* What is queued needs a worker. When there is none, and none can be made, it is
 * settled here: notices are called, and nothing else can be queued. */
static void see_to_the_rest(brood__executor_t *executor)
{
    apr_status_t refused = APR_SUCCESS;

    brood__lock(&executor->lock);
    if (executor->state == BROOD__STOPPING && brood__executor_any(executor)) {
        brood__executor_wake_locked(executor);
        if (executor->n_threads == 0)
            refused = executor->refused_with;
    }
    brood__unlock(&executor->lock);
    if (refused != APR_SUCCESS)
        brood__executor_refuse_queued(executor, refused);
    brood__lock(&executor->lock);
    executor->closing--;
    brood__unlock(&executor->lock);
}

/* Calls the program's destroy functions and who listens to futures: under no
 * lock. While it does, `closing` keeps the run from ending. */
apr_status_t brood__executor_stop(brood__executor_t *executor, brood_stop_e how)
{
    ending_t ending = begin_stop(executor, how);

    if (ending.first) {
        brood__inbox_settle(&executor->inbox);
        brood__capacity_close(executor);
        brood__executor_cancel_delayed(executor);
        brood__notices_close(&executor->notices);
    }
    if (ending.cancel) {
        brood__executor_interrupt(executor);
        brood__executor_refuse_queued(executor, BROOD_ECANCELED);
    }
    if (ending.part)
        see_to_the_rest(executor);
    brood__executor_check(executor);
    return brood__load(&executor->ever_started, relaxed) ? APR_SUCCESS
                                                         : BROOD_ENOTSTARTED;
}

int brood__executor_retire(brood__executor_t *executor)
{
    int daemon;

    brood__lock(&executor->lock);
    executor->retired = 1;
    brood__store(&executor->ever_started, 1, relaxed); /* BROOD_ESTOPPED */
    daemon = executor->options.daemon;
    brood__unlock(&executor->lock);
    return daemon;
}

/* ---- waiting ------------------------------------------------------------ */

static int at_rest(brood__executor_t *executor) BROOD__NO_ANALYSIS
{
    return executor->state == BROOD__RESTING;
}

static int is_idle(brood__executor_t *executor) BROOD__NO_ANALYSIS
{
    return executor->n_active == 0 && !brood__executor_any(executor);
}

apr_status_t brood__executor_wait_rest(brood__executor_t *executor,
                                       int64_t deadline)
{
    return wait_in(executor, &executor->rest_waiters, at_rest, deadline, 0);
}

void brood__executor_wait_rest_firm(brood__executor_t *executor,
                                    int64_t deadline)
{
    while (wait_in(executor, &executor->rest_waiters, at_rest, deadline, 1)
           == BROOD_EINTERRUPTED)
        ;
}

apr_status_t brood__executor_wait_idle(brood__executor_t *executor,
                                       int64_t deadline)
{
    return wait_in(executor, &executor->idle_waiters, is_idle, deadline, 0);
}

static apr_status_t wait_in(brood__executor_t *executor, brood__link_t *list,
                            int (*over)(brood__executor_t *), int64_t deadline,
                            int firm)
{
    brood__sleeper_t sleeper;
    brood__rest_t rest;
    /* Only looking is allowed where waiting is not. */
    int looks = deadline >= 0 && deadline <= brood__os_now();
    apr_status_t rv;
    int done;

    brood__sleep_init(&sleeper.sleep);
    brood__list_init(&sleeper.link);
    brood__lock(&executor->lock);
    done = over(executor);
    if (!done && !looks) {
        brood__list_append(list, &sleeper.link);
        brood__store(&executor->hurried, 1, relaxed);
    }
    brood__unlock(&executor->lock);
    if (done || looks)
        return done ? APR_SUCCESS : APR_TIMEUP;
    if (firm || deadline >= 0)
        return brood__sleeper_wait(executor, &sleeper, deadline);
    if (brood__rest_enter(&rest, executor, &sleeper.sleep)) {
        rv = brood__sleeper_wait(executor, &sleeper, deadline);
        brood__rest_leave(&rest);
        return rv;
    }
    brood__lock(&executor->lock);
    brood__list_remove(&sleeper.link);
    brood__unlock(&executor->lock);
    return BROOD_EDEADLK;
}

/* ---- in between --------------------------------------------------------- */

apr_status_t brood__executor_resize(brood__executor_t *executor, int min,
                                    int max)
{
    apr_status_t rv = APR_SUCCESS;

    brood__lock(&executor->control);
    brood__lock(&executor->lock);
    if (!min)
        min = executor->options.min_workers;
    else if (min < 0)
        min = 0;
    if (!max)
        max = executor->options.max_workers;
    if (executor->state != BROOD__RUNS) {
        rv = brood__executor_why_not(executor);
    } else if (min > max) {
        rv = APR_EINVAL;
    } else {
        int old_max = executor->options.max_workers;
        int old_number = executor->next_number;

        executor->options.max_workers = max;
        if (min == 0)
            rv = brood__timers_ready();
        while (rv == APR_SUCCESS && executor->n_threads < min)
            rv = brood__executor_spawn(executor, 0);
        if (rv == APR_SUCCESS)
            brood__executor_set_min(executor, min);
        else {
            executor->options.max_workers = old_max;
            brood__executor_unhire(executor, old_number);
        }
        brood__store(&executor->max, executor->options.max_workers, relaxed);
        brood__executor_send_surplus(executor);
        brood__executor_has_hands(executor);
    }
    brood__unlock(&executor->lock);
    brood__unlock(&executor->control);
    return rv;
}

apr_status_t brood__executor_listens(brood__executor_t *executor)
{
    apr_status_t rv = APR_SUCCESS;

    brood__lock(&executor->lock);
    if (executor->options.min_workers == 0)
        rv = brood__timers_ready(); /* nobody may be there: see errand.c */
    brood__unlock(&executor->lock);
    return rv;
}

int brood__executor_is_running(brood__executor_t *executor)
{
    return !(brood__load(&executor->inbox.rare, acquire)
             & (BROOD__RARE_CLOSED | BROOD__RARE_FORKED));
}

int brood__executor_is_self(brood__executor_t *executor)
{
    return brood__executor_current() == executor;
}

brood__executor_t *brood__executor_current(void)
{
    brood__worker_t *worker = brood__worker_self();

    return worker ? worker->executor : NULL;
}

void brood__executor_forked(brood__executor_t *executor)
{
    brood__or(&executor->inbox.rare, BROOD__RARE_FORKED, relaxed);
}

void brood__executor_hooks(brood__executor_t *executor, int on)
{
    if (on)
        brood__or(&executor->special, BROOD__SPECIAL_HOOKS, relaxed);
    else
        brood__and(&executor->special, ~(unsigned)BROOD__SPECIAL_HOOKS,
                   relaxed);
}

static void join_ended(brood__executor_t *executor)
{
    brood__thread_t *ended;

    brood__lock(&executor->lock);
    ended = executor->ended;
    executor->ended = NULL;
    brood__unlock(&executor->lock);
    if (ended)
        brood__thread_join(ended);
}

static void waited(brood__inbox_t *inbox, int64_t ns)
{
    brood__histogram_add(
        &BROOD__CONTAINER(inbox, brood__executor_t, inbox)->wait_time, ns);
}
