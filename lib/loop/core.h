/* SPDX-License-Identifier: Apache-2.0 */

/*
 * core.h: one loop manager. Private to this floor.
 *
 * ROUTES
 *
 *     submit, post --> lane of the inbox ---------\
 *     errands, wakes by other threads --> arrivals -+--> turn --> coroutine
 *     deadlines --> alarms, delays ----------------/
 *
 * The loop's thread is the only consumer of all of them. It takes a batch of up
 * to 64 calls, runs posts on its own stack, and for anything else switches to a
 * spare coroutine, the runner, which runs one call after the other on its
 * stack. Only when a task suspends does the runner become that task's for good,
 * and the loop takes another one. So a task that never awaits costs a function
 * call, and every switch is between the loop's stack and a coroutine's. The
 * program's own events run on the loop's stack, within libevent.
 *
 * STATES of a manager; under `lock`:
 *
 *     RESTING --(1)--> STARTING --(2)--> RUNNING --(3)--> STOPPING
 *      ^  ^---(5)---------'                                  |
 *      '------------------------------------(4)--------------'
 *
 *   (1) brood_loop_manager_start() or _run(): one caller.
 *   (2) the loop's thread, before `on_start`; from now on tasks are accepted.
 *   (3) the first stop, or the collector. The loop is told through `asked`.
 *   (4) the loop's thread, as its last act, when everything is settled.
 *   (5) the caller of (1), when something could not be made.
 *
 * SLEEPING
 *
 * The loop sleeps in libevent. Before that it stores `inbox.need`, runs the
 * heavy fence, and looks at all that others can give it: lanes, arrivals,
 * asked. A producer first publishes, then fences, then loads `need`: one of the
 * two sees the other (inbox.h, C). A producer that sees it swaps it to 0, and
 * whoever gets the 1 activates the wake event: one for a batch. libevent holds
 * its own lock from its look at the active events until it counts as
 * dispatching, and an activation by another thread takes that lock, so it is
 * either seen before or interrupts the dispatch. tests/models/loop_wake.pml
 * states it for Spin.
 *
 * ENDS
 *
 * Who gives something to a loop from outside touches it until after the wake.
 * A producer is `busy` in its lane (inbox.h, D), a notice is counted by its
 * notices, who wakes a coroutine or cancels a delayed task counts itself in
 * `inside`, and who asks it to stop holds `lock`. The loop ends after it has
 * seen all of these rest.
 */

#ifndef BROOD_LOOP_CORE_H
#define BROOD_LOOP_CORE_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include <brood/manager.h>

#include "base/alarms.h"
#include "loop/coroutine.h"
#include "loop/loop.h"
#include "observe/histogram.h"
#include "os/thread.h"
#include "task/future.h"
#include "thread/inbox.h"

/* Reasons for the slow path of a submit; bits of inbox.rare. */
enum {
    BROOD__LOOP_CLOSED = 1, /* not RUNNING */
    BROOD__LOOP_TYPED = 2,  /* has a task type */
    BROOD__LOOP_FORKED = 4  /* we are in a forked child */
};

/* Bits of `asked`; they only ever get more during a run. */
enum { BROOD__LOOP_STOP = 1, BROOD__LOOP_CANCEL = 2 };

typedef enum {
    BROOD__LOOP_RESTING,
    BROOD__LOOP_STARTING,
    BROOD__LOOP_RUNNING,
    BROOD__LOOP_STOPPING
} brood__loop_state_e;

/* A start's settings, complete and checked. */
typedef struct brood__loop_settings_t {
    char *task_type;   /* copied; the manager's */
    char *thread_name; /* the same */
    int daemon;
    int64_t block_warning; /* ns; < 0: never */
    size_t stack_size;
    int64_t spin; /* ns; < 0: never */
    void (*on_start)(struct event_base *base, void *hook_baton);
    void (*on_stop)(struct event_base *base, void *hook_baton);
    void (*on_exit)(struct event_base *base, void *hook_baton);
    void *hook_baton;
} brood__loop_settings_t;

/* Who waits for the end of a run; on its stack, in `resters`. */
typedef struct brood__rester_t {
    brood__link_t link;
    brood__sleep_t sleep;
} brood__rester_t;

/* A task that is not due yet and has no future; see late.c. */
typedef struct brood__late_t {
    union {
        brood__alarm_t alarm; /* while it is set; its deadline is odd */
        struct {
            int64_t deadline;
            brood__link_t link;
        } way; /* before and after */
    } time;
    brood_task_fn *fn;
    void *baton;
    brood__scope_t *scope; /* holds a reference */
} brood__late_t;

/* Deadlines of `delays` that have this bit belong to one of these. */
#define BROOD__LATE ((int64_t)1)

