/* SPDX-License-Identifier: Apache-2.0 */

/*
 * report.c: the table. The name of an implementation says what it counts as:
 *
 *   brood         ours
 *   floor-...     a floor, no pool or loop that could be used
 *   go, go-...    Go, whose goroutines mostly cross no thread: a second line
 *   inline-...    nothing: it runs most tasks inside of their submit
 *   others        native peers
 *
 * Of each kind a row shows the one with the best median.
 */

#include "report.h"

#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "plan.h"

enum { TEXT = 40, MOST_THREADS = 64 };

static const char g_ours[] = "brood";
static const char g_floor[] = "floor-";
static const char g_inline[] = "inline-";
static const char g_go[] = "go";

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

static int begins_with(const figure *cell, const char *prefix)
{
    return strncmp(cell->name, prefix, strlen(prefix)) == 0;
}

static int is_floor(const figure *cell)
{
    return begins_with(cell, g_floor);
}

static int is_go(const figure *cell)
{
    const size_t length = sizeof(g_go) - 1;

    return begins_with(cell, g_go)
           && (!cell->name[length] || cell->name[length] == '-');
}

static int is_ours(const figure *cell)
{
    return strcmp(cell->name, g_ours) == 0;
}

static int is_peer(const figure *cell)
{
    return !is_floor(cell) && !is_ours(cell) && !is_go(cell)
           && !begins_with(cell, g_inline);
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

/* What a line says, as texts. */
enum {
    OURS,
    PEER,
    TO_PEER,
    GO,
    TO_GO,
    FLOOR,
    TO_FLOOR,
    SPREAD,
    OUR_CPU,
    PEERS_CPU,
    N_TEXTS
};

static void print_texts(FILE *out, const char *row, const char *threads,
                        const char *unit, const char *peer, const char *floor,
                        const char *const *texts)
{
    fprintf(out,
            "%-16s %3s %-12s %7s %7s %-20s %6s %7s %6s %7s %-7s %6s %7s %7s "
            "%7s\n",
            row, threads, unit, texts[OURS], texts[PEER], peer, texts[TO_PEER],
            texts[GO], texts[TO_GO], texts[FLOOR], floor, texts[TO_FLOOR],
            texts[SPREAD], texts[OUR_CPU], texts[PEERS_CPU]);
}

static void print_head(FILE *out)
{
    static const char *const texts[N_TEXTS] = { "brood", "peer",   "ratio",
                                                "go",    "ratio",  "floor",
                                                "ratio", "spread", "cpu",
                                                "peer's" };

    print_texts(out, "workload", "thr", "unit", "best native peer", "", texts);
}

static void print_line(FILE *out, const char *row, int threads)
{
    const figure *ours = figures_find(row, g_ours, threads);
    const figure *peer = best_of(row, threads, is_peer);
    const figure *go = best_of(row, threads, is_go);
    const figure *floor = best_of(row, threads, is_floor);
    const figure *any = ours ? ours : peer ? peer : go ? go : floor;
    char room[N_TEXTS][TEXT], number_of_threads[TEXT];
    const char *texts[N_TEXTS];

    if (!any)
        return;
    snprintf(number_of_threads, TEXT, "%d", threads);
    texts[OURS] = median_text(room[OURS], ours);
    texts[PEER] = median_text(room[PEER], peer);
    texts[TO_PEER] = ratio_text(room[TO_PEER], ours, peer);
    texts[GO] = median_text(room[GO], go);
    texts[TO_GO] = ratio_text(room[TO_GO], ours, go);
    texts[FLOOR] = median_text(room[FLOOR], floor);
    texts[TO_FLOOR] = ratio_text(room[TO_FLOOR], ours, floor);
    texts[SPREAD] = spread_text(room[SPREAD], ours);
    texts[OUR_CPU] = median_text(room[OUR_CPU], cpu_of(ours));
    texts[PEERS_CPU] = median_text(room[PEERS_CPU], cpu_of(peer));
    print_texts(out, row, number_of_threads, any->unit, peer ? peer->name : "-",
                floor ? floor->name + sizeof(g_floor) - 1 : "-", texts);
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

    print_head(out);
    for (row = plan_rows; row->row; row++)
        for (threads = 1; threads <= MOST_THREADS; threads++)
            print_line(out, row->row, threads);
    fprintf(out, "\n");
    for (row = plan_rows; row->row; row++)
        if (was_measured(row->row))
            fprintf(out, "%-16s %s\n", row->row, row->text);
    fprintf(
        out,
        "\nratio: brood to the figure before it: the best native peer's, the "
        "best of Go's,\nthe floor's. spread: brood's largest to its "
        "smallest figure; ~: others used the\nCPUs meanwhile. cpu: CPU time "
        "of all threads for the same work, brood's and that\nof the best "
        "native peer, in ns.\n");
}
