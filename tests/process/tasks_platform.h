/* SPDX-License-Identifier: Apache-2.0 */

/*
 * tasks_platform.h: what the tests of worker processes want of the system: tasks that
 * do what a well-behaved one does not. unix/ and win32/ fulfil it.
 */

#ifndef BROOD_TESTS_PROCESS_TASKS_PLATFORM_H
#define BROOD_TESTS_PROCESS_TASKS_PLATFORM_H

#include <brood.h>

#include "process/wire.h"

/* A signal, by its number; Windows: an exception, by its code. */
brood_process_fn task_raise;

/* "hold", deaf to being asked to end. */
brood_process_fn task_ignore_term;

/* Descriptors that are open, as "0 1 2 3 "; Windows: how many handles. */
brood_process_fn task_descriptors;

/* 0: what it must not be able to do to the blocks it shares, it was not. */
brood_process_fn task_truncate;

/* Close what it got from its parent, then "hold". */
brood_process_fn task_close_all;

/* A family that outlives it, if it is let: eight, then "hold"; or one, whose
 * number is the result. */
brood_process_fn task_fork_many;
brood_process_fn task_fork_some;

/* What belongs to a process and not to a task, as bad as can be; gives "in". */
brood_process_fn task_spoil;

/* The process goes on without the thread that runs tasks; with all of its
 * threads stopped; deaf to whatever there is to be heard. None returns. */
brood_process_fn task_end_thread;
brood_process_fn task_stop;
brood_process_fn task_deafen;

/* Only what is behind a brood__os_worker_handle(), as another library may. */
void process_spoil_handle(size_t index);

/* Bytes into a channel's end, past brood; waits while there is no room. */
void process_scrawl(size_t index, const void *bytes, size_t size);

/* Where they are built: the helper, and a module for it. */
extern const char process_helper[], process_module[];

/* ---- in the host -------------------------------------------------------------- */

/* What "raise" is to be given, and how such an end is told. */
typedef struct death_t {
    const char *what;
    int code, signal;
} death_t;

/* Ends of its own, until one without a `what`; then those that brood gives: at
 * any price, and at the worker's own pace. */
extern const death_t process_deaths[], process_killed, process_asked;

/* At once, and nothing but this one process. */
void process_kill(long pid);

/* It stays, and does nothing any more. */
void process_suspend(long pid);

/* Processes that this one, or a fork server of its, has started; `max` of them
 * at most. */
size_t process_children(long *pids, size_t max);

/* This process' standard input, output and error: closed. */
void process_close_standard(void);

/* At most, or at least, so many descriptors for this process. 0: cannot be said
 * here, or not be had. */
int process_most_descriptors(unsigned n);
int process_least_descriptors(unsigned n);

/* Files of this process have so many bytes at most. 0: cannot be said here. */
int process_longest_file(unsigned bytes);

/* All signals are blocked in this thread. 0: there are none. */
int process_block_signals(void);

/* ---- tasks.c, for those: a number as text; the payload as text; "hold" ------- */

apr_status_t task_number(brood_buffer_t **out, long value);
const char *task_words(const void *in, size_t len);
apr_status_t task_hold(const void *in, size_t len, brood_buffer_t **out);

/* ---- tasks.c, for all tests ---------------------------------------------------- */

/* What the parent reads answers from; NULL: it cannot be mapped. */
brood__up_t *task_up(void);

/* Until it is killed. */
apr_status_t task_linger(void);

#endif /* BROOD_TESTS_PROCESS_TASKS_PLATFORM_H */
