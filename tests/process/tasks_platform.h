/* SPDX-License-Identifier: Apache-2.0 */

/*
 * tasks_platform.h: what the tests of worker processes want of the system: tasks that
 * do what a well-behaved one does not. unix/ and win32/ fulfil it.
 */

#ifndef BROOD_TESTS_PROCESS_TASKS_PLATFORM_H
#define BROOD_TESTS_PROCESS_TASKS_PLATFORM_H

#include <brood.h>

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

/* Where they are built: the helper, and a module for it. */
extern const char process_helper[], process_module[];

/* ---- tasks.c, for those: a number as text; the payload as text; "hold" ------- */

apr_status_t task_number(brood_buffer_t **out, long value);
const char *task_words(const void *in, size_t len);
apr_status_t task_hold(const void *in, size_t len, brood_buffer_t **out);

#endif /* BROOD_TESTS_PROCESS_TASKS_PLATFORM_H */
