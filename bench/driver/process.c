/* SPDX-License-Identifier: Apache-2.0 */

/* process.c: fork, exec, read what comes, kill what hangs. */

#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine.h"

enum { MOST_TEXT = 64 * 1024, MOST_WORDS = 20 };

/* In a group of its own, so that what it starts can be killed too. */
static void become(const job *what, int scale, int out)
{
    char *words[MOST_WORDS + 4], *rest = NULL;
    char command[1024], path[1024], run[1024], workload[24], threads[16],
        text[16];
    const char *runner;
    int n = 0, null = open("/dev/null", O_RDWR);

    setpgid(0, 0);
    dup2(null, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    if (!getenv("BENCH_VERBOSE"))
        dup2(null, STDERR_FILENO);
    snprintf(text, sizeof(text), "%d", scale);
    setenv("PB_SCALE", text, 1);
    snprintf(command, sizeof(command), "%s", what->who->program);
    plan_file(path, sizeof(path), command, &runner);
    if (runner) {
        snprintf(run, sizeof(run), "%s", runner);
        words[n++] = run;
    }
    words[n] = strtok_r(command, " ", &rest);
    if (words[n])
        words[n] = path;
    while (words[n] && n < MOST_WORDS)
        words[++n] = strtok_r(NULL, " ", &rest);
    snprintf(workload, sizeof(workload), "%s", what->workload);
    snprintf(threads, sizeof(threads), "%d", what->threads);
    words[n++] = workload;
    words[n++] = threads;
    words[n] = NULL;
    execv(words[0], words);
    _exit(127);
}

/* True once there is no more to come. */
static int read_some(int fd, char *text, size_t *used, double patience)
{
    struct pollfd ready;
    ssize_t n;

    ready.fd = fd;
    ready.events = POLLIN;
    if (poll(&ready, 1, (int)(patience * 1000) + 1) <= 0)
        return 0;
    n = read(fd, text + *used, MOST_TEXT - 1 - *used);
    if (n > 0)
        *used += (size_t)n;
    return n <= 0;
}

/* Closing its output is no end: the process may hang in its exit. */
static int reap(pid_t pid, double deadline)
{
    int status = 0;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (machine_now() > deadline) {
            kill(-pid, SIGKILL);
            waitpid(pid, &status, 0);
            return 0;
        }
        machine_sleep(0.001);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

outcome process_run(const job *what, int scale, double timeout)
{
    const double begin = machine_now(), busy = machine_busy();
    const double own = machine_own(), deadline = begin + timeout;
    outcome result = { calloc(1, MOST_TEXT), 0, 0, 0 };
    size_t used = 0;
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
        perror("bench");
        exit(1);
    }
    if (pid == 0)
        become(what, scale, ends[1]);
    setpgid(pid, pid);
    close(ends[1]);
    while (machine_now() < deadline
           && !read_some(ends[0], result.text, &used, deadline - machine_now()))
        ;
    result.ok = reap(pid, deadline);
    close(ends[0]);
    result.seconds = machine_now() - begin;
    result.disturbed = (machine_busy() - busy) - (machine_own() - own);
    if (result.disturbed < 0)
        result.disturbed = 0;
    return result;
}