/* What the monitor looks at; see watch.c. */
typedef struct brood__watch_t {
    brood__timer_t timer; /* armed while `on` */
    atomic_int on;
    atomic_int off;     /* the run ends: arm no more */
    atomic_int awake;   /* the loop is not in a dispatch that may sleep */
    atomic_uint beats;  /* bumped by the loop whenever it turns to something */
    unsigned seen;      /* the timers' thread's own, as the next two */
    int64_t since;      /* when `seen` was seen first */
    int named;          /* ... and was told of */
    atomic_uint naming; /* a spin lock, for `name` */
    _Atomic(const char *) name;  /* of the task that runs; NULL: it has none */
    _Atomic(brood_task_fn *) fn; /* what runs; NULL: an event handler */
} brood__watch_t;

struct brood_loop_manager_t {
    brood__manager_t base; /* first: a handle is also this */

    brood__inbox_t inbox;

    /* What others give: a stack of links; see brood__loop_arrive(). */
    atomic_uintptr_t arrivals BROOD__ALIGNED(BROOD__LINE);
    /* Not beside the arrivals, which the loop looks at in every turn. */
    atomic_uint inside BROOD__ALIGNED(BROOD__LINE); /* see ENDS */

    /* Seldom written. */
    atomic_uint asked BROOD__ALIGNED(BROOD__LINE);
    atomic_int hooks; /* the program's task hooks are set */
    atomic_ullong rejected;
    atomic_ullong by_errand; /* tasks that came by no lane */
    atomic_ullong undelayed; /* ... and were canceled before they were due */
    atomic_int ever;         /* was RUNNING once */
    atomic_ullong wakes;

    /* The loop's thread, nobody else; counters are read by statistics. */
    brood__call_t calls[BROOD__BATCH] BROOD__ALIGNED(BROOD__LINE);
    unsigned at, until, n; /* next call; where this turn ends; how many */
    brood__call_t single;  /* a task that came by an errand; fn NULL: none */
    unsigned lane_turn;    /* where the next search begins */
    unsigned quota;        /* calls between two looks at the clock */
    unsigned used;         /* ... since the last look */
    unsigned obeyed;       /* what of `asked` has been done */
    int stopping, canceling, notices_closed, finished;
    int64_t now;                    /* at the last look */
    int64_t polled;                 /* when libevent was asked last */
    unsigned spin_rest, spin_pause; /* see sleep.c */
    unsigned calm; /* times it found work since it slept; see thread/fence.h */
    brood__link_t ready; /* coroutines to resume */
    unsigned n_ready;
    brood__link_t yielded; /* ready once the present batch has begun */
    unsigned n_yielded;
    brood__link_t errands;  /* to run */
    brood__link_t late;     /* the same; see late.c */
    int late_next;          /* the next batch is of these, if there are any */
    brood__link_t untimed;  /* suspended without a deadline, oldest first */
    brood__link_t others;   /* suspended with one, or named already */
    brood__alarms_t alarms; /* of coroutines */
    brood__alarms_t delays; /* of tasks that are not due yet; see delay.c */
    unsigned n_delayed;
    brood__spares_t spares;
    brood__place_t bare;         /* of the loop's own stack */
    brood__frame_t frame;        /* the loop's own; fixed during a run */
    brood__os_context_t context; /* of the loop's own stack */
    brood__coroutine_t *running; /* or NULL: on the loop's own stack */
    brood__watch_t watch;
    struct event wake; /* never added, only activated */
    struct event tick; /* the nearest deadline */
    int ticking;       /* `tick` was added and has not fired */
    atomic_ullong begun, completed, failed, canceled;
    atomic_ullong by_itself; /* late tasks that were submitted here */
    atomic_uint n_begun, n_suspended;
    atomic_int idle;
    brood__histogram_t wait_time, run_time;

    brood__lock_t lock BROOD__ALIGNED(BROOD__LINE);
    brood__cond_t changed; /* `state` or `joining` did */
    /* Under `lock`: */
    brood__loop_state_e state;
    int joining;             /* somebody joins the last run's thread */
    int retire;              /* tell the collector at the end of this run */
    unsigned rests;          /* runs that have ended */
    brood__thread_t *thread; /* of this run or the last; NULL: joined */
    brood__link_t resters;
    struct event_base *evbase;  /* from (1) to (4) */
    brood__loop_settings_t set; /* fixed from (1) to the next (1) */
    brood__gate_t *started;     /* the starter's */

    brood__notices_t notices;
    int made;             /* make() was successful */
    brood__link_t of_all; /* all loops; see loop_manager.c */
};

/* The loop that the calling thread runs. */
extern BROOD__THREAD_LOCAL brood_loop_manager_t *brood__loop_here;

/* Is the caller a coroutine? */
BROOD__INLINE int brood__in_coroutine(void)
{
    return brood__loop_here && brood__loop_here->running;
}

