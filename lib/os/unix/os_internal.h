/* SPDX-License-Identifier: Apache-2.0 */

/* os_internal.h: what the files of this folder share with each other. */

#ifndef BROOD_OS_UNIX_OS_INTERNAL_H
#define BROOD_OS_UNIX_OS_INTERNAL_H

#include "os/os.h"

/* os_cpu.c: ask the kernel for the barrier. */
void brood__cpu_init(void);

/* os_cgroup.c: CPUs that the control groups of this process allow, rounded up;
 * 0: no limit. `root` is put before each path; "" outside tests. */
unsigned brood__cgroup_cpus(const char *root);

/* os_pages.c: the size of a page; and madvise(), true only if the advice was
 * understood. */
size_t brood__page_size(void);
int brood__advise(void *start, size_t size, int advice);

/* os_context_swap.c, os_context_system.c: the bare switch. A context that
 * was prepared begins in brood__context_run(self) on its own stack. */
void brood__context_prepare(brood__os_context_t *self);
void brood__context_swap(brood__os_context_t *from, brood__os_context_t *to);

/*
 * os_descriptor.c: a descriptor that becomes readable when a process ends; -1:
 * cannot be had. Of a child of ours; of one, to be handed to another process; and
 * of a child of a process that could not hand one over, and has not reaped it.
 */
int brood__descriptor_own(pid_t pid);
int brood__descriptor_pass(pid_t pid);
int brood__descriptor_adopt(pid_t pid);

/* Send a signal to the process of that descriptor, or of that number where it is
 * -1. 0: it has ended. */
int brood__descriptor_signal(int descriptor, pid_t pid, int number);

/*
 * os_private.c: what we open is not a standard descriptor. Where those are
 * closed the next ones would be, and what the host prints would reach a worker.
 * Takes `fd` over; -1 and errno when there is no other, or when it was. A pair
 * of them; and a pipe, which no other program inherits.
 */
int brood__private(int fd);
apr_status_t brood__private_pair(int ends[2]);
apr_status_t brood__private_pipe(int ends[2]);

/* os_worker.c: is there something to read, or an end, now? */
int brood__os_readable(int fd);

/* os_context.c */
BROOD__NORETURN void brood__context_run(brood__os_context_t *self);

/* 0 where the processor checks returns against a shadow stack, which the bare
 * switch does not know. */
int brood__context_possible(void);

#endif /* BROOD_OS_UNIX_OS_INTERNAL_H */
