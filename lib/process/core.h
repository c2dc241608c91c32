/* SPDX-License-Identifier: Apache-2.0 */

/*
 * core.h: one process manager, its workers and its tasks. Private to this
 * floor.
 *
 * STATES of a manager; under `lock`:
 *
 *     RESTING --(1)--> STARTING --(2)--> RUNNING --(3)--> STOPPING
 *      ^  ^---(5)---------'                                  |
 *      '------------------------------------(4)--------------'
 *
 *   (1) brood_process_manager_start(): one caller.
 *   (2) the supervisor, when the first worker's program was started.
 *   (3) the first stop, the collector, or a crash loop or mismatch.
 *   (4) the supervisor, when all is settled and every worker has ended: it
 *       settles `rest`.
 *   (5) the supervisor, when the first worker could not be started; by way of
 *       STOPPING, since others may be looking.
 *
 * STATES of a worker; under its manager's lock, moved by the supervisor:
 *
 *     STARTING --(1)--> READY --(2)--> ENDING --(3)--> gone
 *         \---------------\---------------(3)---'
 *
 *   (1) it has said hello, and that was right.
 *   (2) it was sent a QUIT, or is being killed: it gets no task any more.
 *   (3) it is dead, what it had has been dealt with.
 */

#ifndef BROOD_PROCESS_CORE_H
#define BROOD_PROCESS_CORE_H

#include <brood/process_manager.h>

#include "lineage/manager.h"
#include "observe/histogram.h"
#include "os/lock.h"
#include "os/process.h"
#include "process/wire.h"
#include "task/buffer.h"
#include "task/future.h"

typedef struct brood__child_t brood__child_t;

enum {
    BROOD__ORDER_PLACED = 1,      /* in a queue, a list, or with a worker */
    BROOD__ORDER_BEGUN = 2,       /* its future is claimed */
    BROOD__ORDER_ALONE = 4,       /* only to a worker that has nothing else */
    BROOD__ORDER_IDEMPOTENT = 8,  /* may be run again */
    BROOD__ORDER_BLOCK = 16,      /* `bytes` is a brood__os_block_t */
    BROOD__ORDER_OWNED = 32,      /* `bytes` is memory of its own */
    BROOD__ORDER_DELAYED = 64,    /* in the list of delayed ones */
    BROOD__ORDER_DROP = 128,      /* ended by somebody else: a tombstone */
    BROOD__ORDER_KILLED = 256,    /* its worker was killed because of it */
    BROOD__ORDER_TRAILING = 512,  /* `bytes` follows the order */
    BROOD__ORDER_BORROWED = 1024, /* `bytes` are good until submit returns */
    BROOD__ORDER_LOST = 2048,     /* no memory to fetch the payload back */
    BROOD__ORDER_MOVED = 4096,    /* a worker did not begin it in its time */
    BROOD__ORDER_FILLING = 8192   /* handed over, and still being copied */
};

/*
 * A task in the parent. It is in one place at a time: a queue, the list of
 * delayed ones, a worker's table, or a list of what has ended; it goes from one
 * to the next under the manager's lock. Found from a future by brood__order_of().
 */
typedef struct brood__order_t {
    struct brood__order_t *next;
    brood_future_t *future;
    brood_process_manager_t *manager;
    uint64_t function;
    void *bytes;           /* the payload, or, when it has ended, its value */
    brood__child_t *child; /* who has it */
    int64_t since;         /* when it was queued; ended: how its worker ended */
    uint32_t size;         /* of context and payload */
    uint32_t context;
    uint16_t flags;
    uint16_t tries; /* how often it was begun */
    int32_t status; /* ended; FILLING: its slot */
} brood__order_t;

/* A queue; or, with `fill`, what brood__orders_settle() is to do when the lock
 * is free again: settle those of the list, and copy the payloads of `fill`. */
typedef struct brood__orders_t {
    brood__order_t *first, *last;
    brood__order_t *fill;
} brood__orders_t;

enum { BROOD__CHILD_STARTING, BROOD__CHILD_READY, BROOD__CHILD_ENDING };

struct brood__child_t {
    brood__link_t link; /* in its manager's list */
    brood_process_manager_t *manager;
    unsigned refs; /* under the lock: the supervisor's, and who copies, polls */
    int state;
    unsigned number; /* for its name */
    uint64_t serial;
    brood__os_process_t process;
    brood__os_block_t down_block, up_block;
    brood__down_t *down;
    brood__up_t *up;
    brood__os_handle_t bell, watch, blocks, doorbell; /* our ends */
    int bell_ready, watch_ready, process_ready;       /* of the watcher */
    int sealed; /* it cannot change the payloads */