/* One task in so many is timed. */
BROOD__INLINE int brood__timed(brood_loop_manager_t *loop)
{
    return BROOD__UNLIKELY(
        brood__load(&loop->begun, relaxed) % BROOD__STAMP_EACH == 0);
}

/* ---- run.c: one run of a loop -------------------------------------------- */

/* STARTING: make all that a run needs, so that it cannot fail any more; undo
 * it. */
apr_status_t brood__loop_prepare(brood_loop_manager_t *loop);
void brood__loop_unprepare(brood_loop_manager_t *loop);

/* Run it on the calling thread, from (2) until just before (4). `first`, which
 * may be NULL, is called as soon as it accepts tasks. */
void brood__loop_serve(brood_loop_manager_t *loop, void (*first)(void *baton),
                       void *baton);

/* On the loop's stack, when it finds nothing to do and is to stop: one step
 * towards the end; true when there is something to do again, or `finished`. */
int brood__loop_end_step(brood_loop_manager_t *loop);

/* On the loop's stack: do what was asked for. */
void brood__loop_obey(brood_loop_manager_t *loop, unsigned asked);

/* Something was asked for that is not done yet. */
BROOD__INLINE int brood__loop_told(brood_loop_manager_t *loop)
{
    return BROOD__UNLIKELY(brood__load(&loop->asked, relaxed) != loop->obeyed);
}

/* ---- turn.c: what a loop does next --------------------------------------- */

void brood__loop_turn(brood_loop_manager_t *loop);

/* Resume those whose deadline has passed; `now` was just read. */
void brood__loop_expire(brood_loop_manager_t *loop);

/* ---- sleep.c: when a loop has nothing to do ------------------------------ */

/* Something has come that a turn would find. */
int brood__loop_some(brood_loop_manager_t *loop);

/* Sleep until something comes, or the nearest deadline. */
void brood__loop_idle(brood_loop_manager_t *loop);

/* Let libevent run what is due, without sleeping. */
void brood__loop_poll(brood_loop_manager_t *loop);

/* The same, when it was not asked for long. `now` was just read. A loop that
 * always finds something never sleeps, and the program's events are to run. */
void brood__loop_share(brood_loop_manager_t *loop);

/* Handlers or a hook ran at the loop's own place: leave nothing of it. */
void brood__loop_stand(brood_loop_manager_t *loop);

/* Called by libevent: nothing to do, it was only to wake up. */
void brood__loop_on_wake(evutil_socket_t unused, short what, void *loop);
void brood__loop_on_tick(evutil_socket_t unused, short what, void *loop);

/* ---- mailbox.c: the ways in ---------------------------------------------- */

extern const brood__home_ops_t brood__loop_home_ops;

/* Of a call whose baton is a future; of a post that is kept beside. Never
 * called. */
apr_status_t brood__loop_future_mark(void *future, void **unused);
apr_status_t brood__loop_post_mark(void *kept, void **unused);

/* Posts and tasks share the lanes. The function of a post has its highest bit
 * set, which addresses of functions have not where pointers have 64 bits;
 * elsewhere it may have, and then the post is kept in memory of its own, and
 * the task gets a future. */
#define BROOD__POST_BIT ((uintptr_t)1 << (sizeof(uintptr_t) * 8 - 1))

BROOD__INLINE int brood__loop_is_post(brood_task_fn *fn)
{
    return ((uintptr_t)fn & BROOD__POST_BIT) && fn != brood__loop_future_mark
               ? 1
               : fn == brood__loop_post_mark;
}

/* Call what was posted. */
void brood__loop_call_post(const brood__call_t *call);

/* Give the loop a coroutine, a late task or an errand by its link. It must not be
 * able to end meanwhile (see ENDS). */
#define BROOD__ARRIVES_COROUTINE ((uintptr_t)1)
#define BROOD__ARRIVES_LATE      ((uintptr_t)2)
#define BROOD__ARRIVES           ((uintptr_t)3)
void brood__loop_arrive(brood_loop_manager_t *loop, brood__link_t *link,
                        uintptr_t kind);

/* Take all that arrived, onto `ready` and `errands`, or into `delays`. */
void brood__loop_take_arrivals(brood_loop_manager_t *loop);

/* Wake the loop if it sleeps, after a fence. */
void brood__loop_notify(brood_loop_manager_t *loop);

/* brood_loop_manager_submit() with options that are complete, or NULL. */
apr_status_t brood__loop_submit(brood_future_t **future,
                                brood_loop_manager_t *loop, brood_task_fn *fn,
                                void *baton,
                                const brood_task_options_t *options,
                                int needs_future);

/* ---- delay.c ------------------------------------------------------------- */

void brood__loop_delay(brood_loop_manager_t *loop, brood_future_t *future);
void brood__loop_undelay(brood__home_t *home, brood_future_t *future);

