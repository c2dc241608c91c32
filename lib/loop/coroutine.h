/* SPDX-License-Identifier: Apache-2.0 */

/*
 * coroutine.h: a stack that tasks run on. Private to this floor.
 *
 *     SPARE --(1)--> RUNNING --(2)--> SUSPENDED --(3)--> READY --(1)--> RUNNING
 *       ^---(5)---------'|                                 ^
 *                        '------------(4)------------------'
 *
 *   (1) the loop switches to it.
 *   (2) its task waits: the place's sleep(). First a spare is made sure of, so
 *       that the loop can go on; if there is none the wait fails.
 *   (3) the one that won the sleep's only arrow calls wake(), once: on the
 *       loop's thread directly, else through the loop's arrivals.
 *   (4) brood_yield().
 *   (5) its task has ended and there is no other call to run.
 *
 * All on the loop's thread, but the first half of (3). A wake() may come before
 * (2) has happened: from another thread it waits among the arrivals, which are
 * looked at on the loop's stack only; on the own thread it leaves `woken`.
 *
 * The record lies at the upper end of the stack itself: a suspended coroutine
 * whose frames are small touches one page.
 */

#ifndef BROOD_LOOP_COROUTINE_H
#define BROOD_LOOP_COROUTINE_H

#include "base/list.h"
#include "lineage/self.h"
#include "base/alarms.h"
#include "os/os.h"
#include "task/future.h"

struct brood_loop_manager_t;

typedef struct brood__coroutine_t {
    /* The line that whoever wakes it writes, and the loop reads next. */
    brood__place_t place; /* first: how its task waits */
    struct brood_loop_manager_t *loop;
    brood__link_t arrival; /* in the loop's arrivals */
    brood__link_t link;    /* in `ready`, `untimed` or `others` */
    brood__sleep_t *sleep; /* while SUSPENDED */
    int suspended;
    int woken; /* before it was suspended */

    brood__alarm_t alarm; /* in the loop's heap */
    brood_future_t *task; /* its task; NULL: has no future, or none runs */
    brood_task_fn *fn;    /* what it runs, or ran last */
    const char *name;     /* of its task; NULL: none */
    brood__frame_t frame; /* while not RUNNING */
    int64_t since;        /* when it was suspended, about */
    int interrupt; /* its next wait is cut short; for tasks without a future */
    int trimmed;   /* its unused memory was given back */
    int leave;     /* end now */
    struct brood__coroutine_t *next; /* among the spares */
    brood__os_stack_t stack;
    brood__os_context_t context;
} brood__coroutine_t;

/* ---- stacks.c: coroutines that run nothing ------------------------------- */

typedef struct brood__spares_t {
    brood__coroutine_t *first; /* used last */
    size_t n;                  /* of these */
    size_t n_all;              /* coroutines of the loop */
    size_t size;               /* of their stacks */
    size_t low;                /* least `n` since `looked` */
    size_t colour;             /* counts those made */
    int64_t looked;            /* when it was last asked what is too much */
    int64_t trimmed;           /* when unused memory was given back last */
} brood__spares_t;

/* Make sure that there is one; APR_ENOMEM. */
apr_status_t brood__spares_ready(struct brood_loop_manager_t *loop);

/* There is one. */
BROOD__INLINE brood__coroutine_t *brood__spares_take(brood__spares_t *spares)
{
    brood__coroutine_t *coroutine = spares->first;

    spares->first = coroutine->next;
    if (--spares->n < spares->low)
        spares->low = spares->n;
    coroutine->trimmed = 0;
    return coroutine;
}

BROOD__INLINE void brood__spares_give(brood__spares_t *spares,
                                      brood__coroutine_t *coroutine)
{
    coroutine->next = spares->first;
    spares->first = coroutine;
    spares->n++;
}

/* The loop is about to sleep: keep no more than is reasonable. When to ask
 * again; -1: need not. */
int64_t brood__spares_trim(struct brood_loop_manager_t *loop);

/* Free all of them. */
void brood__spares_fini(struct brood_loop_manager_t *loop);

/* The entry of every coroutine; coroutine.c. */
void brood__coroutine_main(void *coroutine);

#endif /* BROOD_LOOP_COROUTINE_H */
