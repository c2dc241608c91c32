/* SPDX-License-Identifier: Apache-2.0 */

/*
 * worker.h: the inside of an executor, for the files of this folder only.
 *
 * A worker is, under the executor's lock, in one of these states:
 *
 *     FREE --(1)--> ACTIVE <--(2)--> ASLEEP
 *       ^             |  ^             |
 *       |             |  `----(3)--- WATCHING
 *       `----(4)------+----------------'
 *
 *   (1) spawn: a thread is made (it may begin as WATCHING).
 *   (2) it found nothing and registered in `sleepers`; woken, it becomes ACTIVE
 *   if nobody else is or the sentinel has roused it, else WATCHING: the sentinel,
 *   of which there is one at most.
 *   (3) the sentinel joins the work, or goes back to sleep.
 *   (4) it leaves: the executor ends, or it is one too many.
 *
 * An ACTIVE worker may be `blocked` (its task waits and said so) or `stuck`
 * (the sentinel found that it does not move); then it does not count as awake.
 */

#ifndef BROOD_THREAD_WORKER_H
#define BROOD_THREAD_WORKER_H

#include <brood/errors.h>

#include "observe/histogram.h"
#include "task/pace.h"
#include "thread/deque.h"
#include "thread/executor.h"
#include "thread/marks.h"

typedef enum {
    BROOD__WORKER_FREE,
    BROOD__WORKER_ACTIVE,
    BROOD__WORKER_ASLEEP,
    BROOD__WORKER_WATCHING,
    BROOD__WORKER_LEAVING
} brood__worker_e;

/* What a sleeping worker's gate says. AGAIN: its time to leave begins anew. */
enum {
    BROOD__GATE_OPEN,
    BROOD__GATE_SHUT,
    BROOD__GATE_LEAVE,
    BROOD__GATE_AGAIN,
    BROOD__GATE_LOOK /* open, and the sentinel is to decide at once */
};

enum {
    BROOD__ERRAND_URGENT, /* high priority, due, notices, leases */
    BROOD__ERRAND_LOW,
    BROOD__ERRAND_LISTS
};

struct brood__worker_t {
    brood__deque_t deque;

    /* The owner's. Counters are written by it alone and read by others. */
    brood__place_t place BROOD__ALIGNED(BROOD__LINE);
    brood__executor_t *executor;
    unsigned tick;    /* tasks run since long ago */
    unsigned turn;    /* lane to look at first */
    unsigned victim;  /* worker to steal from first */
    unsigned toggles; /* times it raised `need` again after a search */
    unsigned calm;    /* times it found work since it slept; see fence.h */
    int searching;    /* it is the searcher */
    brood__pace_t pace;
    long long base;    /* deque.bottom when the task that may help began */
    atomic_ullong ran; /* tasks begun and ended */
    atomic_ullong failed, unrun, elsewhere, steals, spawned;
    unsigned long long spawned_seen; /* when the others had their turn last */
    atomic_int running;              /* a task runs */

    /* The executor's: under its lock. */
    brood__worker_e state BROOD__ALIGNED(BROOD__LINE);
    int number;
    unsigned slot;         /* in executor->workers */
    int blocks;            /* depth of blocking; > 0: blocked */
    atomic_int stuck;      /* 0, or why; also read by its owner without lock */
    int64_t asleep_since;  /* if there is a max_idle */
    int interrupted;       /* a stop with CANCEL has cut one wait short */
    brood__sleep_t *sleep; /* that its task is in */
    brood__link_t link;    /* in sleepers, or in the free list */
    brood__thread_t *thread;
    unsigned long long seen_ran; /* by the sentinel */
    int64_t seen_cpu, seen_at, still_since;
    unsigned long long watched_ran; /* by the watchdog */
    int64_t watched_since;
    int reported;
    int lent; /* its task runs other tasks, and is not watched */
    unsigned long long put_before; /* tasks from outside when it was made */
    int roused;                    /* it has not lain down since it was */
    unsigned long long roused_ran; /* tasks ended then */
    atomic_int clocked;            /* `clock` is set; (K) */
    brood__os_cpu_clock_t clock;

    /* The name of the running task, while the executor is watched. */
    brood__lock_t name_lock;
    const char *name; /* under name_lock */

    atomic_uint gate BROOD__ALIGNED(BROOD__LINE);
    int64_t woken_at; /* published by the gate; 0: nobody wants to know */
};