/* An errand has arrived. */
void brood__loop_errand(brood_loop_manager_t *loop, brood__errand_t *errand);

/* Those that are due become errands; `now` was just read. */
void brood__loop_due(brood_loop_manager_t *loop);

/* The loop stops: settle those not yet due. */
void brood__loop_cancel_delayed(brood_loop_manager_t *loop);

/* ---- late.c --------------------------------------------------------------- */

/* The delay, in ns, begins now. NULL: memory ran out. */
brood__late_t *brood__late_make(brood_task_fn *fn, void *baton, int64_t delay);
void brood__late_unmake(brood__late_t *late);

/* In the lane of the submitter, so a stop waits for us. */
void brood__late_put(brood_loop_manager_t *loop, brood__late_t *late);

/* The loop's thread: it has arrived; it is taken out of `delays`, being due, or
 * because the loop stops. */
void brood__late_set(brood_loop_manager_t *loop, brood__late_t *late);
void brood__late_due(brood_loop_manager_t *loop, brood__late_t *late);
void brood__late_cancel(brood_loop_manager_t *loop, brood__late_t *late);

/* Those that are due become calls; returns how many. */
unsigned brood__late_take(brood_loop_manager_t *loop);

/* ---- life.c -------------------------------------------------------------- */

/* Begin to stop. Takes `lock`. *mine: which run it is that ends. */
apr_status_t brood__loop_ask(brood_loop_manager_t *loop, brood_stop_e how,
                             unsigned *mine);

/* Arrow (4). */
void brood__loop_rest(brood_loop_manager_t *loop);

/* Join the thread of the last run, if that is still to do. */
void brood__loop_join(brood_loop_manager_t *loop);

/* Arrow (1), with everything that a run needs; the settings become the loop's,
 * and `other` gets the old ones. */
apr_status_t brood__loop_begin(brood_loop_manager_t *loop,
                               const brood_loop_manager_options_t *options,
                               brood__loop_settings_t *other);

/* As brood_loop_manager_run(), wherever; `first` as for serve(). */
apr_status_t brood__loop_run_here(brood_loop_manager_t *loop,
                                  const brood_loop_manager_options_t *options,
                                  void (*first)(void *baton), void *baton);

/* ---- watch.c ------------------------------------------------------------- */

void brood__watch_start(brood_loop_manager_t *loop);
void brood__watch_stop(brood_loop_manager_t *loop);

/* The loop goes to a dispatch that may sleep; it is back. */
void brood__watch_asleep(brood_loop_manager_t *loop);
void brood__watch_awake(brood_loop_manager_t *loop);

/* A task with this name begins or goes on; NULL: it ends or suspends. When this
 * returns nobody looks at the old name any more. */
void brood__watch_name(brood_loop_manager_t *loop, const char *name);

/* The loop turns to something else. */
BROOD__INLINE void brood__watch_beat(brood_loop_manager_t *loop,
                                     brood_task_fn *fn)
{
    /* Relaxed: two hints for the monitor. */
    brood__store(&loop->watch.fn, fn, relaxed);
    brood__store(&loop->watch.beats,
                 brood__load(&loop->watch.beats, relaxed) + 1, relaxed);
}

/* Tell of waits that last longer than the watchdog likes. The next time to look
 * again; -1: never. */
int64_t brood__watch_waits(brood_loop_manager_t *loop);

/* ---- coroutine.c --------------------------------------------------------- */

/* Switch to a coroutine, until it suspends or has nothing more to run. */
void brood__coroutine_enter(brood_loop_manager_t *loop,
                            brood__coroutine_t *coroutine);

/* Run the call on the caller's stack. */
void brood__loop_run_post(brood_loop_manager_t *loop,
                          const brood__call_t *call);
void brood__loop_run_errand(brood_loop_manager_t *loop,
                            const brood__errand_t *errand);
void brood__loop_run_task(brood_loop_manager_t *loop,
                          const brood__call_t *call);

/* It was suspended and will go on. */
void brood__coroutine_ready(brood_loop_manager_t *loop,
                            brood__coroutine_t *coroutine);

/* The loop stops with CANCEL: raise the token of every task that has begun, and
 * interrupt its wait. */
void brood__coroutines_interrupt(brood_loop_manager_t *loop);

/* In a coroutine: let others go on first. */
void brood__coroutine_yield(void);

/* In a coroutine: is its next wait to be cut short, beyond what its future
 * says? Takes that back. */
int brood__coroutine_interrupted(void);

extern const brood__place_ops_t brood__coroutine_ops;
extern const brood__place_ops_t brood__bare_ops;

/* A number that only the loop's thread writes. */
#define BROOD__COUNT(counter, by)                                              \
    brood__store(&(counter), brood__load(&(counter), relaxed) + (by), relaxed)

#endif /* BROOD_LOOP_CORE_H */
