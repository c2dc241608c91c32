/* SPDX-License-Identifier: Apache-2.0 */

/* thread.c: the library's own threads, on APR. */

#include "os/thread.h"

#include <string.h>

#include <apr_pools.h>
#include <apr_thread_proc.h>

#include "base/alloc.h"
#include "base/fault.h"

/*
 * A thread belongs to whoever started it until he joins it or lets it go. A
 * thread that was let go is joined, too, by the next one of them that ends, or
 * by brood__thread_reap(). (apr_thread_detach() would not do: what it needs to
 * free is still in use when a thread runs its last instruction, and APR since
 * 1.8 decides who frees it by a flag that is set too late.)
 *
 *     RUNNING --(1)--> LOOSE --(3)--> buried
 *        \-----(2)---> ENDED --(4)--> joined
 *
 *   (1) detach, before the end   (3) the thread itself, as its last act
 *   (2) the thread, at its end   (4) join; or detach, which then joins
 *
 * Memory order: the thread that moves first releases what it wrote, the other
 * acquires it. The pair is marked (A).
 */
enum { RUNNING, LOOSE, ENDED };

#define NAME_SIZE 32u

/* Smaller ones leave no room for the C library's own thread data. */
#define SMALLEST_STACK (64u * 1024u)

/* On Windows APR hands on 32 bits, so more would be less. */
#define LARGEST_STACK ((size_t)1 << 30)

struct brood__thread_t {
    apr_pool_t *pool; /* of its own; used by its owner only */
    apr_thread_t *apr;
    void (*fn)(void *);
    void *arg;
    atomic_int state;
    char name[NAME_SIZE];
};

/* The thread that was buried last and is not joined yet. (B): whoever takes it
 * out sees everything it wrote before. */
static _Atomic(brood__thread_t *) g_buried;

static apr_status_t start_apr(brood__thread_t *thread, size_t stack_size);
static void *APR_THREAD_FUNC run(apr_thread_t *apr, void *data);
static void join_and_free(brood__thread_t *thread);
static void free_thread(brood__thread_t *thread);

apr_status_t brood__thread_start(brood__thread_t **thread, void (*fn)(void *),
                                 void *arg, const char *name, size_t stack_size)
{
    brood__thread_t *t = brood__alloc(sizeof(*t));
    brood__os_sigmask_t mask;
    apr_status_t rv;

    *thread = NULL;
    if (!t)
        return APR_ENOMEM;
    t->fn = fn;
    t->arg = arg;
    strncpy(t->name, name ? name : "", sizeof(t->name) - 1);

    brood__os_signals_block(&mask); /* the new thread inherits it */
    rv = start_apr(t, stack_size);
    brood__os_signals_restore(&mask);
    if (rv != APR_SUCCESS)
        free_thread(t);
    else
        *thread = t;
    return rv;
}

void brood__thread_join(brood__thread_t *thread)
{
    join_and_free(thread);
}

void brood__thread_detach(brood__thread_t *thread)
{
    if (brood__swap(&thread->state, LOOSE, acq_rel) == ENDED) /* (1), (A) */
        join_and_free(thread);                                /* (4) */
}

void brood__thread_reap(void)
{
    join_and_free(brood__swap(&g_buried, NULL, acquire)); /* (B) */
}

/*
 * The pool has no parent: one would be shared with other threads, and
 * apr_terminate() would take the pool away under a running thread.
 */
static apr_status_t start_apr(brood__thread_t *thread, size_t stack_size)
{
    apr_threadattr_t *attr;
    apr_status_t rv;

    if (brood__fault(BROOD__FAULT_THREAD))
        return APR_EAGAIN;
    if (stack_size > LARGEST_STACK)
        return APR_EINVAL;
    rv = apr_pool_create_unmanaged_ex(&thread->pool, NULL, NULL);
    if (rv != APR_SUCCESS)
        return rv;
    rv = apr_threadattr_create(&attr, thread->pool);
    if (rv == APR_SUCCESS && stack_size)
        rv = apr_threadattr_stacksize_set(
            attr, stack_size > SMALLEST_STACK ? stack_size : SMALLEST_STACK);
    if (rv == APR_SUCCESS)
        rv = apr_thread_create(&thread->apr, attr, run, thread, thread->pool);
    return rv;
}

/* Returns, and does not call apr_thread_exit(): that would destroy a pool of
 * APR's here, and cut off what is below us on the stack. */
static void *APR_THREAD_FUNC run(apr_thread_t *apr, void *data)
{
    brood__thread_t *self = data;

    (void)apr; /* self->apr may not be written yet */
    if (self->name[0])
        brood__os_thread_name(self->name);
    self->fn(self->arg);
    if (brood__swap(&self->state, ENDED, acq_rel) == LOOSE)   /* (2), (A) */
        join_and_free(brood__swap(&g_buried, self, acq_rel)); /* (3), (B) */
    return NULL;
}

/* A buried thread has run its function, so this waits for its last few
 * instructions and for the exit handlers of the host. */
static void join_and_free(brood__thread_t *thread)
{
    apr_status_t unused;

    if (!thread)
        return;
    (void)apr_thread_join(&unused, thread->apr);
    free_thread(thread);
}

static void free_thread(brood__thread_t *thread)
{
    if (thread->pool)
        apr_pool_destroy(thread->pool);
    brood__free(thread);
}