/* Workers that a sentinel may rouse in one tick. */
#define BROOD__AT_ONCE 8

/* Why a worker is stuck. */
enum { BROOD__WAITS = 1, BROOD__BURNS };

typedef enum {
    BROOD__RESTING,
    BROOD__RUNS,
    BROOD__STOPPING,
    BROOD__ENDING
} brood__executor_e;

struct brood__executor_t {
    brood__home_t home; /* of its futures */
    brood__scope_t *service;
    void (*on_rest)(brood__executor_t *);
    brood__node_t *owner; /* of the manager around it, or NULL */

    brood__inbox_t inbox;

    /* Looked at before every task. */
    atomic_uint special BROOD__ALIGNED(BROOD__LINE);
    atomic_int shrinking; /* there are more workers than may */
    int cancelling;       /* under lock */

    /* Who works. Hints, exact under the lock. */
    atomic_int searching BROOD__ALIGNED(BROOD__LINE); /* 0 or 1 */
    atomic_int hurried;  /* somebody waits for it to be idle, or it stops: no
                            searcher polls, nobody waits for more; written
                            under the lock */
    atomic_int awake;    /* active, neither blocked nor stuck */
    atomic_int watching; /* a sentinel is on duty */
    atomic_int n_asleep;
    atomic_int max; /* options.max_workers */

    /* What an outsider may want to know of the options of a run that ends. */
    atomic_int capacity, when_full;
    atomic_llong full_timeout;

    atomic_int queued BROOD__ALIGNED(BROOD__LINE); /* when it has a capacity */
    atomic_int score;                              /* of searches that paid */
    atomic_int n_waiting;                          /* for room */
    atomic_ullong rejected;
    atomic_ullong unrun; /* tasks that outsiders refused to run */
    atomic_ullong ran_outside, failed_outside; /* tasks that outsiders ran */
    atomic_ullong here; /* of them, that no queue has seen */
    brood__histogram_t wait_time, run_time;

    brood__lock_t control BROOD__ALIGNED(BROOD__LINE); /* one start or stop */

    brood__lock_t lock BROOD__ALIGNED(BROOD__LINE); /* guards all below */
    brood__executor_e state;
    atomic_int ever_started; /* written under the lock */
    unsigned at_once;        /* sleepers to rouse in one tick; learned */
    int retired;             /* its owner is gone: it never starts again */
    int closing; /* stops that have not yet settled who may submit, or what is
                    queued: no end before */
    brood__executor_options_t options; /* strings: ours; task_type changes only
                                          while RESTING */
    int n_threads, n_active, n_blocked;
    int n_leaving; /* threads in state LEAVING, which n_threads is without */
    int next_number;
    brood__worker_t *sentinel;
    brood__link_t sleepers; /* newest first */
    brood__link_t free;     /* workers without a thread */
    brood__link_t errands[BROOD__ERRAND_LISTS];
    atomic_uint n_errands; /* in all lists; written under the lock */
    brood__link_t delayed; /* tasks not yet due, by errand.link */
    brood__link_t rest_waiters, idle_waiters, space_waiters;
    brood__thread_t *ended;    /* the last thread that left, not yet joined */
    apr_status_t start_status; /* why the last worker could not start */
    uint64_t n_started, n_wakes, n_errands_put;
    unsigned n_refused;        /* threads that could not be made */
    apr_status_t refused_with; /* the last one's status */
    brood__timer_t retry;      /* for a thread */
    int retry_armed;
    brood__timer_t watch;
    int watch_armed;
    brood__worker_t **workers; /* entries are set once, read without the lock */
    atomic_uint n_workers;

    brood__notices_t notices;
};

extern const brood__place_ops_t brood__worker_place_ops;

BROOD__INLINE brood__worker_t *brood__worker_self(void)
{
    brood__place_t *place = brood__self.place;

    return place && place->ops == &brood__worker_place_ops
               ? BROOD__CONTAINER(place, brood__worker_t, place)
               : NULL;
}

void brood__worker_base(const brood_future_t *future);

/* Why one that does not run refuses. */
BROOD__INLINE apr_status_t brood__executor_why_not(brood__executor_t *executor)
{
    return brood__load(&executor->ever_started, relaxed) ? BROOD_ESTOPPED
                                                         : BROOD_ENOTSTARTED;
}

