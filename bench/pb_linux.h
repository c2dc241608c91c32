/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PB_LINUX_H
#define PB_LINUX_H

/* pb_linux.h: what the benchmarks ask of Linux; included by pb.h. */

#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* --- Clocks --------------------------------------------------------------- */

/* Of a loop's clock. */
#define PB_COARSE_MS 2

static inline uint64_t pb_clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t pb_ns(void)
{
    return pb_clock_ns(CLOCK_MONOTONIC);
}

/* Of all threads of the process. */
static inline uint64_t pb_cpu_ns(void)
{
    return pb_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* Of its children that have ended. */
static inline uint64_t pb_children_ns(void)
{
    struct rusage usage;

    getrusage(RUSAGE_CHILDREN, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
               * 1000000000u
           + (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

static inline void pb_sleep_us(long us)
{
    struct timespec t;

    t.tv_sec = us / 1000000;
    t.tv_nsec = us % 1000000 * 1000;
    while (nanosleep(&t, &t) != 0)
        ;
}

/* Until a signal comes. */
static inline void pb_sleep_long(void)
{
    pause();
}

/* --- The process ---------------------------------------------------------- */

/* Resident bytes. */
static inline int64_t pb_resident(void)
{
    long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f) {
        if (fscanf(f, "%ld %ld", &size, &resident) != 2)
            resident = 0;
        fclose(f);
    }
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

/* Context switches of all threads but this one. */
static inline long pb_switches(void)
{
    struct rusage all, mine;

    getrusage(RUSAGE_SELF, &all);
    getrusage(RUSAGE_THREAD, &mine);
    return all.ru_nvcsw + all.ru_nivcsw - mine.ru_nvcsw - mine.ru_nivcsw;
}

static inline long pb_cpus(void)
{
    return sysconf(_SC_NPROCESSORS_ONLN);
}

/* From here on this process, with all it starts, has one CPU. */
static inline void pb_pin_to_one_cpu(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)sched_getcpu(), &set);
    sched_setaffinity(0, sizeof(set), &set);
}

/* A process that does nothing but this, and ends with us; -1: there is none.
 * Before any thread starts, since a fork has none of them. */
static inline long pb_process_start(void (*run)(void))
{
    const pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            run();
    }
    return pid;
}

/* Waits for it, too, so that its CPU time counts as ours in bench/run. */
static inline void pb_process_end(long pid)
{
    kill((pid_t)pid, SIGKILL);
    waitpid((pid_t)pid, NULL, 0);
}

/* --- Waiting -------------------------------------------------------------- */

static inline long pb_futex_wait(int *word, int seen)
{
    return syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static inline long pb_futex_wake(int *word, int n)
{
    return syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

#endif /* PB_LINUX_H */
