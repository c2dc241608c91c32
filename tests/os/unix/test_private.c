/* SPDX-License-Identifier: Apache-2.0 */

/* test_private.c: what brood opens is no standard descriptor, and nobody's else.
 * Each test closes some in a child, and returns what was wrong, or 0. */

#include "os/unix/os_internal.h"

#include "os/process.h"
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { RIGHT, NOT_MOVED, NOT_CLOSED, NOT_PRIVATE, NOT_REFUSED, NOT_READY };

static int is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* From now on `n` more descriptors above the standard ones can be had. */
static int leave_room(int n)
{
    struct rlimit most;
    int fd = STDERR_FILENO + 1;

    for (; is_open(fd) || n > 0; fd++)
        n -= !is_open(fd);
    if (getrlimit(RLIMIT_NOFILE, &most) != 0)
        return 0;
    most.rlim_cur = (rlim_t)fd;
    return setrlimit(RLIMIT_NOFILE, &most) == 0;
}

static int move_one(void *unused)
{
    int fd, moved;

    (void)unused;
    (void)close(STDOUT_FILENO);
    fd = dup(STDIN_FILENO);
    moved = brood__private(fd);
    if (fd != STDOUT_FILENO)
        return NOT_READY;
    if (moved <= STDERR_FILENO || brood__private(moved) != moved
        || brood__private(-1) != -1)
        return NOT_MOVED;
    if (is_open(STDOUT_FILENO))
        return NOT_CLOSED;
    return fcntl(moved, F_GETFD) == FD_CLOEXEC ? RIGHT : NOT_PRIVATE;
}

/* ---- whatever makes descriptors, with any of the standard ones closed -------- */

/* Each gives how many it has made, in `fds`; -1: none, which is wrong. */
static int make_pipe(int *fds)
{
    return brood__private_pipe(fds) == APR_SUCCESS ? 2 : -1;
}

static int make_channel(int *fds)
{
    return brood__os_channel_make(fds) == APR_SUCCESS ? 2 : -1;
}

static int make_bell(int *fds)
{
    return brood__os_bell_make(fds) == APR_SUCCESS ? 2 : -1;
}

static int make_block(int *fds)
{
    brood__os_block_t block;

    if (brood__os_block_make(&block, 1) != APR_SUCCESS)
        return -1;
    fds[0] = block.handle;
    return 1;
}

static int make_waker(int *fds)
{
    brood__os_waker_t waker;

    if (brood__os_waker_make(&waker) != APR_SUCCESS)
        return -1;
    fds[0] = waker.in;
    fds[1] = waker.out;
    return 2;
}

static int receive_one(int *fds)
{
    brood__os_message_t message = { 1, 2, 3 };

    if (make_channel(fds) < 0
        || brood__os_channel_send(fds[0], &message, fds[1]) != APR_SUCCESS
        || brood__os_channel_receive(fds[1], &message, &fds[2], 0)
               != APR_SUCCESS)
        return -1;
    return 3;
}

/* Where there are descriptors of processes. */
static int watch_process(int *fds)
{
    fds[0] = brood__descriptor_own(getpid());
    return fds[0] >= 0;
}

static int (*const makers[])(int *fds) = {
    make_pipe,  make_channel, make_bell,     make_block,
    make_waker, receive_one,  watch_process,
};

typedef struct making_t {
    size_t maker;
    int closed; /* bit by bit */
} making_t;

static int make_without(void *baton)
{
    const making_t *making = baton;
    int fds[3], i, n;

    for (i = STDIN_FILENO; i <= STDERR_FILENO; i++)
        if (making->closed >> i & 1)
            (void)close(i);
    n = makers[making->maker](fds);
    if (n < 0)
        return NOT_READY;
    for (i = 0; i < n; i++)
        if (fds[i] <= STDERR_FILENO)
            return NOT_MOVED;
        else if (fcntl(fds[i], F_GETFD) != FD_CLOEXEC)
            return NOT_PRIVATE;
    for (i = STDIN_FILENO; i <= STDERR_FILENO; i++)
        if (is_open(i) == (making->closed >> i & 1))
            return NOT_CLOSED;
    return RIGHT;
}

/* With room for so many of two. */
static int lack_room(void *room)
{
    int ends[2], fd;

    if (!leave_room(*(int *)room))
        return NOT_READY;
    (void)close(STDOUT_FILENO);
    (void)close(STDERR_FILENO);
    if (brood__private_pipe(ends) != EMFILE)
        return NOT_REFUSED;
    fd = fcntl(STDIN_FILENO, F_DUPFD, 0); /* the first that is free */
    return fd == STDOUT_FILENO && !is_open(STDERR_FILENO) ? RIGHT : NOT_CLOSED;
}

/* ---- the tests ---------------------------------------------------------------- */

static void standard_numbers_are_given_back(void)
{
    TEST_NEEDS_FORK();
    CU_ASSERT_EQUAL(test_in_child(move_one, NULL), RIGHT);
}

static void nothing_that_is_made_has_one_of_them(void)
{
    making_t making;

    TEST_NEEDS_FORK();
    for (making.maker = 0; making.maker < sizeof(makers) / sizeof(makers[0]);
         making.maker++)
        for (making.closed = 0; making.closed < 8; making.closed++)
            CU_ASSERT_EQUAL(test_in_child(make_without, &making), RIGHT);
}

static void without_others_nothing_stays_open(void)
{
    int room;

    TEST_NEEDS_FORK();
    for (room = 0; room < 2; room++)
        CU_ASSERT_EQUAL(test_in_child(lack_room, &room), RIGHT);
}

static const test_t tests[] = {
    TEST(standard_numbers_are_given_back),
    TEST(nothing_that_is_made_has_one_of_them),
    TEST(without_others_nothing_stays_open),
};
HARNESS_MAIN_BARE("private", tests)
