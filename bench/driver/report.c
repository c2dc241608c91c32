/* SPDX-License-Identifier: Apache-2.0 */

/* report.c: the table. The best peer of a row is the implementation with the
 * best median that is neither brood nor a floor; the floor of a row is the best
 * of the floors. */

#include "report.h"

#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "plan.h"

enum { TEXT = 40, MOST_THREADS = 64 };

static const char g_ours[] = "brood";
static const char g_floor[] = "floor-";

/* Where the row stands in plan_rows; ROW.cpu and the like behind their ROW. */
static int row_rank(const char *name)
{
    int i, best = -1;

    for (i = 0; plan_rows[i].row; i++) {
        const size_t length = strlen(plan_rows[i].row);

        if (strncmp(name, plan_rows[i].row, length) == 0
            && (!name[length] || name[length] == '.')
            && (best < 0 || length > strlen(plan_rows[best].row)))
            best = i;
    }
    return best < 0 ? i : best;
}

static int compare_cells(const void *a, const void *b)
{
    const figure *x = *(const figure *const *)a;
    const figure *y = *(const figure *const *)b;

    if (row_rank(x->row) != row_rank(y->row))
        return row_rank(x->row) - row_rank(y->row);
    if (strcmp(x->row, y->row) != 0)
        return strcmp(x->row, y->row);
    if (x->threads != y->threads)
        return x->threads - y->threads;
    return strcmp(x->name, y->name);
}

void report_tsv(FILE *out)
{
    const figure **cells;
    size_t n = 0, i;

    while (figures_at((int)n))
        n++;
    cells = malloc((n + 1) * sizeof(*cells));
    for (i = 0; i < n; i++)
        cells[i] = figures_at((int)i);
    qsort(cells, n, sizeof(*cells), compare_cells);
    for (i = 0; i < n; i++)
        fprintf(out, "%s\t%s\t%d\t%.6g\t%.6g\t%.6g\t%s\n", cells[i]->row,
                cells[i]->name, cells[i]->threads, figure_median(cells[i]),
                figure_min(cells[i]), figure_max(cells[i]), cells[i]->unit);
    free(cells);
}

static int is_floor(const figure *cell)
{
    return strncmp(cell->name, g_floor, sizeof(g_floor) - 1) == 0;
}

static int is_ours(const figure *cell)
{
    return strcmp(cell->name, g_ours) == 0;
}

static int is_peer(const figure *cell)
{
    return !is_floor(cell) && !is_ours(cell);
}

static const figure *best_of(const char *row, int threads,
                             int (*counts)(const figure *))
{
    const figure *cell, *best = NULL;
    int i;

    for (i = 0; (cell = figures_at(i)) != NULL; i++) {
        if (cell->threads != threads || strcmp(cell->row, row) != 0
            || !counts(cell))
            continue;
        if (!best
            || (figure_more_is_better(cell)
                    ? figure_median(cell) > figure_median(best)
                    : figure_median(cell) < figure_median(best)))
            best = cell;
    }
    return best;
}

/* Three digits. */
static const char *number(char *text, double value)
{
    if (value >= 1e6)
        snprintf(text, TEXT, "%.2fM", value / 1e6);
    else if (value >= 1e4)
        snprintf(text, TEXT, "%.1fk", value / 1e3);
    else if (value >= 100)
        snprintf(text, TEXT, "%.0f", value);
    else
        snprintf(text, TEXT, "%.3g", value);
    return text;
}

static const char *median_text(char *text, const figure *cell)
{
    if (!cell)
        return "-";
    return number(text, figure_median(cell));
}

static const char *ratio_text(char *text, const figure *a, const figure *b)
{
    if (!a || !b || figure_median(b) == 0)
        return "-";
    snprintf(text, TEXT, "%.2f", figure_median(a) / figure_median(b));
    return text;
}

/* The largest over the smallest; a tilde: some of it beside other work. */
static const char *spread_text(char *text, const figure *cell)
{
    if (!cell || figure_min(cell) == 0)
        return "-";
    snprintf(text, TEXT, "%.2f%s", figure_max(cell) / figure_min(cell),
             cell->disturbed ? "~" : "");
    return text;
}

static const figure *cpu_of(const figure *cell)
{
    char row[FIGURE_NAME + 8];

    if (!cell)
        return NULL;
    snprintf(row, sizeof(row), "%s.cpu", cell->row);
    return figures_find(row, cell->name, cell->threads);
}

static void print_line(FILE *out, const char *row, int threads)
{
    const figure *ours = figures_find(row, g_ours, threads);
    const figure *peer = best_of(row, threads, is_peer);
    const figure *floor = best_of(row, threads, is_floor);
    const figure *any = ours ? ours : peer ? peer : floor;
    char a[TEXT], b[TEXT], c[TEXT], d[TEXT], e[TEXT], f[TEXT], g[TEXT], h[TEXT];

    if (!any)
        return;
    fprintf(out, "%-16s %3d %-12s %7s %7s %-17s %6s %7s %-6s %6s %7s %7s %7s\n",
            row, threads, any->unit, median_text(a, ours), median_text(b, peer),
            peer ? peer->name : "-", ratio_text(c, ours, peer),
            median_text(d, floor),
            floor ? floor->name + sizeof(g_floor) - 1 : "-",
            ratio_text(e, ours, floor), spread_text(f, ours),
            median_text(g, cpu_of(ours)), median_text(h, cpu_of(peer)));
}

static int was_measured(const char *row)
{
    const figure *cell;
    int i;

    for (i = 0; (cell = figures_at(i)) != NULL; i++)
        if (strcmp(cell->row, row) == 0)
            return 1;
    return 0;
}

void report_table(FILE *out)
{
    const row_text *row;
    int threads;

    fprintf(out, "%-16s %3s %-12s %7s %7s %-17s %6s %7s %-6s %6s %7s %7s %7s\n",
            "workload", "thr", "unit", "brood", "peer", "best peer", "ratio",
            "floor", "", "ratio", "spread", "cpu", "peer's");
    for (row = plan_rows; row->row; row++)
        for (threads = 1; threads <= MOST_THREADS; threads++)
            print_line(out, row->row, threads);
    fprintf(out, "\n");
    for (row = plan_rows; row->row; row++)
        if (was_measured(row->row))
            fprintf(out, "%-16s %s\n", row->row, row->text);
    fprintf(out,
            "\nratio: brood to the best peer, brood to the floor. spread: "
            "brood's largest to\nits smallest figure; ~: others used the CPUs "
            "meanwhile. cpu: CPU time of all\nthreads for the same work, "
            "brood's and that of the best peer, in ns.\n");
}
