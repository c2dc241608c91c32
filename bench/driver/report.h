/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

/* report.h: the figures, for programs and for people. */

/* One line a cell: row, name, threads, median, min, max, unit. */
void report_tsv(FILE *out);

/* One line a row: brood beside the best peer and the floor. */
void report_table(FILE *out);

#endif /* BENCH_REPORT_H */
