/* SPDX-License-Identifier: Apache-2.0 */

/* os_random.c: bytes nobody can guess. */

#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>
#endif

#include "base/fault.h"

#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__OpenBSD__)         \
    || defined(__NetBSD__)

/* Seeded by the kernel, and seeded anew in a forked child. */
apr_status_t brood__os_random(void *bytes, size_t n)
{
    arc4random_buf(bytes, n);
    return APR_SUCCESS;
}

#else

static ssize_t ask_kernel(void *bytes, size_t n);
static apr_status_t read_device(char *bytes, size_t n);

apr_status_t brood__os_random(void *bytes, size_t n)
{
    char *next = bytes;

    while (n) {
        const ssize_t got = ask_kernel(next, n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) /* an old kernel, or a filter of system calls */
            return read_device(next, n);
        next += got;
        n -= (size_t)got;
    }
    return APR_SUCCESS;
}

/* Blocks only while the machine boots and has no entropy yet. */
static ssize_t ask_kernel(void *bytes, size_t n)
{
#ifdef SYS_getrandom
    if (!brood__fault(BROOD__FAULT_DESCRIPTOR))
        return syscall(SYS_getrandom, bytes, n, 0);
#else
    (void)bytes;
    (void)n;
#endif
    errno = ENOSYS;
    return -1;
}

static apr_status_t read_device(char *bytes, size_t n)
{
    int fd;
    apr_status_t rv = APR_SUCCESS;

    if (brood__fault(BROOD__FAULT_DESCRIPTOR))
        return APR_EMFILE;
    fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    while (n && rv == APR_SUCCESS) {
        const ssize_t got = read(fd, bytes, n);

        if (got > 0) {
            bytes += got;
            n -= (size_t)got;
        } else if (got == 0)
            rv = APR_EOF;
        else if (errno != EINTR)
            rv = errno;
    }
    (void)close(fd);
    return rv;
}

#endif
