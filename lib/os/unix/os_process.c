/* SPDX-License-Identifier: Apache-2.0 */

/* os_process.c: start, end and death of a worker process. */

#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "os/unix/os_internal.h"

#define FIRST 3 /* descriptor of handle 0 in a worker */
#define MOST  16

extern char **environ;

static int set_actions(posix_spawn_file_actions_t *actions, const int *handles,
                       size_t n);
static int set_attributes(posix_spawnattr_t *attributes);
static void signal_it(const brood__os_process_t *process, int number);
static int reap(pid_t pid, brood__os_exit_t *how);

apr_status_t brood__os_process_start(brood__os_process_t *process,
                                     const char *exe, const char *const *argv,
                                     const brood__os_handle_t *handles,
                                     size_t n)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int rv;

    memset(process, 0, sizeof(*process));
    process->watch = BROOD__OS_NO_HANDLE;
    if (brood__fault(BROOD__FAULT_PROCESS))
        return APR_EAGAIN;
    rv = posix_spawn_file_actions_init(&actions);
    if (rv != 0)
        return rv;
    rv = posix_spawnattr_init(&attributes);
    if (rv == 0) {
        rv = set_actions(&actions, handles, n);
        if (rv == 0)
            rv = set_attributes(&attributes);
        if (rv == 0) /* the arguments are not written to */
            rv = posix_spawn(&process->pid, exe, &actions, &attributes,
                             (char *const *)(uintptr_t)argv, environ);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    if (rv == 0)
        process->watch = brood__descriptor_own(process->pid);
    return rv == EBADF ? EMFILE : rv; /* there is no room above ours */
}

/*
 * Our descriptors may be among those that are overwritten, so each is first
 * moved above all of them; dup2() onto itself would keep close-on-exec. What is
 * above is closed, where that can be done, also if it was opened without
 * close-on-exec by somebody else; and once more by the worker itself.
 */
static int set_actions(posix_spawn_file_actions_t *actions, const int *handles,
                       size_t n)
{
    int rv = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY,
                                              0);
    int above = FIRST + (int)n;
    size_t i;

    if (n > MOST)
        return EINVAL;
    for (i = 0; i < n; i++)
        if (handles[i] >= above)
            above = handles[i] + 1;
    for (i = 0; rv == 0 && i < n; i++)
        if (handles[i] >= 0)
            rv = posix_spawn_file_actions_adddup2(actions, handles[i],
                                                  above + (int)i);
    for (i = 0; rv == 0 && i < n; i++)
        if (handles[i] >= 0)
            rv = posix_spawn_file_actions_adddup2(actions, above + (int)i,
                                                  FIRST + (int)i);
#ifdef HAVE_POSIX_SPAWN_FILE_ACTIONS_ADDCLOSEFROM_NP
    if (rv == 0)
        rv = posix_spawn_file_actions_addclosefrom_np(actions, FIRST + (int)n);
#else
    for (i = 0; rv == 0 && i < n; i++)
        if (handles[i] >= 0)
            rv = posix_spawn_file_actions_addclose(actions, above + (int)i);
#endif
    return rv;
}

/* SIGINT cannot be set to "ignore" here; the worker does it itself, and
 * terminals do not reach its group anyway. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    const short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK
                        | POSIX_SPAWN_SETPGROUP;
    sigset_t set;
    int rv;

    (void)sigfillset(&set);
    rv = posix_spawnattr_setsigdefault(attributes, &set);
    (void)sigemptyset(&set);
    if (rv == 0)
        rv = posix_spawnattr_setsigmask(attributes, &set);
    if (rv == 0)
        rv = posix_spawnattr_setpgroup(attributes, 0);
    if (rv == 0)
        rv = posix_spawnattr_setflags(attributes, flags);
    return rv;
}

void brood__os_process_adopt(brood__os_process_t *process, int64_t pid,
                             brood__os_handle_t watch)
{
    process->pid = (pid_t)pid;
    process->watch = watch >= 0 ? watch : brood__descriptor_adopt(process->pid);
    process->adopted = 1;
}

int64_t brood__os_process_id(const brood__os_process_t *process)
{
    return process->pid;
}

brood__os_handle_t brood__os_process_watch(const brood__os_process_t *process)
{
    return process->watch;
}

void brood__os_process_terminate(brood__os_process_t *process)
{
    signal_it(process, SIGTERM);
}

void brood__os_process_kill(brood__os_process_t *process)
{
    signal_it(process, SIGKILL);
}

/*
 * The process by its descriptor, so that it cannot be another one; then the
 * rest of its group, whose number cannot be reused while its leader is there or
 * is a zombie. It is: the caller has not seen its end. (If the host program has
 * reaped it in between, the group is left alone: asking for it by the
 * descriptor fails.)
 */
static void signal_it(const brood__os_process_t *process, int number)
{
    if (brood__descriptor_signal(process->watch, process->pid, number))
        (void)kill(-process->pid, number);
}

/*
 * 1: it has ended and is reaped, and what was left of its group is killed, or
 * somebody else was faster in between; 0: it runs; -1: it is no child of ours.
 */
static int reap(pid_t pid, brood__os_exit_t *how)
{
    siginfo_t info;
    int rv;

    memset(how, 0, sizeof(*how));
    memset(&info, 0, sizeof(info));
    do
        rv = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
    while (rv != 0 && errno == EINTR);
    if (rv != 0)
        return -1;
    if (info.si_pid != pid)
        return 0;
    (void)kill(-pid, SIGKILL); /* a zombie: the number is still its */
    do
        rv = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
    while (rv != 0 && errno == EINTR);
    if (rv != 0 || info.si_pid != pid)
        return 1;
    how->known = 1;
    how->code = info.si_code == CLD_EXITED ? info.si_status : -1;
    how->signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
    return 1;
}

int brood__os_process_ended(brood__os_process_t *process, brood__os_exit_t *how)
{
    int ended;

    memset(how, 0, sizeof(*how));
    if (process->adopted)
        return process->watch >= 0 && brood__os_readable(process->watch);
    ended = reap(process->pid, how);
    if (ended < 0) /* somebody else has reaped it */
        return process->watch < 0 || brood__os_readable(process->watch);
    return ended;
}

int brood__os_reap(int64_t pid, brood__os_exit_t *how)
{
    return reap((pid_t)pid, how) > 0 && how->known;
}

uint64_t brood__os_process_rss(const brood__os_process_t *process)
{
    unsigned long long pages = 0;
#ifdef __linux__
    char path[40];
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%ld/statm", (long)process->pid);
    file = fopen(path, "re");
    if (file) {
        if (fscanf(file, "%*u %llu", &pages) != 1)
            pages = 0;
        (void)fclose(file);
    }
#else
    (void)process;
#endif
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void brood__os_process_free(brood__os_process_t *process)
{
    brood__os_handle_close(process->watch);
    process->watch = BROOD__OS_NO_HANDLE;
}
