/* SPDX-License-Identifier: Apache-2.0 */

/* machine.c: reads /proc/stat. */

#include "machine.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

double machine_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double machine_busy(void)
{
    enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, FIELDS };
    unsigned long long f[FIELDS] = { 0 };
    FILE *stat = fopen("/proc/stat", "r");
    int n = 0;

    if (stat) {
        n = fscanf(stat, "cpu %llu %llu %llu %llu %llu %llu %llu %llu",
                   &f[USER], &f[NICE], &f[SYSTEM], &f[IDLE], &f[IOWAIT],
                   &f[IRQ], &f[SOFTIRQ], &f[STEAL]);
        fclose(stat);
    }
    if (n != FIELDS)
        return 0;
    return (double)(f[USER] + f[NICE] + f[SYSTEM] + f[IRQ] + f[SOFTIRQ]
                    + f[STEAL])
           / (double)sysconf(_SC_CLK_TCK);
}

static double cpu_seconds(int who)
{
    struct rusage usage;

    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
           + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

double machine_own(void)
{
    return cpu_seconds(RUSAGE_SELF) + cpu_seconds(RUSAGE_CHILDREN);
}

void machine_sleep(double seconds)
{
    struct timespec t;

    t.tv_sec = (time_t)seconds;
    t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
    nanosleep(&t, NULL);
}

/* Quiet is at most one tick of 10 ms in 50 ms. */
void machine_wait_quiet(double seconds)
{
    const double end = machine_now() + seconds;
    double before, after = machine_busy();

    do {
        before = after;
        machine_sleep(0.05);
        after = machine_busy();
    } while (after - before > 0.011 && machine_now() < end);
}

void machine_describe(FILE *out)
{
    char line[256], model[256] = "CPU";
    struct utsname system;
    FILE *info = fopen("/proc/cpuinfo", "r");

    while (info && fgets(line, sizeof(line), info))
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':')) {
            snprintf(model, sizeof(model), "%s", strchr(line, ':') + 2);
            model[strcspn(model, "\n")] = '\0';
            break;
        }
    if (info)
        fclose(info);
    uname(&system);
    fprintf(out, "%ld x %s, %s %s, compiler %s\n",
            sysconf(_SC_NPROCESSORS_ONLN), model, system.sysname,
            system.release, __VERSION__);
}
