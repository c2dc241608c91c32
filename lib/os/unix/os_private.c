/* SPDX-License-Identifier: Apache-2.0 */

/* os_private.c: descriptors that are nobody's but ours. */

#include "os/unix/os_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int brood__private(int fd)
{
    int above, error;

    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    above = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    error = errno == EINVAL ? EMFILE : errno; /* none is allowed up there */
    (void)close(fd);
    errno = error;
    return above;
}

apr_status_t brood__private_pair(int ends[2])
{
    int error;

    ends[0] = brood__private(ends[0]);
    error = errno;
    ends[1] = brood__private(ends[1]);
    if (ends[0] >= 0 && ends[1] >= 0)
        return APR_SUCCESS;
    if (ends[1] < 0)
        error = errno;
    else
        (void)close(ends[1]);
    if (ends[0] >= 0)
        (void)close(ends[0]);
    return error;
}

/* Without pipe2() another thread's exec may come in between. */
apr_status_t brood__private_pipe(int ends[2])
{
#ifdef HAVE_PIPE2
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
#else
    if (pipe(ends) != 0)
        return errno;
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
#endif
    return brood__private_pair(ends);
}
