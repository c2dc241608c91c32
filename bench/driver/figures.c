/* SPDX-License-Identifier: Apache-2.0 */

/* figures.c: an array of cells, in the order of their coming. */

#include "figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CELLS = 4000 };

static figure *g_cells[MOST_CELLS + 1];
static int g_n_cells;

static figure *find(const char *row, const char *name, int threads)
{
    int i;

    for (i = 0; i < g_n_cells; i++)
        if (g_cells[i]->threads == threads && strcmp(g_cells[i]->row, row) == 0
            && strcmp(g_cells[i]->name, name) == 0)
            return g_cells[i];
    return NULL;
}

static figure *find_or_make(const char *row, const char *name, int threads,
                            const char *unit)
{
    figure *cell = find(row, name, threads);

    if (cell || g_n_cells == MOST_CELLS)
        return cell;
    cell = calloc(1, sizeof(*cell));
    snprintf(cell->row, sizeof(cell->row), "%s", row);
    snprintf(cell->name, sizeof(cell->name), "%s", name);
    snprintf(cell->unit, sizeof(cell->unit), "%s", unit);
    cell->threads = threads;
    g_cells[g_n_cells++] = cell;
    return cell;
}

/* ROW <tab> NAME <tab> THREADS <tab> FIGURE <tab> UNIT. The name that the
 * program gives itself is not looked at. */
static int add_line(const char *name, const char *workload, const char *line,
                    int disturbed)
{
    char row[FIGURE_NAME], unit[FIGURE_NAME];
    double value;
    figure *cell;
    int threads;

    if (sscanf(line, "%31[^\t]\t%*[^\t]\t%d\t%lf\t%31[^\r\n]", row, &threads,
               &value, unit)
        != 4)
        return 0;
    cell = find_or_make(row, name, threads, unit);
    if (!cell)
        return 0;
    cell->values = realloc(cell->values,
                           (size_t)(cell->n + 1) * sizeof(*cell->values));
    cell->values[cell->n++] = value;
    cell->disturbed += disturbed;
    return strcmp(row, workload) == 0;
}

int figures_add(const char *name, const char *workload, const char *text,
                int disturbed)
{
    int found = 0;

    while (*text) {
        found += add_line(name, workload, text, disturbed);
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    return found;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

void figures_sort(void)
{
    int i;

    for (i = 0; i < g_n_cells; i++)
        qsort(g_cells[i]->values, (size_t)g_cells[i]->n,
              sizeof(*g_cells[i]->values), compare);
}

const figure *figures_at(int i)
{
    return i < g_n_cells ? g_cells[i] : NULL;
}

const figure *figures_find(const char *row, const char *name, int threads)
{
    return find(row, name, threads);
}

double figure_median(const figure *cell)
{
    const int half = cell->n / 2;

    if (cell->n % 2)
        return cell->values[half];
    return (cell->values[half - 1] + cell->values[half]) / 2;
}

double figure_min(const figure *cell)
{
    return cell->values[0];
}

double figure_max(const figure *cell)
{
    return cell->values[cell->n - 1];
}

int figure_more_is_better(const figure *cell)
{
    return strcmp(cell->unit, "%") == 0 || strcmp(cell->unit, "GB/s") == 0
           || strcmp(cell->unit, "coroutines") == 0;
}