/* The trampoline of a task that has a future. */
apr_status_t brood__run_future(void *future, void **unused);

/* What it returns; no status of a task is any of these. */
#define BROOD__TOMBSTONE (BROOD_ERROR_BASE - 1) /* claimed elsewhere */
#define BROOD__NOT_OURS  (BROOD_ERROR_BASE - 2) /* ... with its scope */
#define BROOD__FAILED    (BROOD_ERROR_BASE - 3) /* its future knows how */

/* Run a task on the caller's stack, at its own scope; it is accepted by that. */
void brood__run_here(brood__executor_t *executor, brood_future_t *task,
                     brood_task_fn *fn, void *baton);

/* ---- duty.c: is there work, and who is put on duty for it ---------------- */

/* Is anything queued anywhere? */
int brood__executor_some(brood__executor_t *executor);
/* The same for sure, while nobody is active: see brood__inbox_any(). */
int brood__executor_any(brood__executor_t *executor);
void brood__executor_wake(brood__executor_t *executor);
void brood__executor_wake_locked(brood__executor_t *executor)
    BROOD__REQUIRES(executor->lock);
/* A sleeper that works from now on; the caller unparks it, under no lock. NULL:
 * nobody sleeps, or as many run as may. */
brood__worker_t *brood__executor_rouse(brood__executor_t *executor)
    BROOD__REQUIRES(executor->lock);
/* It lies down: if it was roused, learn whether that was worth it. */
void brood__executor_learn_rousing(brood__executor_t *executor,
                                   brood__worker_t *worker)
    BROOD__REQUIRES(executor->lock);
void brood__executor_set_need(brood__executor_t *executor);
/* The same where there is room for one more from now on, with the heavy fence of
 * (C) behind it. (G) A searcher that was there, and did not know of the room, may
 * leave meanwhile; then we see here that it has. tests/models/block.pml states it
 * for Spin. */
void brood__executor_need_surely(brood__executor_t *executor)
    BROOD__REQUIRES(executor->lock);
/* The second half of it, after a heavy fence. Needs no lock. */
void brood__executor_need_again(brood__executor_t *executor);
/* And for what is queued already. */
void brood__executor_has_hands(brood__executor_t *executor)
    BROOD__REQUIRES(executor->lock);
void brood__executor_count_awake(brood__executor_t *executor, int delta);
int brood__executor_can_spawn(brood__executor_t *executor)
    BROOD__REQUIRES(executor->lock);
/* Somebody sleeps, or could be made. A hint. */
int brood__executor_has_room(brood__executor_t *executor);

/* ---- search.c: the one that looks for work -------------------------------- */

/* About so many searches may fail before nobody polls any more; exactly so many at
 * first. */
#define BROOD__SCORE_MAX 4

/* Be the searcher, if there is none. True: there may be something. */
int brood__worker_search(brood__worker_t *worker);
void brood__worker_found(brood__worker_t *worker);
void brood__worker_seek(brood__worker_t *worker, int alone);

/* All of a take of `n` tasks has been run: let the one who brings them get ahead,
 * where that pays; see pace.h. */
void brood__worker_stay_behind(brood__worker_t *worker, unsigned n);

/* Who lies down takes the time if this says so, and then tells how long it was
 * until somebody woke it: so soon that polling would have spared that? */
int brood__search_may_learn(brood__executor_t *executor);
void brood__search_learn(brood__executor_t *executor, int64_t asleep);

/* ---- rest.c: sleeping and leaving ----------------------------------------- */

/* True: go on; false: leave. */
int brood__worker_rest(brood__worker_t *worker);

void brood__worker_deactivate(brood__worker_t *worker) BROOD__NO_ANALYSIS;

/* Another min_workers, of which there are enough. */
void brood__executor_set_min(brood__executor_t *executor, int min)
    BROOD__REQUIRES(executor->lock);

/* There may be fewer workers from now on. */
void brood__executor_send_surplus(brood__executor_t *executor)
    BROOD__REQUIRES(executor->lock);

int brood__worker_is_surplus(brood__worker_t *worker);

/* As brood__executor_wait_rest(), and no cancel cuts it short. */
void brood__executor_wait_rest_firm(brood__executor_t *executor,
                                    int64_t deadline);