    uint64_t next;                           /* position */
    atomic_ullong answered;                  /* read so far */
    brood__order_t *sent[BROOD__WIRE_SLOTS]; /* NULL: taken back */
    uint64_t arena_end[BROOD__WIRE_SLOTS];   /* after each request */
    brood__arena_t arena;                    /* of payloads */
    unsigned n_out;                          /* in `sent` */
    unsigned need;                           /* as in `down` */
    int reading;                             /* somebody copies a result */
    unsigned filling; /* orders in `sent` that are FILLING */
    int refused;      /* it broke the rules: nothing of it is read any more */
    int64_t run;      /* ns of a task, smoothed */
    uint64_t streak;  /* tasks it has ended without a pause */
    uint64_t seen;    /* `answered` when `look_at` was set */
    int stuck;        /* it has not answered since, and has something to do */
    uint64_t served;  /* tasks ever handed to it */
    int64_t idle_since;
    int64_t deadline; /* of the run, of the grace, or of the start; 0: none */
    int asked;        /* terminate was sent */
    int wanted_dead;  /* we killed it: this is no crash */
    int check_rss;    /* before its next task */
    int started, killed;
    int closed; /* it has closed its ends, and is killed; it has no successor
                   before its death was counted */

    /* One that a fork server makes; see server.h. */
    int forking; /* the server was asked for it, and has not answered */
    int gone;    /* its descriptor says so; the server is asked how */
    int told;    /* the server has said how, or that there never was one */
    int look;    /* the server is to be asked, and was busy */
    apr_status_t unmade; /* told: why there never was one */
    brood__os_exit_t how;
};

typedef struct brood__process_settings_t {
    int max_workers, min_workers, daemon, start_method, max_tasks, retries;
    int crash_limit;
    char *task_type, *prefix, *module, *initializer;
    void *initializer_data;
    size_t initializer_size, max_rss, limit;
    int64_t backoff, grace, idle_timeout; /* ns; -1: none */
} brood__process_settings_t;

enum {
    BROOD__PM_RESTING,
    BROOD__PM_STARTING,
    BROOD__PM_RUNNING,
    BROOD__PM_STOPPING
};

struct brood_process_manager_t {
    brood__manager_t base;
    brood__lock_t lock; /* guards all below */
    brood__cond_t changed;
    int state;
    apr_status_t why; /* it refuses; APR_SUCCESS while RUNNING */
    apr_status_t started;
    int made, ever, retire, cancel, killing;
    brood__process_settings_t set;
    brood__orders_t queue[3]; /* high, normal, low */
    uint64_t n_queued;        /* in them */
    unsigned turn;
    brood__link_t delayed;
    uint64_t n_delayed;
    brood__link_t children;
    unsigned n_children, n_starting, n_ready;
    int demand;      /* one more worker would help */
    int64_t look_at; /* what waits behind others moves if those are stuck; 0:
                        nothing does while others are idle, or may come */
    int tended;      /* the supervisor is here, and sees that by itself */
    int helped;      /* somebody else has read results */
    int fill;        /* nobody has: whoever is idle gets something */
    unsigned numbers;
    unsigned deaths; /* in a row */
    int64_t first_death, next_start;
    brood__os_exit_t how; /* the last one died; the supervisor's own, and so
                             are these: */
    apr_status_t unmade;  /* it was not even started */
    apr_status_t broken;  /* it died with its fork server: how that ended */
    brood_future_t *rest; /* settles with (4): the settler's reference */
    brood_future_t *last_rest; /* the same, or of the last run: a reader's */
    struct brood__server_t *server;
    uint64_t submitted, completed, failed, canceled, rejected, started_all;
    uint64_t wakes, steals, running;
    brood__histogram_t wait_time, run_time;
    atomic_ullong unsettled; /* taken out of their place, not yet settled */
    apr_status_t said;       /* `why`, when it was logged */
    brood_process_manager_t *next_run;  /* the supervisor's list; its own */
    brood_process_manager_t *next_join; /* under the supervisor's lock */
};

extern const brood__kind_t brood__process_kind;
extern brood__home_t brood__process_home;

