/* SPDX-License-Identifier: Apache-2.0 */

/* worker.h: what a worker process knows. Private to this floor. */

#ifndef BROOD_PROCESS_WORKER_H
#define BROOD_PROCESS_WORKER_H

#include "os/lock.h"
#include "os/process.h"
#include "os/thread.h"
#include "process/wire.h"
#include "task/buffer.h"

struct brood_future_t;

/* A block that the parent may not have fetched yet. */
typedef struct brood__lent_t {
    struct brood__lent_t *next;
    uint64_t position;
    brood__os_handle_t handle;
} brood__lent_t;

typedef struct brood__worker_t {
    brood__os_block_t down_block, up_block;
    brood__down_t *down;
    brood__up_t *up;
    uint64_t next;        /* position to be taken */
    uint64_t freed;       /* results known to be read */
    unsigned rung;        /* the last `need` that we rang for */
    brood__arena_t arena; /* of results */
    uint64_t arena_end[BROOD__WIRE_SLOTS]; /* head, after each result */
    brood_buffer_t *placed;                /* of the running task, in there */
    brood__arena_t before;                 /* `arena`, before `placed` */
    brood__lock_t lock;
    struct brood_future_t *current; /* under `lock`; and its position */
    uint64_t position;
    brood__lent_t *lent;   /* under `lock`; the last one first */
    uint64_t lent_until;   /* position behind the last one; 0: none is,
                             for all we know */
    brood__cond_t fetched; /* `lent` became shorter */
    brood__thread_t *watcher;
    atomic_int quits; /* it was asked to end: the watch thread ends, too */
} brood__worker_t;

/* The main thread's, but for what is under the lock. */
extern brood__worker_t brood__worker;

/* The main thread, while it runs a task. */
extern BROOD__THREAD_LOCAL int brood__worker_runs;

/* brood_buffer_make() in a task: the first one is put where the parent will read
 * it. */
brood_buffer_t *brood__worker_place(size_t size);

/* The task at the present position has ended; releases `out`. */
void brood__worker_answer(brood__response_t *response, apr_status_t status,
                          brood_buffer_t *out);

/* The parent has the blocks up to that of this position. On the watch thread. */
void brood__worker_fetched(uint64_t position);

/* Until the parent has all that was lent to it: who ends sooner takes the results
 * of tasks with him that have long ended. */
void brood__worker_await_fetched(void);

/* The response is filled in. */
void brood__worker_publish(brood__response_t *response);

#endif /* BROOD_PROCESS_WORKER_H */
