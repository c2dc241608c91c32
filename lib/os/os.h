/* SPDX-License-Identifier: Apache-2.0 */

/*
 * os.h: the platform contract: everything brood needs that APR does not give.
 *
 * To port brood, write these functions and types in one folder, as unix/ and
 * win32/ do, under the same file names, and name them in files.am. No file
 * outside those folders tests for a platform; the #ifdef below is the only one.
 * Durations are nanoseconds unless a name says otherwise; negative: for ever.
 */

#ifndef BROOD_OS_OS_H
#define BROOD_OS_OS_H

#include <apr_errno.h>
#include <apr_portable.h>

#include "base/atomic.h"

#ifdef _WIN32
#include "os/win32/os_types.h"
#else
#include "os/unix/os_types.h"
#endif

/* ---- os_clock.c -------------------------------------------------------- */

/* Monotonic, never stepped; nanoseconds since some start. */
int64_t brood__os_now(void);

/* CPU time of a thread, readable by other threads. `clock` is filled by the
 * thread itself and is good until that thread ends. Negative when unknown. */
void brood__os_cpu_clock_self(brood__os_cpu_clock_t *clock);
int64_t brood__os_cpu_clock_read(const brood__os_cpu_clock_t *clock);

/* ---- os_cpu.c ---------------------------------------------------------- */

/* CPUs this process may use: the affinity mask, cut by a control group's
 * quota (rounded up); at least 1. */
unsigned brood__os_cpus(void);

/* A full fence on every running thread of the process, so that the other side
 * of a store-then-load handshake needs a compiler fence only. 0 where it is
 * not to be had: then both sides use brood__fence(seq_cst). The answer never
 * changes after brood__os_init(). */
extern int brood__os_has_barrier;
void brood__os_barrier(void);

/* ---- os_park.c --------------------------------------------------------- */

/* Sleep while *word == seen, at most `timeout` (-1: for ever). APR_TIMEUP when
 * the time is over, else APR_SUCCESS, also for no reason: callers loop. No
 * wake-up is lost: a wake after the word changed reaches a sleeper that saw
 * the old value. Waking touches no memory but the address itself, so the word
 * may already be reused for something else. */
apr_status_t brood__os_park(atomic_uint *word, unsigned seen, int64_t timeout);
void brood__os_unpark_one(atomic_uint *word);
void brood__os_unpark_all(atomic_uint *word);

/* ---- os_lock.c --------------------------------------------------------- */

/* A plain mutex, statically initialisable with BROOD__OS_LOCK_INIT; use
 * lock.h, which adds ranks. */
void brood__os_lock_init(brood__os_lock_t *lock);
void brood__os_lock_fini(brood__os_lock_t *lock);
void brood__os_lock(brood__os_lock_t *lock);
int brood__os_trylock(brood__os_lock_t *lock); /* true: taken */
void brood__os_unlock(brood__os_lock_t *lock);

/* ---- os_thread.c ------------------------------------------------------- */

/* Name the calling thread for debuggers, cut to what the platform allows. */
void brood__os_thread_name(const char *name);

/* Block every asynchronous signal on the calling thread (the synchronous ones,
 * SEGV BUS FPE ILL TRAP ABRT SYS, stay) so that a thread made now inherits the
 * mask; then put the old mask back. Nothing on Windows. */
void brood__os_signals_block(brood__os_sigmask_t *saved);
void brood__os_signals_restore(const brood__os_sigmask_t *saved);

/* Call fn(data) when the calling thread ends, for each thread that set a
 * non-NULL `data`. One hook for the process, made by the first call. A thread
 * may set again inside its own hook and is then called once more. */
apr_status_t brood__os_exit_hook(void (*fn)(void *data));
apr_status_t brood__os_exit_hook_set(void *data);

/* Give the CPU to another runnable thread. */
void brood__os_yield(void);

/* Bytes left below the caller's frame on the calling *thread's* stack; 0 when
 * unknown. Cheap after the first call of a thread. Not for coroutine stacks. */
size_t brood__os_stack_left(void);

/* ---- os_pages.c -------------------------------------------------------- */

/* Zeroed memory in whole pages, made resident in one go when `populate`; NULL
 * when refused. */
void *brood__os_pages(size_t size, int populate);
void brood__os_pages_free(void *pages, size_t size);

/* ---- os_stack.c, os_context*.c: coroutines ------------------------------ */

