/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include "plan.h"

/* process.h: one job, run once. */

typedef struct outcome {
    char *text;       /* what it printed; the caller's; never NULL */
    int ok;           /* it ended by itself, with 0 */
    double seconds;   /* how long it took */
    double disturbed; /* CPU seconds that others took meanwhile */
} outcome;

/* Run a job, at most this long. `scale` is its PB_SCALE. */
outcome process_run(const job *what, int scale, double timeout);

#endif /* BENCH_PROCESS_H */
