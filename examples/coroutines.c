/* SPDX-License-Identifier: Apache-2.0 */

/*
 * coroutines.c: talk over many sockets at once, on one thread.
 *
 * prints:
 *   200 conversations at once, 10 rounds each
 */

#include <event2/util.h>

#include "example.h"

#define N      200
#define ROUNDS 10

static int g_begun, g_ended; /* only the loop's thread uses them */

/* Where a recv() would block the thread, only this coroutine waits. */
static apr_status_t receive(apr_os_sock_t fd, char *byte)
{
    must(brood_await_fd(fd, BROOD_AWAIT_READ, -1));
    return recv(fd, byte, 1, 0) == 1 ? APR_SUCCESS : APR_EOF;
}

static apr_status_t answer(void *baton, void **result)
{
    apr_os_sock_t fd = *(apr_os_sock_t *)baton;
    char byte;

    (void)result;
    while (receive(fd, &byte) == APR_SUCCESS && send(fd, &byte, 1, 0) == 1)
        ;
    evutil_closesocket((evutil_socket_t)fd);
    return APR_SUCCESS;
}

static apr_status_t ask(void *baton, void **result)
{
    apr_os_sock_t fd = *(apr_os_sock_t *)baton;
    char byte;
    int i;

    (void)result;
    for (g_begun++; g_begun < N; must(brood_yield()))
        ; /* until all are there */
    for (i = 0; i < ROUNDS; i++)
        must(send(fd, "?", 1, 0) == 1 ? receive(fd, &byte) : APR_EGENERAL);
    evutil_closesocket((evutil_socket_t)fd); /* which ends the other side */
    g_ended++;
    return APR_SUCCESS;
}

int main(void)
{
    static apr_os_sock_t ends[N][2];
    evutil_socket_t pair[2];
    brood_loop_manager_t *loop;
    int i;

    must(brood_initialize());
    must(brood_loop_manager_get(&loop, NULL, 0));
    must(brood_loop_manager_start(loop, NULL));
    for (i = 0; i < N; i++) {
        must(evutil_socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
        ends[i][0] = (apr_os_sock_t)pair[0]; /* elsewhere it is unsigned */
        ends[i][1] = (apr_os_sock_t)pair[1];
        must(brood_loop_manager_submit(NULL, loop, answer, &ends[i][1], NULL));
        must(brood_loop_manager_submit(NULL, loop, ask, &ends[i][0], NULL));
    }
    must(brood_loop_manager_stop(loop, BROOD_STOP_DRAIN, -1));
    printf("%d conversations at once, %d rounds each\n", g_ended, ROUNDS);
    brood_terminate();
    return 0;
}
