/* SPDX-License-Identifier: Apache-2.0 */

/* os_types.h: the types of os.h on POSIX systems. */

#ifndef BROOD_OS_UNIX_OS_TYPES_H
#define BROOD_OS_UNIX_OS_TYPES_H

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

/*
 * How coroutines switch. BROOD_CONTEXT_SYSTEM may be defined by hand to have
 * the slow way on any machine, as a test does.
 */
#if !defined(BROOD_CONTEXT_SYSTEM)                                             \
    && !((defined(__x86_64__) && defined(__LP64__))                            \
         || (defined(__aarch64__) && defined(__LP64__)                         \
             && !defined(__AARCH64EB__)))
#define BROOD_CONTEXT_SYSTEM 1
#endif

#ifdef BROOD_CONTEXT_SYSTEM
#include <ucontext.h>
#endif

/* Does a context run elsewhere than on the stack it was given? */
#define BROOD__CONTEXT_BRINGS_STACK 0

typedef struct brood__os_cpu_clock_t {
#ifdef __APPLE__
    unsigned id; /* a Mach port; 0: unknown */
#else
    clockid_t id;
    int known;
#endif
} brood__os_cpu_clock_t;

typedef struct brood__os_lock_t {
    pthread_mutex_t mutex;
} brood__os_lock_t;

#define BROOD__OS_LOCK_INIT                                                    \
    {                                                                          \
        PTHREAD_MUTEX_INITIALIZER                                              \
    }

typedef sigset_t brood__os_sigmask_t;

typedef struct brood__os_waker_t {
    int out; /* what is polled */
    int in;  /* what is written to; may be the same */
} brood__os_waker_t;

/* A descriptor. */
typedef int brood__os_handle_t;
#define BROOD__OS_NO_HANDLE (-1)

typedef struct brood__os_process_t {
    pid_t pid;
    int watch;   /* a process descriptor, or -1 */
    int adopted; /* not our child: nobody can be asked how it ended */
} brood__os_process_t;

typedef struct brood__os_stack_t {
    char *bottom;      /* lowest usable byte; the guard lies below */
    size_t size;       /* usable bytes, whole pages */
    size_t guard;      /* bytes of the guard */
    unsigned valgrind; /* its number there */
} brood__os_stack_t;

/* The head of the C++ runtime's __cxa_eh_globals (Itanium C++ ABI, exception
 * handling, section 2.2.2): the exceptions that are being handled. */
typedef struct brood__os_caught_t {
    void *exceptions;
    unsigned uncaught;
} brood__os_caught_t;

typedef struct brood__os_context_t {
#ifdef BROOD_CONTEXT_SYSTEM
    ucontext_t machine;
#else
    void *sp; /* while not running: everything else is saved there */
#endif
    void (*entry)(void *data);
    void *data;
    struct brood__os_context_t *previous; /* who switched to this one last */
    const char *bottom;                   /* its stack */
    size_t size;
    brood__os_caught_t caught; /* while not running */
    void *fake_stack;          /* of ASan, while not running */
    void *fiber;               /* of TSan */
} brood__os_context_t;

#endif /* BROOD_OS_UNIX_OS_TYPES_H */
