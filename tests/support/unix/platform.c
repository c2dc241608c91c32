/* SPDX-License-Identifier: Apache-2.0 */

/* platform.c: what the tests want of a POSIX system. */

#include "support/platform.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXIT_HARNESS 99

static char g_hung[200]; /* what the signal handler says */
static int g_want_stacks;

static void on_alarm(int signal_number);
static void print_stacks(void);
static int outcome(int status);
static long entries_of(const char *path);

int platform_forks(void)
{
    return 1;
}

int platform_begin(void)
{
    g_want_stacks = getenv("BROOD_TEST_GDB") != NULL;
    signal(SIGALRM, on_alarm);
    return -1;
}

void platform_test(int index)
{
    (void)index;
}

void platform_limit(unsigned seconds, const char *what)
{
    snprintf(g_hung, sizeof(g_hung), "HUNG for %u s: %s\n", seconds, what);
    alarm(seconds);
}

int platform_child(int (*fn)(void *baton), void *baton, unsigned seconds,
                   char *said, size_t size)
{
    static const struct rlimit no_core = { 0, 0 };
    FILE *file = said ? tmpfile() : NULL;
    int status = -1;
    pid_t pid;

    if (said && !file)
        return CHILD_LOST;
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &no_core);
        if (file)
            dup2(fileno(file), STDERR_FILENO);
        alarm(seconds); /* a child does not inherit it */
        _exit(fn(baton) & 127);
    }
    if (pid > 0 && waitpid(pid, &status, 0) != pid)
        pid = -1;
    if (file) {
        rewind(file);
        memset(said, 0, size);
        (void)!fread(said, 1, size - 1, file);
        fclose(file);
    }
    return pid < 0 ? CHILD_LOST : outcome(status);
}

static int outcome(int status)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    switch (WTERMSIG(status)) {
    case SIGABRT:
        return CHILD_ABORTED;
    case SIGSEGV:
    case SIGBUS:
        return CHILD_CRASHED;
    default:
        return CHILD_LOST;
    }
}

long platform_threads(void)
{
    return entries_of("/proc/self/task");
}

long platform_descriptors(void)
{
    return entries_of("/proc/self/fd");
}

void platform_nap(unsigned microseconds)
{
    const struct timespec nap = { microseconds / 1000000,
                                  microseconds % 1000000 * 1000L };

    nanosleep(&nap, NULL);
}

void platform_yield(void)
{
    sched_yield();
}

void platform_setenv(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

const char *platform_standard_error(void (*fn)(void))
{
    static char text[400];
    const int saved = dup(STDERR_FILENO);
    ssize_t n = 0;
    int ends[2];

    if (pipe(ends))
        return "no pipe";
    dup2(ends[1], STDERR_FILENO);
    fn();
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    n = read(ends[0], text, sizeof(text) - 1);
    close(ends[0]);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

void platform_thread_name(char *name, size_t size)
{
    (void)pthread_getname_np(pthread_self(), name, size);
}

/* Only what is safe in a signal handler. */
static void on_alarm(int signal_number)
{
    ssize_t written = write(STDERR_FILENO, g_hung, strlen(g_hung));

    (void)signal_number;
    (void)written;
    if (g_want_stacks)
        print_stacks();
    abort();
}

/* With BROOD_TEST_GDB set: show where every thread stands. */
static void print_stacks(void)
{
    char pid[20];

    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    if (fork() == 0) {
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execlp("gdb", "gdb", "-q", "-batch", "-p", pid, "-ex",
               "thread apply all bt", (char *)NULL);
        _exit(EXIT_HARNESS);
    }
    wait(NULL);
}

static long entries_of(const char *path)
{
    DIR *folder = opendir(path);
    long n = 0;

    if (!folder)
        return -1;
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}
