/* SPDX-License-Identifier: Apache-2.0 */

/* tasks_platform.c: what the tests of worker processes want of POSIX systems. */

#include "process/tasks_platform.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/process.h"
#include "process/tasks.h"
#include "process/wire.h"

const char process_helper[] = "brood-worker";
const char process_module[] = "tests/process/.libs/module.so";

apr_status_t task_raise(const void *in, size_t len, brood_buffer_t **out)
{
    const int which = atoi(task_words(in, len));

    (void)out;
    if (which != SIGINT)
        (void)signal(which, SIG_DFL); /* sanitizers catch some */
    (void)raise(which);
    return APR_SUCCESS;
}

apr_status_t task_ignore_term(const void *in, size_t len, brood_buffer_t **out)
{
    (void)signal(SIGTERM, SIG_IGN);
    return task_hold(in, len, out);
}

/* Descriptors that are open, as "0 1 2 3 ". */
apr_status_t task_descriptors(const void *in, size_t len, brood_buffer_t **out)
{
    char line[400] = "";
    int fd;

    (void)in;
    (void)len;
    for (fd = 0; fd < 4096; fd++)
        if (fcntl(fd, F_GETFD) >= 0 && strlen(line) < 380)
            (void)snprintf(line + strlen(line), 20, "%d ", fd);
    return brood_buffer_copy(out, line, strlen(line));
}

/* 0: what it must not be able to do, it was not. */
apr_status_t task_truncate(const void *in, size_t len, brood_buffer_t **out)
{
    const int down = brood__os_worker_handle(BROOD__HANDLE_DOWN);

    (void)in;
    (void)len;
    (void)out;
    if (ftruncate(down, 0) == 0
        || ftruncate(brood__os_worker_handle(BROOD__HANDLE_UP), 0) == 0)
        return APR_EGENERAL;
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, down, 0)
                   == MAP_FAILED
               ? APR_SUCCESS
               : APR_EGENERAL;
}

apr_status_t task_close_all(const void *in, size_t len, brood_buffer_t **out)
{
    int fd;

    for (fd = 3; fd < 64; fd++)
        (void)close(fd);
    return task_hold(in, len, out);
}

/* A family that outlives it, if it is let. Opens the door when they are there. */
apr_status_t task_fork_many(const void *in, size_t len, brood_buffer_t **out)
{
    int i;

    for (i = 0; i < 8; i++)
        if (fork() == 0)
            for (;;)
                (void)pause();
    return task_hold(in, len, out);
}

apr_status_t task_fork_some(const void *in, size_t len, brood_buffer_t **out)
{
    long child = fork();

    (void)in;
    (void)len;
    if (child == 0)
        for (;;)
            (void)pause();
    return task_number(out, child);
}

apr_status_t task_spoil(const void *in, size_t len, brood_buffer_t **out)
{
    const struct rlimit none = { 0, 0 };

    (void)umask(0777);
    process_close_standard();
    if (chdir("/") != 0 || setenv("PATH", "", 1) != 0
        || setrlimit(RLIMIT_NOFILE, &none) != 0
        || setrlimit(RLIMIT_FSIZE, &none) != 0
        || setrlimit(RLIMIT_CORE, &none) != 0)
        return APR_EGENERAL;
    return brood_buffer_copy(out, in, len);
}

apr_status_t task_end_thread(const void *in, size_t len, brood_buffer_t **out)
{
    (void)in;
    (void)len;
    (void)out;
    pthread_exit(NULL);
    return APR_SUCCESS; /* never */
}

apr_status_t task_stop(const void *in, size_t len, brood_buffer_t **out)
{
    (void)in;
    (void)len;
    (void)out;
    (void)raise(SIGSTOP);
    return APR_SUCCESS;
}

apr_status_t task_deafen(const void *in, size_t len, brood_buffer_t **out)
{
    (void)in;
    (void)len;
    (void)out;
    (void)process_block_signals();
    (void)signal(SIGTERM, SIG_IGN);
    while (pause() < 0)
        ;
    return APR_SUCCESS;
}

void process_spoil_handle(size_t index)
{
    (void)close(brood__os_worker_handle(index));
}

void process_scrawl(size_t index, const void *bytes, size_t size)
{
    (void)send(brood__os_worker_handle(index), bytes, size, MSG_NOSIGNAL);
}

/* ---- in the host -------------------------------------------------------------- */

#define DEATH(number)                                                          \
    {                                                                          \
        TEXT_OF(number), -1, number                                            \
    }
#define TEXT_OF(number) TEXT(number)
#define TEXT(number)    #number

const death_t process_deaths[] = {
    DEATH(SIGABRT), DEATH(SIGSEGV), DEATH(SIGBUS),  DEATH(SIGFPE),
    DEATH(SIGILL),  DEATH(SIGTERM), DEATH(SIGKILL), DEATH(SIGHUP),
    DEATH(SIGPIPE), { NULL, 0, 0 },
};
const death_t process_killed = { NULL, -1, SIGKILL };
const death_t process_asked = { NULL, -1, SIGTERM };

void process_kill(long pid)
{
    (void)kill((pid_t)pid, SIGKILL);
}

void process_suspend(long pid)
{
    (void)kill((pid_t)pid, SIGSTOP);
}

static int is_ours(long parent, const long *pids, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (pids[i] == parent)
            return 1;
    return parent == (long)getpid();
}

/* By /proc: workers, or a fork server and its workers, which stand behind it
 * there, since they were made later. */
size_t process_children(long *pids, size_t max)
{
    DIR *folder = opendir("/proc");
    struct dirent *entry;
    size_t n = 0;

    while (folder && n < max && (entry = readdir(folder))) {
        char path[300];
        long pid = strtol(entry->d_name, NULL, 10), parent = 0;
        FILE *file;

        if (pid <= 0)
            continue;
        (void)snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
        file = fopen(path, "re");
        if (!file)
            continue;
        if (fscanf(file, "%*d %*s %*c %ld", &parent) == 1
            && is_ours(parent, pids, n))
            pids[n++] = pid;
        (void)fclose(file);
    }
    if (folder)
        (void)closedir(folder);
    return n;
}

void process_close_standard(void)
{
    (void)close(0);
    (void)close(1);
    (void)close(2);
}

int process_most_descriptors(unsigned n)
{
    const struct rlimit few = { n, n };

    return setrlimit(RLIMIT_NOFILE, &few) == 0;
}

int process_least_descriptors(unsigned n)
{
    struct rlimit many;

    if (getrlimit(RLIMIT_NOFILE, &many) != 0)
        return 0;
    many.rlim_cur = many.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &many) == 0
           && (many.rlim_cur == RLIM_INFINITY || many.rlim_cur >= n);
}

int process_longest_file(unsigned bytes)
{
    struct rlimit most;

    if (getrlimit(RLIMIT_FSIZE, &most) != 0)
        return 0;
    most.rlim_cur = bytes;
    return setrlimit(RLIMIT_FSIZE, &most) == 0;
}

int process_block_signals(void)
{
    sigset_t all;

    (void)sigfillset(&all);
    return pthread_sigmask(SIG_BLOCK, &all, NULL) == 0;
}

int process_is_gone(long pid)
{
    char path[64], state = '?';
    FILE *file;

    if (kill((pid_t)pid, 0) != 0)
        return 1;
    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    file = fopen(path, "re");
    if (file) {
        if (fscanf(file, "%*d %*s %c", &state) != 1)
            state = '?';
        (void)fclose(file);
    }
    return state == 'Z';
}
