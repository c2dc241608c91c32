/* SPDX-License-Identifier: Apache-2.0 */

/*
 * platform.h: what the harness and the tests want of the system. unix/ and
 * win32/ fulfil it.
 */

#ifndef BROOD_TESTS_PLATFORM_H
#define BROOD_TESTS_PLATFORM_H

#include <stddef.h>

/* What became of a child that did not return; what it returns is less. */
#define CHILD_ABORTED 256 /* abort() */
#define CHILD_CRASHED 257 /* touched memory that is not there */
#define CHILD_LOST    258 /* could not be made, or ended otherwise */

/* Can a child be a copy of this process? Else it is a new run of the program,
 * which goes the same way to the same call. */
int platform_forks(void);

/* Once, before anything else. In a new run that is a child: the index of the
 * test that it was made in; else -1. */
int platform_begin(void);

/* The running test, by its index; -1: none, as before and after them. */
void platform_test(int index);

/* In `seconds` from now, unless called again before, say what hung and abort;
 * 0: no limit. */
void platform_limit(unsigned seconds, const char *what);

/* Run fn(baton) in a child for at most `seconds`; returns its result (0 to
 * 127) or one of CHILD_*. What it writes to standard error goes to `said`, if
 * that is not NULL. */
int platform_child(int (*fn)(void *baton), void *baton, unsigned seconds,
                   char *said, size_t size);

/* -1 where nobody can tell. */
long platform_threads(void);
long platform_descriptors(void);

/* Sleep; or let others run. */
void platform_nap(unsigned microseconds);
void platform_yield(void);

/* Set a variable of the environment; NULL removes it. */
void platform_setenv(const char *name, const char *value);

/* What fn() writes to standard error. */
const char *platform_standard_error(void (*fn)(void));

/* The calling thread's name, as debuggers see it. */
void platform_thread_name(char *name, size_t size);

#endif /* BROOD_TESTS_PLATFORM_H */