BROOD__INLINE void brood__orders_append(brood__orders_t *list,
                                        brood__order_t *order)
{
    order->next = NULL;
    if (list->last)
        list->last->next = order;
    else
        list->first = order;
    list->last = order;
}

BROOD__INLINE void brood__orders_prepend(brood__orders_t *list,
                                         brood__order_t *order)
{
    order->next = list->first;
    list->first = order;
    if (!list->last)
        list->last = order;
}

BROOD__INLINE brood__order_t *brood__orders_pop(brood__orders_t *list)
{
    brood__order_t *order = list->first;

    if (order) {
        list->first = order->next;
        if (!list->first)
            list->last = NULL;
    }
    return order;
}

/* ---- order.c ------------------------------------------------------------- */

/* The manager of a task that has not ended, retained; or NULL. */
brood_process_manager_t *brood__order_manager(brood_future_t *future);

/* Under that manager's lock: the order, if it is in a place; good while the lock
 * is held. */
brood__order_t *brood__order_of(brood_future_t *future);

/* Give its payload back. */
void brood__order_unload(brood__order_t *order);
void brood__order_free(brood__order_t *order);

/* Taken out of its place, which it was in; `ended` is worked off by
 * brood__orders_settle() under no lock. */
void brood__order_end(brood__order_t *order, apr_status_t status,
                      brood__orders_t *ended);
void brood__orders_settle(brood__orders_t *ended);

/* A queue's end that nobody will run: claimed and ended, or dropped. */
void brood__order_refuse(brood__order_t *order, apr_status_t status,
                         brood__orders_t *ended);

/* Out of its queue. */
void brood__order_unlink(brood__order_t *order);

/* Back to the front of its queue. */
void brood__order_requeue(brood__order_t *order);
unsigned brood__order_queue(const brood__order_t *order);

/* ---- channel.c: all under the manager's lock ----------------------------- */

/* Hand it over, claimed. 0: there is no room, nothing happened. What is long is
 * copied by brood__orders_settle() and published only then; until then it is
 * FILLING: it is with that worker for good, and the worker is not buried. */
int brood__child_send(brood__child_t *child, brood__order_t *order,
                      brood__orders_t *ended);
void brood__child_fill(brood__order_t *order, brood__orders_t *ended);
int brood__child_quit(brood__child_t *child);

/* Take the request at a position back; true if it had not begun. */
int brood__child_recall(brood__child_t *child, uint64_t position);

/* Copy the payload of a request back, if we have none. */
void brood__child_fetch(brood__child_t *child, uint64_t position,
                        brood__order_t *order);

/* Its end was asked for. */
void brood__child_token(brood__child_t *child, const brood__order_t *order);

/* The position of an order that it has. */
uint64_t brood__child_position(const brood__child_t *child,
                               const brood__order_t *order);

/* Is there a result to be read? Needs a reference only. */
BROOD__INLINE int brood__child_answers(brood__child_t *child)
{
    const uint64_t position = brood__load(&child->answered, relaxed);
    const brood__response_t *response =
        &child->up->response[BROOD__WIRE_SLOT(position)];

    return brood__load(&response->full, acquire) == position + 1; /* (B) */
}

/* May one be read now? Under the manager's lock. */
BROOD__INLINE int brood__child_has_result(brood__child_t *child)
{
    return !child->reading && !child->refused
           && brood__load(&child->answered, relaxed) < child->next
           && brood__child_answers(child);
}

/* Have it ring, once, or not; then look again (D). */
void brood__child_arm(brood__child_t *child);
void brood__child_disarm(brood__child_t *child);

/* ---- drain.c ------------------------------------------------------------- */

/* Read all results that are there; returns how many. Lets go of the lock while
 * it copies what is long. */
unsigned brood__child_drain(brood__child_t *child, brood__orders_t *ended);

void brood__child_unref(brood__child_t *child); /* under the lock */

/* What task/future.h asks for; under no lock. */
int brood__process_poll(brood_future_t *future);
int brood__process_sleep(brood_future_t *future);

/* ---- choose.c: under the manager's lock ---------------------------------- */

/* Who should have it; NULL: nobody has room. */
brood__child_t *brood__feed_choose(brood_process_manager_t *m,
                                   const brood__order_t *order);

/* May it get a task, if it has room? */
int brood__child_can_take(const brood__child_t *child);

/* Would it begin one more before a sleeping one were awake? */
int brood__child_is_quick(const brood__child_t *child);

