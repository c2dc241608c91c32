/* SPDX-License-Identifier: Apache-2.0 */

/*
 * coroutines.c: talk over many sockets at once, on one thread.
 *
 * prints:
 *   200 conversations at once, 10 rounds each
 */

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/util.h>

#include "example.h"

#define N      200
#define ROUNDS 10

static int g_begun, g_ended; /* only the loop's thread uses them */

/* Where a read() would block the thread, only this coroutine waits. */
static apr_status_t receive(int fd, char *byte)
{
    ssize_t n;

    while ((n = read(fd, byte, 1)) < 0 && errno == EAGAIN)
        must(brood_await_fd(fd, BROOD_AWAIT_READ, -1));
    return n == 1 ? APR_SUCCESS : APR_EOF;
}

static apr_status_t answer(void *baton, void **result)
{
    int fd = *(int *)baton;
    char byte;

    (void)result;
    while (receive(fd, &byte) == APR_SUCCESS && write(fd, &byte, 1) == 1)
        ;
    close(fd);
    return APR_SUCCESS;
}

static apr_status_t ask(void *baton, void **result)
{
    int fd = *(int *)baton, i;
    char byte;

    (void)result;
    for (g_begun++; g_begun < N; must(brood_yield()))
        ; /* until all are there */
    for (i = 0; i < ROUNDS; i++)
        must(write(fd, "?", 1) == 1 ? receive(fd, &byte) : APR_EGENERAL);
    close(fd); /* which ends the other side */
    g_ended++;
    return APR_SUCCESS;
}

int main(void)
{
    static int ends[N][2];
    brood_loop_manager_t *loop;
    int i;

    must(brood_initialize());
    must(brood_loop_manager_get(&loop, NULL, 0));
    must(brood_loop_manager_start(loop, NULL));
    for (i = 0; i < N; i++) {
        must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]));
        evutil_make_socket_nonblocking(ends[i][0]);
        evutil_make_socket_nonblocking(ends[i][1]);
        must(brood_loop_manager_submit(NULL, loop, answer, &ends[i][1], NULL));
        must(brood_loop_manager_submit(NULL, loop, ask, &ends[i][0], NULL));
    }
    must(brood_loop_manager_stop(loop, BROOD_STOP_DRAIN, -1));
    printf("%d conversations at once, %d rounds each\n", g_ended, ROUNDS);
    brood_terminate();
    return 0;
}
