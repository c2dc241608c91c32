/* SPDX-License-Identifier: Apache-2.0 */

/*
 * os_descriptor.c: a descriptor that tells of a process' end.
 *
 * Linux has one, pidfd_open(2). The BSDs and macOS have kqueue(2): one queue for
 * each process, with NOTE_EXIT of it as the only filter; nobody takes the event
 * out, so the queue stays readable. Both tell of a process that has ended and
 * was not reaped, or was by somebody else, and neither is in the way of
 * waitpid(). Where there is neither, and while memory or descriptors are short,
 * it is -1, and the caller asks now and then.
 *
 * What differs: a pidfd can be handed to another process and sends signals to
 * that process only. A queue cannot be handed over, but watches also a process
 * of somebody else, which must not be reaped yet. (A process that has ended can
 * be watched on FreeBSD only; elsewhere that is ESRCH, and so -1.)
 *
 * configure picks one; --with-death-watch overrules it.
 */

#include "os/unix/os_internal.h"

#include <signal.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>
#endif

#include "base/fault.h"

#if defined(BROOD_DEATH_WATCH_KQUEUE)

#include <fcntl.h>
#include <string.h>
#include <sys/types.h>

#include <sys/event.h>
#include <sys/time.h>

static int watch_exit(pid_t pid)
{
    struct kevent change;
    const int queue = brood__private(kqueue());

    if (queue < 0)
        return -1;
    (void)fcntl(queue, F_SETFD, FD_CLOEXEC);
    memset(&change, 0, sizeof(change));
    EV_SET(&change, (uintptr_t)pid, EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, 0);
    if (kevent(queue, &change, 1, NULL, 0, NULL) == 0)
        return queue;
    (void)close(queue);
    return -1;
}

int brood__descriptor_own(pid_t pid)
{
    return brood__fault(BROOD__FAULT_PIDFD) ? -1 : watch_exit(pid);
}

int brood__descriptor_pass(pid_t pid)
{
    (void)pid;
    return -1;
}

int brood__descriptor_adopt(pid_t pid)
{
    return watch_exit(pid);
}

#elif defined(SYS_pidfd_open) && defined(SYS_pidfd_send_signal)                \
    && !defined(BROOD_DEATH_WATCH_NONE)

#define SIGNALS 1

int brood__descriptor_own(pid_t pid)
{
    return brood__fault(BROOD__FAULT_PIDFD) ? -1 : brood__descriptor_pass(pid);
}

int brood__descriptor_pass(pid_t pid)
{
    return brood__private((int)syscall(SYS_pidfd_open, pid, 0));
}

int brood__descriptor_adopt(pid_t pid)
{
    (void)pid; /* who has made the process makes it, and hands it over */
    return -1;
}

#else

int brood__descriptor_own(pid_t pid)
{
    (void)pid;
    (void)brood__fault(BROOD__FAULT_PIDFD);
    return -1;
}

int brood__descriptor_pass(pid_t pid)
{
    (void)pid;
    return -1;
}

int brood__descriptor_adopt(pid_t pid)
{
    (void)pid;
    return -1;
}

#endif

int brood__descriptor_signal(int descriptor, pid_t pid, int number)
{
#ifdef SIGNALS
    if (descriptor >= 0)
        return syscall(SYS_pidfd_send_signal, descriptor, number, NULL, 0) == 0;
#endif
    return pid > 0 && !(descriptor >= 0 && brood__os_readable(descriptor))
           && kill(pid, number) == 0;
}
