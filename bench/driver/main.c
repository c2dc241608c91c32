/* SPDX-License-Identifier: Apache-2.0 */

/*
 * main.c: runs the benchmarks and says what came out.
 *
 * Every job is one process. A repetition runs all of them in a shuffled order,
 * so that all see the same weather. Before each it waits until the machine is
 * quiet; after each it looks how much CPU others took meanwhile, and before and
 * after how far apart the CPUs are. A job that was disturbed is run again at the
 * end of the repetition: at most 4 times, and the least disturbed counts. Once
 * the repetition's share of the time is used up, nothing waits and nothing is run
 * again.
 *
 * In C, so that it needs nothing but the compiler that built the rest; a shell
 * can neither read a child's CPU time precisely nor sleep for 50 ms portably.
 *
 * Environment: doc/performance.md. Standard output is the result and nothing
 * else. Exit: 0, or 1 when a program that was built did not give its figures.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "line.h"
#include "machine.h"
#include "plan.h"
#include "process.h"
#include "report.h"

enum { MOST_ATTEMPTS = 4 };

typedef struct settings {
    int quick;      /* produce every row, never mind the figures */
    int reps;       /* repetitions */
    double budget;  /* seconds for waiting and running again */
    double timeout; /* seconds of one process */
    FILE *raw;      /* every single figure; or NULL */
} settings;

/* A job in one repetition. */
typedef struct turn {
    const job *what;
    outcome best; /* text is NULL before the first attempt */
    double line;  /* how far apart the CPUs were then, ns; 0: not measured */
    int attempts;
} turn;

static int g_failed;

static int number(const char *name, int otherwise)
{
    const char *text = getenv(name);

    return text && atoi(text) > 0 ? atoi(text) : otherwise;
}

/* Fisher and Yates; the same order for the same repetition. */
static void shuffle(turn *turns, int n, unsigned seed)
{
    unsigned x = seed * 2654435761u + 1;
    int i, j;

    for (i = n - 1; i > 0; i--) {
        turn kept = turns[i];

        x = x * 1664525u + 1013904223u;
        j = (int)((x >> 8) % (unsigned)(i + 1));
        turns[i] = turns[j];
        turns[j] = kept;
    }
}

/* More than 6 % of a CPU, but not for less than three ticks of 10 ms. */
static int had_others(const outcome *result)
{
    return result->disturbed > 0.03
           && result->disturbed > 0.06 * result->seconds;
}

static int was_disturbed(const turn *self)
{
    return had_others(&self->best) || line_is_far(self->line);
}

static int is_better(const turn *a, const turn *b)
{
    if (a->best.ok != b->best.ok)
        return a->best.ok;
    if (line_is_far(a->line) != line_is_far(b->line))
        return line_is_far(b->line);
    return a->best.disturbed / (a->best.seconds + 0.05)
           < b->best.disturbed / (b->best.seconds + 0.05);
}

static int scale_of(const settings *set, const job *what)
{
    const int own = what->who->scale ? atoi(what->who->scale) : 1;

    return set->quick && own < 100 ? 100 : own;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* True: once more, later. */
static int take_turn(const settings *set, turn *self, int hurry)
{
    turn now = *self;

    if (hurry && self->attempts) /* what it has must do */
        return 0;
    if (!hurry)
        machine_wait_quiet(1.0);
    now.line = hurry ? 0 : line_measure();
    now.best = process_run(self->what, scale_of(set, self->what), set->timeout);
    if (!hurry)
        now.line = larger(now.line, line_measure());
    now.attempts++;
    if (!self->best.text || is_better(&now, self)) {
        free(self->best.text);
        *self = now;
    } else {
        free(now.best.text);
        self->attempts = now.attempts;
    }
    return !hurry && self->attempts < MOST_ATTEMPTS
           && (!self->best.ok || was_disturbed(self));
}

static void keep(const settings *set, turn *self)
{
    const job *what = self->what;
    const int disturbed = was_disturbed(self);
    int found = 0;

    if (self->best.ok)
        found = figures_add(what->who->name, what->workload, self->best.text,
                            disturbed);
    if (!found) {
        g_failed++;
        fprintf(stderr, "bench: %s %s with %d threads: %s\n", what->who->name,
                what->workload, what->threads,
                self->best.ok ? "no figures" : "failed or hung");
    }
    if (set->raw)
        fprintf(set->raw,
                "# %s %s %d: %.2f s, disturbed %.2f s, line %.0f ns, %s\n%s",
                what->who->name, what->workload, what->threads,
                self->best.seconds, self->best.disturbed, self->line,
                self->best.ok ? "ok" : "failed", self->best.text);
    free(self->best.text);
    self->best.text = NULL;
}

static void repeat(const settings *set, const job *jobs, int n, int rep,
                   double deadline)
{
    turn *turns = calloc((size_t)n, sizeof(*turns));
    int again = n, i, last;

    for (i = 0; i < n; i++)
        turns[i].what = &jobs[i];
    shuffle(turns, n, (unsigned)rep);
    while (again > 0) { /* the first `again` turns are not done */
        last = again;
        again = 0;
        for (i = 0; i < last; i++) {
            const int hurry = set->quick || machine_now() > deadline;

            if (take_turn(set, &turns[i], hurry)) {
                turn kept = turns[i];

                turns[i] = turns[again];
                turns[again++] = kept;
            } else {
                keep(set, &turns[i]);
            }
        }
    }
    free(turns);
}

static void measure(const settings *set, const job *jobs, int n)
{
    const double begin = machine_now();
    int rep;

    for (rep = 0; rep < set->reps; rep++) {
        repeat(set, jobs, n, rep, begin + set->budget * (rep + 1) / set->reps);
        fprintf(stderr, "bench: repetition %d of %d, %.0f s\n", rep + 1,
                set->reps, machine_now() - begin);
    }
    figures_sort();
}

static settings read_settings(void)
{
    const char *raw = getenv("BENCH_RAW");
    settings set;

    set.quick = number("BENCH_QUICK", 0);
    set.reps = number("BENCH_REPS", set.quick ? 1 : 5);
    set.budget = number("BENCH_BUDGET", 1000);
    set.timeout = number("BENCH_TIMEOUT", set.quick ? 10 : 25);
    set.raw = raw ? fopen(raw, "w") : NULL;
    if (raw && !set.raw) {
        perror(raw);
        exit(2);
    }
    if (set.quick)
        setenv("PB_CAP_MS", "20", 0);
    return set;
}

int main(void)
{
    const settings set = read_settings();
    const char *only = getenv("BENCH_ONLY"), *format = getenv("BENCH_FORMAT");
    job *jobs;
    const int n = plan_make(&jobs, only ? only : "", getenv("BENCH_EXTRA"));

    fprintf(stderr, "bench: %d jobs, %d repetition%s\n", n, set.reps,
            set.reps == 1 ? "" : "s");
    measure(&set, jobs, n);
    if (format && strcmp(format, "tsv") == 0) {
        report_tsv(stdout);
    } else {
        machine_describe(stdout);
        report_table(stdout);
    }
    if (set.raw)
        fclose(set.raw);
    free(jobs);
    if (g_failed)
        fprintf(stderr, "bench: %d runs without figures\n", g_failed);
    return g_failed || n == 0;
}
