/* SPDX-License-Identifier: Apache-2.0 */

/*
 * transaction.h: what a transaction is inside.
 *
 *     OPENING --(1)--> OPEN --(2)--> ENDING --(3)--> ENDED
 *         \---------------------(4)--------------------^
 *
 *   (1) the leased thread, when on_begin has returned APR_SUCCESS.
 *   (2) one of: the outermost end, the end of the task or thread that began
 *       it, the pool's shutdown; a one-call transaction's own call. Whoever is
 *       first decides the outcome; the others are late (BROOD_ESTALE).
 *   (3) the leased thread, behind all queued calls, just before on_end.
 *   (4) the same thread or, when none could be had, whoever found that out:
 *       on_begin failed, or never ran.
 *
 * Moved under the lease's lock, and read without it where a look is enough.
 *
 * The open transaction is a context variable, which holds a reference, so it
 * follows the work by itself, and whoever still carries an ended one finds
 * ENDED or a closed lease, never a thread.
 *
 * A HANDLE IS A NUMBER in a pointer's clothes, never reused: a late or repeated
 * call on it is BROOD_ESTALE, not somebody else's memory. Each begin makes one.
 */

#ifndef BROOD_ASYNC_TRANSACTION_H
#define BROOD_ASYNC_TRANSACTION_H

#include <brood/transaction.h>

#include "async/lease.h"
#include "async/variable.h"

typedef enum {
    BROOD__TX_OPENING,
    BROOD__TX_OPEN,
    BROOD__TX_ENDING,
    BROOD__TX_ENDED
} brood__tx_e;

typedef struct brood__tx_t {
    atomic_int refs;
    uint64_t serial;           /* of its outermost handle; fixed */
    brood__lease_t *lease;     /* holds a reference; fixed */
    struct brood__tx_t *outer; /* suspended around it, with a reference, or
                                  NULL; fixed */
    apr_status_t (*on_begin)(void *baton);
    apr_status_t (*on_end)(void *baton, apr_status_t outcome);
    void *baton;
    int is_one_call;  /* fixed: its call begins and ends it */
    atomic_int state; /* brood__tx_e */
    /* Under the lease's lock: */
    int stopping;          /* the pool shuts down while it is OPENING */
    int doomed;            /* a joined part failed */
    int joined;            /* joined handles that are open */
    apr_status_t outcome;  /* asked for by (2); what on_end is told after (3) */
    apr_status_t result;   /* what on_end returned */
    brood_future_t *begin; /* the first call, and the last; NULL: used up, */
    brood_future_t *end;   /* or a one-call transaction */
} brood__tx_t;

/* The key of the context variable. */
extern const int brood__tx_key;

/* The transaction that the caller carries, open or not; NULL. */
BROOD__INLINE brood__tx_t *brood__tx_current(void)
{
    return brood__variable(&brood__tx_key);
}

BROOD__INLINE brood__tx_e brood__tx_state(brood__tx_t *tx)
{
    return (brood__tx_e)brood__load(&tx->state, acquire);
}

/* ---- transaction.c: the object ------------------------------------------ */

/* Complete and checked options. APR_EINVAL. */
apr_status_t brood__tx_options(brood_transaction_options_t *full,
                               const brood_transaction_options_t *options);

/* OPENING, with one reference and a lease without a slot. NULL when memory ran
 * out. */
brood__tx_t *brood__tx_make(brood_affinity_pool_t *affinity,
                            const brood_transaction_options_t *options,
                            int is_one_call);
void brood__tx_retain(brood__tx_t *tx);
void brood__tx_release(void *tx);

/* On the leased thread: on_begin and arrow (1), or (4). */
apr_status_t brood__tx_run_begin(brood__tx_t *tx);

/* On the leased thread: arrow (3), and on_end. */
apr_status_t brood__tx_run_end(brood__tx_t *tx);

/* Arrow (2). True for the first. */
int brood__tx_decide(brood__tx_t *tx, apr_status_t outcome);

/* End it with `outcome` and wait until nothing of it runs: BROOD_ESTALE when
 * it had been ended, else as brood_transaction_end(). */
apr_status_t brood__tx_end(brood__tx_t *tx, apr_status_t outcome);

/* A joined part begins: BROOD_ESTALE when it has been ended. */
apr_status_t brood__tx_join(brood__tx_t *tx);

/* ... and ends; anything but APR_SUCCESS dooms the whole. BROOD_ESTALE: the
 * whole has ended before. */
apr_status_t brood__tx_leave(brood__tx_t *tx, apr_status_t outcome);

/* A part of it failed. */
void brood__tx_doom(brood__tx_t *tx);

/* The pool shuts down; never waits. */
void brood__tx_stop(brood__tx_t *tx);

/* The lease is over, whatever has been. */
void brood__tx_over(brood__tx_t *tx);

/* ---- handle.c: what the program holds ------------------------------------ */

typedef struct brood__handle_t {
    brood__at_end_t at_end; /* first; of the frame that began it */
    brood__link_t link;     /* in the table; under its lock */
    uint64_t serial;        /* fixed */
    brood__tx_t *tx;        /* holds a reference */
    int is_joined;          /* fixed */
    atomic_int refs;        /* the table's, the frame's */
    brood__scope_t *before; /* where the beginner stood, */
    brood__scope_t *inner;  /* and has stood since; references; or NULL */
} brood__handle_t;

uint64_t brood__handle_serial(void);

/* With one reference; NULL when memory ran out. */
brood__handle_t *brood__handle_make(brood__tx_t *tx, uint64_t serial,
                                    int is_joined);
void brood__handle_release(brood__handle_t *handle);

/* Into the table, which takes the caller's reference over; with `in_frame`
 * also the end of the calling task or thread ends it. */
void brood__handle_publish(brood__handle_t *handle, int in_frame);

/* Out of the table, once: with the table's reference, or NULL. */
brood__handle_t *brood__handle_take(brood_transaction_t *transaction);

/* Look only; *is_joined is set. The transaction, with a reference, or NULL. */
brood__tx_t *brood__handle_find(brood_transaction_t *transaction,
                                int *is_joined);

/* It was taken: the calling frame forgets it too, if it is its own. */
void brood__handle_forget(brood__handle_t *handle);

BROOD__INLINE brood_transaction_t *brood__handle_out(uint64_t serial)
{
    return (brood_transaction_t *)(uintptr_t)serial;
}

BROOD__INLINE uint64_t brood__handle_in(brood_transaction_t *transaction)
{
    return (uint64_t)(uintptr_t)transaction;
}

#endif /* BROOD_ASYNC_TRANSACTION_H */
