/* SPDX-License-Identifier: Apache-2.0 */

/* tasks_platform.c: what the tests of worker processes want of POSIX systems. */

#include "process/tasks_platform.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
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
