/* SPDX-License-Identifier: Apache-2.0 */

/* os_channel.c: messages with descriptors in them, and bells. */

#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef __linux__
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

#include "base/fault.h"
#include "os/unix/os_internal.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* then SO_NOSIGPIPE is set */
#endif
#ifndef MSG_CMSG_CLOEXEC
#define MSG_CMSG_CLOEXEC 0
#endif

typedef union control_t {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
} control_t;

static void close_on_exec(int fd);
static int take_handle(struct msghdr *header);

apr_status_t brood__os_channel_make(brood__os_handle_t ends[2])
{
    apr_status_t rv;

    if (brood__fault(BROOD__FAULT_DESCRIPTOR))
        return APR_EMFILE;
#if defined(SOCK_CLOEXEC)
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return errno;
#else
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        return errno;
    close_on_exec(ends[0]);
    close_on_exec(ends[1]);
#endif
    rv = brood__private_pair(ends);
#ifdef SO_NOSIGPIPE
    if (rv == APR_SUCCESS) {
        const int on = 1;

        (void)setsockopt(ends[0], SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
        (void)setsockopt(ends[1], SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
    }
#endif
    return rv;
}

apr_status_t brood__os_channel_send(brood__os_handle_t end,
                                    const brood__os_message_t *message,
                                    brood__os_handle_t handle)
{
    struct iovec bytes = { (void *)(uintptr_t)message, sizeof(*message) };
    struct msghdr header;
    struct cmsghdr *part;
    control_t control;
    ssize_t n;

    memset(&header, 0, sizeof(header));
    header.msg_iov = &bytes;
    header.msg_iovlen = 1;
    if (handle >= 0) {
        memset(&control, 0, sizeof(control));
        header.msg_control = control.bytes;
        header.msg_controllen = sizeof(control.bytes);
        part = CMSG_FIRSTHDR(&header);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(part), &handle, sizeof(int));
    }
    do
        n = sendmsg(end, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof(*message))
        return APR_SUCCESS;
    if (n >= 0)
        return APR_EINVAL; /* a part: of no use any more */
    if (errno == EPIPE || errno == ECONNRESET)
        return APR_EOF;
    return errno == EWOULDBLOCK ? APR_EAGAIN : errno;
}

/* The kernel has it. */
int brood__os_channel_lends(void)
{
    return 0;
}

apr_status_t brood__os_channel_receive(brood__os_handle_t end,
                                       brood__os_message_t *message,
                                       brood__os_handle_t *handle, int wait)
{
    struct iovec bytes = { message, sizeof(*message) };
    struct msghdr header;
    control_t control;
    ssize_t n;

    *handle = BROOD__OS_NO_HANDLE;
    memset(&header, 0, sizeof(header));
    header.msg_iov = &bytes;
    header.msg_iovlen = 1;
    header.msg_control = control.bytes;
    header.msg_controllen = sizeof(control.bytes);
    do
        n = recvmsg(end, &header, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        if (errno == ECONNRESET)
            return APR_EOF;
        return errno == EWOULDBLOCK ? APR_EAGAIN : errno;
    }
    *handle = take_handle(&header);
    if (*handle >= 0 && brood__fault(BROOD__FAULT_DESCRIPTOR)) {
        brood__os_handle_close(*handle);
        *handle = BROOD__OS_NO_HANDLE;
        return APR_EMFILE;
    }
    if (n == (ssize_t)sizeof(*message)
        && !(header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        return APR_SUCCESS;
    brood__os_handle_close(*handle);
    *handle = BROOD__OS_NO_HANDLE;
    if (n == (ssize_t)sizeof(*message) && (header.msg_flags & MSG_CTRUNC))
        return APR_EMFILE; /* there was no room for its descriptor */
    return n == 0 ? APR_EOF : APR_EINVAL;
}

void brood__os_channel_end(brood__os_handle_t end)
{
    (void)shutdown(end, SHUT_RD);
}

apr_status_t brood__os_channel_wait(brood__os_handle_t end, int64_t timeout)
{
    return brood__os_poll(end, 1, NULL, timeout);
}

/* The one there is room for. The kernel closes what does not fit. */
static int take_handle(struct msghdr *header)
{
    struct cmsghdr *part;
    int handle = BROOD__OS_NO_HANDLE;

    for (part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part))
        if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS
            && part->cmsg_len == CMSG_LEN(sizeof(int)))
            memcpy(&handle, CMSG_DATA(part), sizeof(int));
    if (handle < 0)
        return handle;
    handle = brood__private(handle);
    if (handle < 0)
        header->msg_flags |= MSG_CTRUNC; /* as if the kernel had no room */
    else if (!MSG_CMSG_CLOEXEC)
        close_on_exec(handle);
    return handle;
}

static void close_on_exec(int fd)
{
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* ---- bells --------------------------------------------------------------- */

/* Each end of a pipe has flags of its own: that of the parent stays
 * non-blocking whatever the worker does. */
apr_status_t brood__os_bell_make(brood__os_handle_t ends[2])
{
    apr_status_t rv;
    int i;

    if (brood__fault(BROOD__FAULT_DESCRIPTOR))
        return APR_EMFILE;
    rv = brood__private_pipe(ends);
    for (i = 0; rv == APR_SUCCESS && i < 2; i++)
        (void)fcntl(ends[i], F_SETFL, O_NONBLOCK);
    return rv;
}

/* A full pipe rings, too. */
void brood__os_bell_ring(brood__os_handle_t end)
{
    ssize_t n;

    do
        n = write(end, "", 1);
    while (n < 0 && errno == EINTR);
}

/* What does not fit into one read is read next time. */
int brood__os_bell_clear(brood__os_handle_t end)
{
    char bytes[512];
    ssize_t n;

    do
        n = read(end, bytes, sizeof(bytes));
    while (n < 0 && errno == EINTR);
    return n != 0;
}

#ifdef __linux__

apr_status_t brood__os_doorbell_make(brood__os_handle_t ends[2])
{
    ends[0] = ends[1] = BROOD__OS_NO_HANDLE;
    return APR_SUCCESS;
}

void brood__os_doorbell_ring(brood__os_handle_t end, atomic_uint *word)
{
    (void)end;
    (void)syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void brood__os_doorbell_wait(brood__os_handle_t end, atomic_uint *word,
                             unsigned seen)
{
    (void)end;
    (void)syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
}

#else

apr_status_t brood__os_doorbell_make(brood__os_handle_t ends[2])
{
    return brood__os_bell_make(ends);
}

void brood__os_doorbell_ring(brood__os_handle_t end, atomic_uint *word)
{
    (void)word;
    brood__os_bell_ring(end);
}

void brood__os_doorbell_wait(brood__os_handle_t end, atomic_uint *word,
                             unsigned seen)
{
    struct pollfd fd = { end, POLLIN, 0 };

    if (brood__load(word, acquire) == seen)
        (void)poll(&fd, 1, -1);
    (void)brood__os_bell_clear(end);
}

#endif

void brood__os_handle_close(brood__os_handle_t handle)
{
    if (handle >= 0)
        (void)close(handle);
}
