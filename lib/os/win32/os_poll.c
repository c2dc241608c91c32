/* SPDX-License-Identifier: Apache-2.0 */

/*
 * os_poll.c: waiting for one socket, on a thread.
 *
 * select() it is: WSAEventSelect() would change the user's socket, and
 * WSAPoll() did not tell of failed connects for many years. What can be set
 * off beside it must therefore be a socket: one that is connected to itself.
 */

#include "os/win32/os_internal.h"

#include <apr_network_io.h>

#include "base/fault.h"

#define READ  1
#define WRITE 2

/* select() rounds down, and a day is as good as longer: it is asked again. */
#define LONGEST INT64_C(86400000000000)

static apr_status_t make_loop(SOCKET fd);
static int look(SOCKET fd, int what, const brood__os_waker_t *waker,
                int64_t timeout, int *woken);

apr_status_t brood__os_waker_make(brood__os_waker_t *waker)
{
    apr_status_t rv;
    SOCKET fd;

    if (brood__fault(BROOD__FAULT_DESCRIPTOR))
        return APR_EMFILE;
    fd = WSASocketW(AF_INET, SOCK_DGRAM, IPPROTO_UDP, NULL, 0,
                    WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (fd == INVALID_SOCKET)
        return brood__last_error();
    rv = make_loop(fd);
    if (rv != APR_SUCCESS) {
        (void)closesocket(fd);
        return rv;
    }
    waker->socket = fd;
    return APR_SUCCESS;
}

void brood__os_waker_free(brood__os_waker_t *waker)
{
    (void)closesocket(waker->socket);
}

/* On the loop-back nothing is lost while there is room for one byte. */
void brood__os_waker_set(brood__os_waker_t *waker)
{
    (void)send(waker->socket, "", 1, 0);
}

void brood__os_waker_wait(brood__os_waker_t *waker)
{
    char byte;

    (void)recv(waker->socket, &byte, 1, 0);
}

apr_status_t brood__os_poll(apr_os_sock_t fd, int what,
                            brood__os_waker_t *waker, int64_t timeout)
{
    const int64_t end = timeout > 0 ? brood__os_now() + timeout : 0;
    int64_t left = timeout;
    int woken = 0;
    int n;

    if (fd == INVALID_SOCKET)
        return APR_EBADF;
    for (;;) {
        n = look(fd, what, waker, left, &woken);
        if (n || timeout == 0)
            break;
        if (timeout > 0) {
            left = end - brood__os_now();
            if (left <= 0)
                break;
        }
    }
    if (n < 0)
        return WSAGetLastError() == WSAENOTSOCK ? APR_EBADF
                                                : brood__last_error();
    if (n > woken)
        return APR_SUCCESS;
    return n ? APR_EINTR : APR_TIMEUP;
}

int brood__os_descriptors(int n)
{
    SOCKET opened[16];
    int i, enough;

    if (brood__fault(BROOD__FAULT_DESCRIPTOR))
        return 0;
    for (i = 0; i < n && i < 16; i++) {
        opened[i] = WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0,
                               WSA_FLAG_NO_HANDLE_INHERIT);
        if (opened[i] == INVALID_SOCKET)
            break;
    }
    enough = i == n || i == 16;
    while (i > 0)
        (void)closesocket(opened[--i]);
    return enough;
}

/* Bound to a port of its own and connected to it: it takes datagrams from no
 * other socket, and nobody else can have the port meanwhile. */
static apr_status_t make_loop(SOCKET fd)
{
    struct sockaddr_in here = { 0 };
    int size = sizeof(here);
    BOOL alone = TRUE;

    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (setsockopt(fd, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&alone,
                   sizeof(alone))
            != 0
        || bind(fd, (const struct sockaddr *)&here, sizeof(here)) != 0
        || getsockname(fd, (struct sockaddr *)&here, &size) != 0
        || connect(fd, (const struct sockaddr *)&here, sizeof(here)) != 0)
        return brood__last_error();
    return APR_SUCCESS;
}

/* How many of the two are ready; `woken`: the waker is one of them. A failed
 * connect is told among the exceptions. */
static int look(SOCKET fd, int what, const brood__os_waker_t *waker,
                int64_t timeout, int *woken)
{
    fd_set in, out, bad;
    struct timeval limit;
    int n;

    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&bad);
    if (what & READ)
        FD_SET(fd, &in);
    if (what & WRITE)
        FD_SET(fd, &out);
    FD_SET(fd, &bad);
    if (waker)
        FD_SET(waker->socket, &in);
    timeout = timeout < LONGEST ? timeout : LONGEST;
    limit.tv_sec = (long)(timeout / 1000000000);
    limit.tv_usec = (long)((timeout % 1000000000 + 999) / 1000);

    n = select(0, &in, &out, &bad, timeout < 0 ? NULL : &limit);
    *woken = n > 0 && waker && FD_ISSET(waker->socket, &in);
    return n;
}
