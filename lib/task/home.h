/* SPDX-License-Identifier: Apache-2.0 */

/*
 * home.h: who runs a task, as far as a future needs to know; and errands, the
 * tasks that travel by a link instead of by a slot.
 */

#ifndef BROOD_TASK_HOME_H
#define BROOD_TASK_HOME_H

#include <apr_errno.h>

#include "base/list.h"
#include "lineage/self.h"
#include "os/lock.h"

struct brood_future_t;
struct brood__home_t;

/*
 * Work whose queueing must not fail: what is due after a delay, what has a
 * priority, notifications. The link is part of something that exists already,
 * so no memory is needed. Exactly one of `future` and `fn` is not NULL.
 * `scope` is a reference, earned by whoever runs it.
 */
typedef struct brood__errand_t {
    brood__link_t link;
    struct brood_future_t *future; /* claim it, run it */
    void (*fn)(void *baton);       /* call it, also under CANCEL */
    void *baton;
    brood__scope_t *scope;
} brood__errand_t;

/* Notifications that wait for their future, by target. See notify.c. */
typedef struct brood__notices_t {
    brood__lock_t lock;
    brood__cond_t empty;
    brood__link_t list; /* under `lock` */
    int open;           /* under `lock` */
    unsigned posting;   /* under `lock` */
} brood__notices_t;

typedef struct brood__home_ops_t {
    const char *noun; /* "thread manager", "promise" */

    /* Queue an errand; never fails; the home runs, or is stopping and has not
     * yet closed its notices (brood__notices_close()). NULL: takes none. */
    void (*post)(struct brood__home_t *home, brood__errand_t *errand);

    /* Where its notices are, and APR_SUCCESS when it accepts tasks; else the
     * status that says why not. NULL: no target. */
    brood__notices_t *(*notices)(struct brood__home_t *home,
                                 apr_status_t *status);

    /* Keep its memory (1), or no longer (-1): a notice may outlive its run. */
    void (*hold)(struct brood__home_t *home, int delta);

    /* The token of one of its running tasks was raised. NULL: nothing to do. */
    void (*token)(struct brood__home_t *home, struct brood_future_t *future);

    /* A delayed task was canceled, or its time has come and it was not queued:
     * forget it, under no lock. NULL: keeps no list of them. */
    void (*undelay)(struct brood__home_t *home, struct brood_future_t *future);

    /* A worker waits for a future of this home that is not queued itself: call
     * run(baton, other) for queued ones that would bring it nearer, or do some
     * of its work; true when anything was done. NULL: nothing can be. */
    int (*help)(struct brood_future_t *future,
                int (*run)(void *baton, struct brood_future_t *other),
                void *baton);

    int keeps_time; /* its delays need no timer of the timers' thread */
} brood__home_ops_t;

typedef struct brood__home_t {
    const brood__home_ops_t *ops;
} brood__home_t;

void brood__notices_init(brood__notices_t *notices);
void brood__notices_fini(brood__notices_t *notices);
void brood__notices_open(brood__notices_t *notices);

/* The target stops: post every pending notice, refuse new ones, and wait until
 * those that are just being posted by others are queued. */
void brood__notices_close(brood__notices_t *notices);

#endif /* BROOD_TASK_HOME_H */
