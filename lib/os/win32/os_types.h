/* SPDX-License-Identifier: Apache-2.0 */

/* os_types.h: the types of os.h on Windows. */

#ifndef BROOD_OS_WIN32_OS_TYPES_H
#define BROOD_OS_WIN32_OS_TYPES_H

#include <fenv.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How coroutines switch. BROOD_CONTEXT_SYSTEM may be defined by hand to have
 * fibers on any machine, as a test does.
 */
#if !defined(BROOD_CONTEXT_SYSTEM)                                             \
    && !(defined(__x86_64__) && defined(__GNUC__))
#define BROOD_CONTEXT_SYSTEM 1
#endif

/* Does a context run elsewhere than on the stack it was given? */
#ifdef BROOD_CONTEXT_SYSTEM
#define BROOD__CONTEXT_BRINGS_STACK 1
#else
#define BROOD__CONTEXT_BRINGS_STACK 0
#endif

typedef struct brood__os_cpu_clock_t {
    unsigned long id; /* of the thread; 0: unknown */
} brood__os_cpu_clock_t;

typedef struct brood__os_lock_t {
    void *srw; /* an SRWLOCK, without all of <windows.h> */
} brood__os_lock_t;

#define BROOD__OS_LOCK_INIT                                                    \
    {                                                                          \
        NULL                                                                   \
    }

typedef struct brood__os_sigmask_t {
    char none; /* there are no signals between threads */
} brood__os_sigmask_t;

typedef struct brood__os_waker_t {
    uintptr_t socket; /* a datagram socket that is connected to itself */
} brood__os_waker_t;

/* A HANDLE and what belongs to it; see os_internal.h. */
typedef struct brood__os_object_t *brood__os_handle_t;
#define BROOD__OS_NO_HANDLE NULL

typedef struct brood__os_process_t {
    void *job;                /* all that it started is in there, too */
    brood__os_handle_t watch; /* the process */
    unsigned long pid;
} brood__os_process_t;

typedef struct brood__os_stack_t {
    char *bottom; /* lowest usable byte; the guard lies below */
    size_t size;  /* usable bytes, whole pages */
    size_t guard; /* bytes of the guard */
} brood__os_stack_t;

/* The head of the C++ runtime's __cxa_eh_globals (Itanium C++ ABI, exception
 * handling, section 2.2.2): the exceptions that are being handled. */
typedef struct brood__os_caught_t {
    void *exceptions;
    unsigned uncaught;
} brood__os_caught_t;

typedef struct brood__os_context_t {
#ifdef BROOD_CONTEXT_SYSTEM
    void *fiber;
    fenv_t environment; /* of floating point, until it begins */
    int converted;      /* a home: the thread was no fiber before */
#else
    void *sp; /* while not running: everything else is saved there */
#endif
    void (*entry)(void *data);
    void *data;
    char *bottom; /* its stack */
    size_t size;
    brood__os_caught_t caught; /* while not running */
} brood__os_context_t;

#endif /* BROOD_OS_WIN32_OS_TYPES_H */
