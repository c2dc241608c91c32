/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_FIGURES_H
#define BENCH_FIGURES_H

/* figures.h: everything that was measured. */

enum { FIGURE_NAME = 32 };

/* One cell: a row, an implementation, a number of threads. */
typedef struct figure {
    char row[FIGURE_NAME];
    char name[FIGURE_NAME];
    char unit[FIGURE_NAME];
    int threads;
    int n;          /* how many values */
    int disturbed;  /* how many of them were measured beside others */
    double *values; /* sorted by figures_sort() */
} figure;

/* Take the lines that a program printed for `name`. Returns how many there
 * were of the row `workload`. */
int figures_add(const char *name, const char *workload, const char *text,
                int disturbed);

/* Sort all values; call it once, after the last figures_add(). */
void figures_sort(void);

/* The i-th cell, in the order of their coming; NULL: no more. */
const figure *figures_at(int i);

/* The cell; NULL: there is none. */
const figure *figures_find(const char *row, const char *name, int threads);

double figure_median(const figure *cell);
double figure_min(const figure *cell);
double figure_max(const figure *cell);

/* Whether a larger figure is the better one. */
int figure_more_is_better(const figure *cell);

#endif /* BENCH_FIGURES_H */