/* The queue is empty. If somebody is idle, and somebody has too much, take some
 * of that, and queue it again; true if there was any. If nobody is idle, have one
 * more started. */
int brood__feed_take_back(brood_process_manager_t *m);

/* One more worker would help, if there may be one. */
void brood__feed_want_more(brood_process_manager_t *m);

/* The time of `look_at` is over: who has not answered since is stuck. */
void brood__feed_look(brood_process_manager_t *m);

/* ---- feed.c: under the manager's lock ------------------------------------ */

/* Give queued tasks to workers that have room. */
void brood__feed(brood_process_manager_t *m, brood__orders_t *ended);

/* Its number of tasks has changed: counts who is busy, and tells the supervisor
 * when it has none and gets no more. */
void brood__child_crowd(brood__child_t *child, int more);

/* ---- child.c: on the supervisor's thread, under no lock ------------------ */

apr_status_t brood__child_watch(brood__child_t *child);
apr_status_t brood__child_start(brood__child_t **child,
                                brood_process_manager_t *m, unsigned number);

/* The fork server has made it; under the manager's lock, never waits. */
void brood__child_forked(brood__child_t *child, int64_t pid,
                         brood__os_handle_t watch);
void brood__child_close(brood__child_t *child); /* free it; not watched */

/* ---- supervisor.c -------------------------------------------------------- */

/* Make sure that the thread runs. */
apr_status_t brood__supervisor_ready(void);

/* Have it look after a manager from now on; it may be looked after already. */
void brood__supervisor_add(brood_process_manager_t *m);

/* *when: a time, or -1, never; brought forward to `at`, if that is not 0. */
BROOD__INLINE void brood__sooner(int64_t *when, int64_t at)
{
    if (at && (*when < 0 || at < *when))
        *when = at;
}

/* Something is to be done before the time it sleeps until; said by itself, it
 * sleeps no longer than that. */
void brood__supervisor_wake(void);
void brood__supervisor_wake_at(int64_t when);

/* Somebody polled, and found something. */
void brood__supervisor_polled(void);

extern brood__os_watcher_t *brood__watcher; /* the supervisor's */

/* ---- tend.c: on the supervisor's thread ---------------------------------- */

/* Look after everything of a manager; *when is brought forward to when it wants
 * to be looked after again (-1: never). `thorough`: ask for deaths, too. Returns
 * how many results were read; *over: it rests. */
unsigned brood__tend(brood_process_manager_t *m, int64_t *when, int thorough,
                     int *over);

/* Before the supervisor sleeps: arm all, or disarm. True: something is there. */
int brood__tend_arm(brood_process_manager_t *m, int on);

/* ---- why.c --------------------------------------------------------------- */

/* Once for each run that has given up, if there is more to say than `why`. */
void brood__say_why(brood_process_manager_t *m, apr_status_t why);

/* ---- bury.c: under the manager's lock ------------------------------------ */

/* It gets no task any more. */
void brood__child_doom(brood__child_t *child);

/* The same, and kill it. */
void brood__child_kill(brood__child_t *child);

/* It is dead: read what it has answered, and queue what it had not begun. */
void brood__child_salvage(brood__child_t *child, brood__orders_t *ended);

/* The same, and deal with what it was running: nothing more comes. */
void brood__child_bury(brood__child_t *child, const brood__os_exit_t *how,
                       brood__orders_t *ended);

/* Their fork server is dead: so are all workers. */
void brood__server_lost(brood_process_manager_t *m, brood__orders_t *ended);

/* A worker has ended that nobody asked to, or could not be started: when is the
 * next one due, or is this a crash loop? `how`: NULL if `unmade` says why, or
 * nobody does yet. */
void brood__process_death(brood_process_manager_t *m,
                          const brood__os_exit_t *how, apr_status_t unmade,
                          brood__orders_t *ended);

/* ---- control.c ----------------------------------------------------------- */

/* Begin to stop, or stop harder; under the lock. */
void brood__process_stop(brood_process_manager_t *m, int cancel,
                         apr_status_t why, brood__orders_t *ended);

/* Every floor that starts a run may need these. */
void brood__settings_free(brood__process_settings_t *set);
apr_status_t brood__settings_read(brood__process_settings_t *set,
                                  const brood_process_manager_options_t *o,
                                  const char *id);

#endif /* BROOD_PROCESS_CORE_H */
