/* SPDX-License-Identifier: Apache-2.0 */

/* test_private.c: what brood opens is no standard descriptor, and nobody's else.
 * Each test closes some in a child, and returns what was wrong, or 0. */

#include "os/unix/os_internal.h"

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

static int make_pipe(void *unused)
{
    int ends[2], i;

    (void)unused;
    (void)close(STDIN_FILENO);
    (void)close(STDERR_FILENO);
    if (brood__private_pipe(ends) != APR_SUCCESS)
        return NOT_READY;
    for (i = 0; i < 2; i++)
        if (ends[i] <= STDERR_FILENO)
            return NOT_MOVED;
        else if (fcntl(ends[i], F_GETFD) != FD_CLOEXEC)
            return NOT_PRIVATE;
    return is_open(STDIN_FILENO) || is_open(STDERR_FILENO) ? NOT_CLOSED : RIGHT;
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

static void pipes_have_none_of_them(void)
{
    TEST_NEEDS_FORK();
    CU_ASSERT_EQUAL(test_in_child(make_pipe, NULL), RIGHT);
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
    TEST(pipes_have_none_of_them),
    TEST(without_others_nothing_stays_open),
};
HARNESS_MAIN_BARE("private", tests)
