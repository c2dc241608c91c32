/* SPDX-License-Identifier: Apache-2.0 */

/* os_poll.c: waiting for one socket, on a thread. */

#include "os/unix/os_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#ifdef HAVE_SYS_EVENTFD_H
#include <sys/eventfd.h>
#endif

#include "base/fault.h"

#define READ  1
#define WRITE 2

static int poll_for(struct pollfd *fds, nfds_t n, int64_t timeout);

apr_status_t brood__os_waker_make(brood__os_waker_t *waker)
{
    if (brood__fault(BROOD__FAULT_DESCRIPTOR))
        return APR_EMFILE;
#ifdef HAVE_SYS_EVENTFD_H
    waker->in = waker->out = brood__private(eventfd(0, EFD_CLOEXEC));
    return waker->in < 0 ? errno : APR_SUCCESS;
#else
    int ends[2];
    const apr_status_t rv = brood__private_pipe(ends);

    waker->out = ends[0];
    waker->in = ends[1];
    return rv;
#endif
}

void brood__os_waker_free(brood__os_waker_t *waker)
{
    (void)close(waker->out);
    if (waker->in != waker->out)
        (void)close(waker->in);
}

void brood__os_waker_set(brood__os_waker_t *waker)
{
    const uint64_t one = 1; /* what an eventfd wants; a pipe takes anything */
    ssize_t n;

    do
        n = write(waker->in, &one, sizeof(one));
    while (n < 0 && errno == EINTR);
}

void brood__os_waker_wait(brood__os_waker_t *waker)
{
    uint64_t what;
    ssize_t n;

    do
        n = read(waker->out, &what, sizeof(what));
    while (n < 0 && errno == EINTR);
}

apr_status_t brood__os_poll(apr_os_sock_t fd, int what,
                            brood__os_waker_t *waker, int64_t timeout)
{
    const int64_t end = timeout > 0 ? brood__os_now() + timeout : timeout;
    struct pollfd fds[2] = { { fd, 0, 0 }, { -1, POLLIN, 0 } };
    int n;

    if (fd < 0)
        return APR_EBADF; /* poll() would wait for nothing */
    if (what & READ)
        fds[0].events |= POLLIN;
    if (what & WRITE)
        fds[0].events |= POLLOUT;
    if (waker)
        fds[1].fd = waker->out;

    while ((n = poll_for(fds, waker ? 2 : 1, timeout)) < 0 && errno == EINTR) {
        if (end > 0)
            timeout = end - brood__os_now();
        if (timeout < 0 && end > 0)
            timeout = 0;
    }
    if (n < 0)
        return errno;
    if (fds[0].revents & POLLNVAL)
        return APR_EBADF;
    if (fds[0].revents)
        return APR_SUCCESS;
    return n ? APR_EINTR : APR_TIMEUP;
}

/* Microseconds where there is ppoll(), else milliseconds, rounded up. */
static int poll_for(struct pollfd *fds, nfds_t n, int64_t timeout)
{
#ifdef __linux__
    struct timespec in;

    if (timeout > 0) {
        in.tv_sec = (time_t)(timeout / 1000000000);
        in.tv_nsec = (long)(timeout % 1000000000);
        return ppoll(fds, n, &in, NULL);
    }
#endif
    if (timeout > INT32_MAX * (int64_t)1000000)
        return poll(fds, n, INT32_MAX); /* 24 days: the caller looks again */
    return poll(fds, n, timeout < 0 ? -1 : (int)((timeout + 999999) / 1000000));
}

int brood__os_descriptors(int n)
{
    int opened[16];
    int i, enough;

    if (brood__fault(BROOD__FAULT_DESCRIPTOR))
        return 0;
    for (i = 0; i < n && i < 16; i++) {
        opened[i] = open("/", O_RDONLY | O_CLOEXEC);
        if (opened[i] < 0)
            break;
    }
    enough = i == n || i == 16;
    while (i > 0)
        (void)close(opened[--i]);
    return enough;
}
