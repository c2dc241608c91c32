/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_PLAN_H
#define BENCH_PLAN_H

#include <stddef.h>

/*
 * plan.h: what is measured: the implementations, and which of the workloads
 * each of them does with how many threads. One job is one process.
 */

/* A program that does some of the workloads under one name. */
typedef struct implementation {
    const char *name;      /* in the results; says what counts, see report.c */
    const char *program;   /* command, from the build folder */
    const char *package;   /* of Debian; without it there is no program */
    const char *workloads; /* "T1:1,2,4 T2:1": workload and threads */
    const char *scale;     /* PB_SCALE: it does this part of N; or NULL */
} implementation;

typedef struct job {
    const implementation *who;
    char workload[24];
    int threads;
} job;

/*
 * The file of a program of the build folder, as it is to be started, and
 * *runner, what starts it, or NULL. BENCH_RUNNER is set where the programs are
 * for Windows and the driver is not.
 */
void plan_file(char *path, size_t size, const char *program,
               const char **runner);

/* What a row of the results tells. */
typedef struct row_text {
    const char *row;
    const char *text;
} row_text;

/* The rows that the table shows, in its order; ended with NULL. */
extern const row_text plan_rows[];

/*
 * The jobs that `only`, a regular expression, finds in "NAME WORKLOAD THREADS",
 * in no particular order. Implementations that were not built are named on
 * standard error and left out. `more` is more implementations,
 * "NAME=COMMAND=WORKLOADS" parted by semicolons, or NULL. Returns how many;
 * the array is the caller's.
 */
int plan_make(job **jobs, const char *only, const char *more);

#endif /* BENCH_PLAN_H */