/* A stack of at least `size` usable bytes with a guard below it. A lightweight
 * guard (no second mapping) where the kernel has one, so that 100,000 fit;
 * else mprotect. APR_ENOMEM when refused. */
apr_status_t brood__os_stack_make(brood__os_stack_t *stack, size_t size);
void brood__os_stack_free(brood__os_stack_t *stack);

/* Give back the memory of a pooled stack that nobody uses, keep the mapping. */
void brood__os_stack_trim(brood__os_stack_t *stack);

/* Usable bytes of `stack` below `here` (an address on it). */
size_t brood__os_stack_below(const brood__os_stack_t *stack, const void *here);

/*
 * Two contexts exchange the CPU on one thread. `home` is the thread's own
 * stack; `self` runs `entry(data)` on `stack` when first switched to. A switch
 * saves what the platform's calling convention says is kept (on x86-64 also
 * mxcsr and the x87 control word; AArch64 d8-d15, FPCR), the C++ exception
 * state where the runtime has one, and tells ASan, TSan and valgrind. The
 * signal mask belongs to the thread. `entry` must never return: its last act
 * is brood__os_context_leave().
 */
apr_status_t brood__os_context_home(brood__os_context_t *home);
void brood__os_context_home_fini(brood__os_context_t *home);
apr_status_t brood__os_context_make(brood__os_context_t *self,
                                    brood__os_stack_t *stack,
                                    void (*entry)(void *data), void *data);
void brood__os_context_switch(brood__os_context_t *from,
                              brood__os_context_t *to);
/* As a switch, and `from` will never be resumed. */
BROOD__NORETURN void brood__os_context_leave(brood__os_context_t *from,
                                             brood__os_context_t *to);
/* Free what a context holds beside its stack; after leave, or never run. */
void brood__os_context_fini(brood__os_context_t *self);

/* ---- os_poll.c --------------------------------------------------------- */

/* Something to poll beside a socket, which any thread can set off once. May
 * need descriptors. */
apr_status_t brood__os_waker_make(brood__os_waker_t *waker);
void brood__os_waker_free(brood__os_waker_t *waker);
void brood__os_waker_set(brood__os_waker_t *waker);

/* Wait until it was set; whoever set it touches it no more. */
void brood__os_waker_wait(brood__os_waker_t *waker);

/* Wait until the socket can be read (1), or written (2), or has failed.
 * `waker` may be NULL. APR_TIMEUP; APR_EINTR: the waker was set; APR_EBADF. */
apr_status_t brood__os_poll(apr_os_sock_t fd, int what,
                            brood__os_waker_t *waker, int64_t timeout);

/* ---- os_poll.c, continued: descriptors ----------------------------------- */

/* Could the process open n more descriptors this moment? For libraries that end
 * the process when they cannot. */
int brood__os_descriptors(int n);

/* ---- os_fork.c --------------------------------------------------------- */

/* Ask to be told of forks; once. `child` runs in the child of fork(). */
apr_status_t brood__os_at_fork(void (*prepare)(void), void (*parent)(void),
                               void (*child)(void));

/* True in a child made by any means (fork, _Fork, a raw clone) after
 * brood__os_fork_mark(): looks at a byte in a page that the kernel wipes in
 * children, or compares process ids where there is none. Cheap: two loads. */
void brood__os_fork_mark(void);
int brood__os_forked_slow(void);

/* That byte: 0 in a child. NULL: not marked, or there is no such page. Written
 * once, by the first mark. */
extern atomic_uchar *brood__os_fork_byte;

BROOD__INLINE int brood__os_forked(void)
{
    atomic_uchar *byte = brood__os_fork_byte;

    /* Relaxed: it changes only by a fork, and a fork is no thread. */
    return BROOD__LIKELY(byte != NULL) ? !brood__load(byte, relaxed)
                                       : brood__os_forked_slow();
}

/* Keep the shared library in memory for the rest of the process. */
void brood__os_pin_library(void);

/* ---- os_random.c, os_env.c --------------------------------------------- */

/* Fill with bytes nobody can guess. */
apr_status_t brood__os_random(void *bytes, size_t n);

/* ---- os_init.c --------------------------------------------------------- */

/* Look once at what the kernel offers (barrier, guards); may be called again,
 * does nothing then. */
apr_status_t brood__os_init(void);

#endif /* BROOD_OS_OS_H */