/* After something ended: is the executor idle, or at rest? Tells who waits. */
void brood__executor_check(brood__executor_t *executor);

/* ---- sentinel.c --------------------------------------------------------- */

/* On duty. 1: work, 0: sleep, -1: leave. */
int brood__worker_watch(brood__worker_t *worker);

/* It works, from now on. By its own hand, or that of who wakes it. */
void brood__worker_join(brood__worker_t *worker) BROOD__NO_ANALYSIS;

/* ---- work.c: the worker's life ------------------------------------------ */

void brood__worker_main(void *worker);

/* Run a task and give its scope's reference back. */
void brood__worker_run(brood__worker_t *worker, const brood__call_t *call);
/* The same, without looking whether anything more urgent is queued. */
void brood__worker_run_only(brood__worker_t *worker, const brood__call_t *call);

/* ---- crew.c: making and ending threads ---------------------------------- */

apr_status_t brood__executor_spawn(brood__executor_t *executor, int watching)
    BROOD__REQUIRES(executor->lock);
/* Send away those with a number from `first` on, which were made in the present
 * hold of the lock and have not begun; never the last worker. */
void brood__executor_unhire(brood__executor_t *executor, int first)
    BROOD__REQUIRES(executor->lock);
void brood__worker_leave(brood__worker_t *worker, apr_status_t start_status);
void brood__worker_relieve(brood__worker_t *worker) BROOD__NO_ANALYSIS;
void brood__worker_dismiss(brood__worker_t *worker) BROOD__NO_ANALYSIS;
void brood__executor_end_all(brood__executor_t *executor)
    BROOD__REQUIRES(executor->lock);

/* ---- watch.c: the watchdog ------------------------------------------------ */

/* Somebody works: see to it that long tasks are noticed. */
void brood__executor_watch(brood__executor_t *executor)
    BROOD__REQUIRES(executor->lock);
void brood__executor_unwatch(brood__executor_t *executor);

/* ns; <= 0: nobody watches. */
int64_t brood__executor_warning(brood__executor_t *executor);

/* ---- errand.c ----------------------------------------------------------- */

void brood__executor_post(brood__home_t *home, brood__errand_t *errand);
void brood__errand_push(brood__executor_t *executor, brood__errand_t *errand,
                        int list) BROOD__REQUIRES(executor->lock);
brood__errand_t *brood__errand_pop(brood__executor_t *executor, unsigned tick,
                                   int idle);
/* At this tick the lanes' turn comes before the urgent errands'. */
int brood__errand_pause(unsigned tick);
void brood__executor_undelay(brood__home_t *home, brood_future_t *future);
void brood__executor_cancel_delayed(brood__executor_t *executor);
void brood__executor_delay(brood__executor_t *executor, brood_future_t *future)
    BROOD__REQUIRES(executor->lock);

/* A tick at which a low errand goes first. */
#define BROOD__LOW_TICK 31

/* ---- capacity.c --------------------------------------------------------- */

/* Take room for n tasks: APR_SUCCESS, or BROOD_EFULL. */
apr_status_t brood__capacity_take(brood__executor_t *executor, int n);
void brood__capacity_give(brood__executor_t *executor, int n);
/* Wait for room for n tasks, as the options say; APR_SUCCESS: try again. */
apr_status_t brood__capacity_wait(brood__executor_t *executor, int n,
                                  int64_t deadline);
/* The executor stops: nobody waits for room any more. */
void brood__capacity_close(brood__executor_t *executor);

/* ---- cancel.c ----------------------------------------------------------- */

/* Settle all that is queued with `status`, from any thread. */
void brood__executor_refuse_queued(brood__executor_t *executor,
                                   apr_status_t status);
void brood__executor_interrupt(brood__executor_t *executor);
void brood__call_refuse(brood__executor_t *executor, const brood__call_t *call,
                        apr_status_t status);

/* A sleep in a list under the executor's lock. */
typedef struct brood__sleeper_t {
    brood__link_t link;
    brood__sleep_t sleep;
    int n; /* tasks it wants room for */
} brood__sleeper_t;

void brood__sleepers_fire(brood__link_t *list);

/* Enlist was done under the lock; sleep, and delist. */
apr_status_t brood__sleeper_wait(brood__executor_t *executor,
                                 brood__sleeper_t *sleeper, int64_t deadline);

#endif /* BROOD_THREAD_WORKER_H */
