/* SPDX-License-Identifier: Apache-2.0 */

/*
 * sys/event.h: as much of kqueue(2) as lib/os/unix/os_descriptor.c asks for, made
 * of a pidfd, to try that way on Linux: one queue, one process, NOTE_EXIT. The
 * queue can be polled, and stays readable. (libkqueue does not serve: its queues
 * cannot be polled.) Beside test_descriptor, which includes it, all of brood can
 * be built with it:
 *
 *     ../configure ac_cv_func_kqueue=yes CPPFLAGS=-I.../tests/os/unix/kqueue
 */

#ifndef BROOD_TESTS_SYS_EVENT_H
#define BROOD_TESTS_SYS_EVENT_H

#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

struct kevent {
    uintptr_t ident;
    short filter;
    unsigned short flags;
    unsigned fflags;
    intptr_t data;
    void *udata;
};

#define EVFILT_PROC (-5)
#define EV_ADD      0x0001
#define NOTE_EXIT   0x80000000u

#define EV_SET(event, i, fi, fl, ff, d, u)                                     \
    do {                                                                       \
        (event)->ident = (i);                                                  \
        (event)->filter = (fi);                                                \
        (event)->flags = (fl);                                                 \
        (event)->fflags = (ff);                                                \
        (event)->data = (d);                                                   \
        (event)->udata = (u);                                                  \
    } while (0)

static inline int kqueue(void)
{
    return open("/dev/null", O_RDWR);
}

static inline int kevent(int queue, const struct kevent *changes, int n,
                         struct kevent *events, int room,
                         const struct timespec *timeout)
{
    int process, moved;

    (void)timeout;
    if (n != 1 || events || room || changes->filter != EVFILT_PROC
        || changes->flags != EV_ADD || changes->fflags != NOTE_EXIT)
        return -1;
    process = (int)syscall(SYS_pidfd_open, (pid_t)changes->ident, 0);
    if (process < 0)
        return -1;
    moved = dup3(process, queue, O_CLOEXEC);
    (void)close(process);
    return moved < 0 ? -1 : 0;
}

#endif /* BROOD_TESTS_SYS_EVENT_H */
