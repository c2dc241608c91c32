/* SPDX-License-Identifier: Apache-2.0 */

/* os_worker.c: a worker process, seen from within; and fork servers. */

#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif
#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif
#ifdef __FreeBSD__
#include <sys/sysctl.h>
#include <sys/types.h>
#endif

#include "base/fault.h"
#include "os/unix/os_internal.h"

#define FIRST 3

static void close_above(int fd);

apr_status_t brood__os_exe(char *path, size_t size)
{
#if defined(__linux__)
    static const char link[] = "/proc/self/exe"; /* also when it was replaced */

    if (size < sizeof(link))
        return APR_ENAMETOOLONG;
    memcpy(path, link, sizeof(link));
    return APR_SUCCESS;
#elif defined(__APPLE__)
    uint32_t room = (uint32_t)size;

    return _NSGetExecutablePath(path, &room) ? APR_ENAMETOOLONG : APR_SUCCESS;
#elif defined(__FreeBSD__)
    int name[4] = { CTL_KERN, KERN_PROC, KERN_PROC_PATHNAME, -1 };

    return sysctl(name, 4, path, &size, NULL, 0) ? errno : APR_SUCCESS;
#else
    ssize_t n = readlink("/proc/curproc/exe", path, size); /* NetBSD */

    if (n < 0)
        return errno;
    if ((size_t)n == size)
        return APR_ENAMETOOLONG;
    path[n] = '\0';
    return APR_SUCCESS;
#endif
}

int brood__os_path_kind(const char *path)
{
    return *path == '/' ? 1 : strchr(path, '/') ? -1 : 0;
}

apr_status_t brood__os_worker_begin(size_t n)
{
    size_t i;
    int fd;

    (void)signal(SIGINT, SIG_IGN);
    /* Some are not there on every system: doorbells. */
    for (i = 0; i < n; i++)
        if (fcntl(FIRST + (int)i, F_GETFD) >= 0)
            (void)fcntl(FIRST + (int)i, F_SETFD, FD_CLOEXEC);
    if (fcntl(FIRST, F_GETFD) < 0)
        return APR_EINVAL;
    close_above(FIRST + (int)n);
    /* If the host has none: 0 is there, so these are the next. */
    for (fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", O_WRONLY);
    return APR_SUCCESS;
}

brood__os_handle_t brood__os_worker_handle(size_t index)
{
    return FIRST + (int)index;
}

void brood__os_worker_die_with(int64_t pid)
{
#ifdef __linux__
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    if (getppid() != (pid_t)pid)
        _exit(0); /* it has ended meanwhile */
}

void brood__os_worker_exit(int code)
{
    _exit(code);
}

int64_t brood__os_pid(void)
{
    return getpid();
}

int64_t brood__os_parent_pid(void)
{
    return getppid();
}

static void close_above(int fd)
{
    int most;

#if defined(SYS_close_range)
    if (syscall(SYS_close_range, (unsigned)fd, ~0u, 0u) == 0)
        return;
#endif
    most = (int)sysconf(_SC_OPEN_MAX);
    for (; fd < (most < 0 ? 1024 : most); fd++)
        (void)close(fd);
}

int brood__os_readable(int fd)
{
    struct pollfd one = { fd, POLLIN, 0 };

    return poll(&one, 1, 0) > 0;
}

/* ---- fork servers -------------------------------------------------------- */

int brood__os_can_fork(void)
{
    return 1;
}

apr_status_t brood__os_fork_worker(int64_t *pid, brood__os_handle_t *watch,
                                   const brood__os_handle_t *handles, size_t n)
{
    size_t i;
    int above = FIRST + (int)n;
    pid_t child;

    *watch = BROOD__OS_NO_HANDLE;
    if (brood__fault(BROOD__FAULT_PROCESS))
        return APR_EAGAIN;
    child = fork();
    if (child < 0)
        return errno;
    *pid = child;
    if (child == 0) {
        (void)setpgid(0, 0);
        for (i = 0; i < n; i++)
            if (handles[i] >= above)
                above = handles[i] + 1;
        for (i = 0; i < n; i++)
            if (handles[i] >= 0)
                (void)dup2(handles[i], above + (int)i);
        for (i = 0; i < n; i++) {
            (void)close(FIRST + (int)i);
            if (handles[i] >= 0)
                (void)dup2(above + (int)i, FIRST + (int)i);
        }
        close_above(FIRST + (int)n);
        return APR_SUCCESS;
    }
    (void)setpgid(child, child);
    *watch = brood__descriptor_pass(child);
    return APR_SUCCESS;
}
