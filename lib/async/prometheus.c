/* SPDX-License-Identifier: Apache-2.0 */

/*
 * prometheus.c: every manager's counters as Prometheus text, version 0.0.4.
 *
 * All of a family stands together, so the counters of all managers are read
 * first. A manager is told apart by the label `manager`, a number that is never
 * reused: kind, id and owner may be the same for one that was replaced. The
 * default id has no label, the id "" an empty one, which Prometheus takes for
 * the same; the number tells them apart, too.
 */

#include <brood/observe.h>

#include <brood/loop_manager.h>
#include <brood/process_manager.h>
#include <brood/thread_manager.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "lineage/life.h"
#include "lineage/manager.h"

#define PIECE 4096 /* bytes given to the caller at a time */

/* Microseconds as seconds, without the decimal comma of some locales. */
#define SECONDS "%llu.%06llu"
#define IN_SECONDS(us)                                                         \
    (unsigned long long)((us) / 1000000), (unsigned long long)((us) % 1000000)

/* What is written of one manager. */
typedef struct shown_t {
    struct shown_t *next;
    brood_stats_t stats;
    char labels[]; /* without braces */
} shown_t;

typedef struct snapshot_t {
    shown_t *first;
    shown_t **last;
    int failed; /* memory ran out */
} snapshot_t;

typedef struct text_t {
    brood_text_fn *write;
    void *baton;
    apr_status_t
        rv; /* the first that was no success; then nothing is written */
    size_t n;
    char piece[PIECE];
} text_t;

/* One number of each manager. */
typedef struct family_t {
    const char *name;
    const char *type;
    const char *help;
    size_t offset; /* in brood_stats_t */
} family_t;

#define FAMILY(name, type, field, help)                                        \
    {                                                                          \
        "brood_manager_" name, type, help, offsetof(brood_stats_t, field)      \
    }

static const family_t families[] = {
    FAMILY("tasks_submitted_total", "counter", submitted, "Accepted tasks."),
    FAMILY("tasks_completed_total", "counter", completed,
           "Tasks that ran and succeeded."),
    FAMILY("tasks_failed_total", "counter", failed,
           "Tasks that ran and failed."),
    FAMILY("tasks_canceled_total", "counter", canceled,
           "Tasks that never ran: canceled or expired."),
    FAMILY("tasks_rejected_total", "counter", rejected, "Refused submits."),
    FAMILY("tasks_queued", "gauge", queued, "Tasks accepted and not begun."),
    FAMILY("tasks_running", "gauge", running, "Tasks begun and not ended."),
    FAMILY("threads", "gauge", workers, "Threads, or worker processes."),
    FAMILY("threads_idle", "gauge", idle, "Threads that sleep."),
    FAMILY("threads_blocked", "gauge", blocked,
           "Threads, or coroutines of a loop, whose task waits."),
    FAMILY("threads_started_total", "counter", started, "Threads started."),
    FAMILY("wakes_total", "counter", wakes, "Wake-ups of sleeping threads."),
    FAMILY("steals_total", "counter", steals,
           "Tasks taken from another worker."),
};

static const family_t ages[] = {
    FAMILY("oldest_queued_seconds", "gauge", oldest_age,
           "Age of the oldest queued task that is known."),
};

/* A histogram has its sum beside it. */
static const struct {
    family_t family;
    size_t sum;
} histograms[] = {
    { FAMILY("task_wait_seconds", "histogram", wait_time,
             "From submit to begin, of a sample of the tasks."),
      offsetof(brood_stats_t, wait_time_sum) },
    { FAMILY("task_run_seconds", "histogram", run_time,
             "From begin to end, of a sample of the tasks."),
      offsetof(brood_stats_t, run_time_sum) },
};

static int add_thread_manager(brood_thread_manager_t *manager, void *baton);
static int add_loop_manager(brood_loop_manager_t *manager, void *baton);
static int add_process_manager(brood_process_manager_t *manager, void *baton);
static shown_t *add(snapshot_t *snapshot, const brood__manager_t *manager,
                    const char *kind);
static char *append_escaped(char *to, const char *value);
static void write_all(text_t *text, const shown_t *managers);
static void write_head(text_t *text, const family_t *family);
static void write_histogram(text_t *text, const family_t *family, size_t sum,
                            const shown_t *manager);
static uint64_t number(const shown_t *manager, size_t offset);
static void put(text_t *text, const char *format, ...) BROOD__PRINTF(2, 3);
static void put_long(text_t *text, const char *string);
static void flush(text_t *text);

apr_status_t brood_observe_prometheus(brood_text_fn *write, void *baton)
{
    snapshot_t snapshot = { NULL, &snapshot.first, 0 };
    apr_status_t rv = brood__life_check();
    shown_t *shown;
    text_t *text;

    if (rv == APR_SUCCESS && !write)
        rv = APR_EINVAL;
    if (rv != APR_SUCCESS)
        return rv;
    text = brood__alloc(sizeof(*text));
    rv = text ? brood_thread_manager_each(add_thread_manager, &snapshot)
              : APR_ENOMEM;
    if (rv == APR_SUCCESS)
        rv = brood_loop_manager_each(add_loop_manager, &snapshot);
    if (rv == APR_SUCCESS)
        rv = brood_process_manager_each(add_process_manager, &snapshot);
    if (rv == APR_SUCCESS && snapshot.failed)
        rv = APR_ENOMEM;
    if (rv == APR_SUCCESS) {
        text->write = write;
        text->baton = baton;
        write_all(text, snapshot.first);
        rv = text->rv;
    }
    while ((shown = snapshot.first) != NULL) {
        snapshot.first = shown->next;
        brood__free(shown);
    }
    brood__free(text);
    return rv;
}

static int add_thread_manager(brood_thread_manager_t *manager, void *baton)
{
    /* A manager's first member; see lineage/manager.h. */
    shown_t *shown = add(baton, (const brood__manager_t *)(void *)manager,
                         "thread");

    if (shown)
        (void)brood_thread_manager_stats(manager, &shown->stats);
    return !shown;
}

static int add_loop_manager(brood_loop_manager_t *manager, void *baton)
{
    shown_t *shown = add(baton, (const brood__manager_t *)(void *)manager,
                         "loop");

    if (shown)
        (void)brood_loop_manager_stats(manager, &shown->stats);
    return !shown;
}

static int add_process_manager(brood_process_manager_t *manager, void *baton)
{
    shown_t *shown = add(baton, (const brood__manager_t *)(void *)manager,
                         "process");

    if (shown)
        (void)brood_process_manager_stats(manager, &shown->stats);
    return !shown;
}

static shown_t *add(snapshot_t *snapshot, const brood__manager_t *manager,
                    const char *kind)
{
    const size_t room = 100 + 2 * (manager->id ? strlen(manager->id) : 0);
    shown_t *shown = brood__alloc(sizeof(*shown) + room);
    char *to;

    if (!shown) {
        snapshot->failed = 1;
        return NULL;
    }
    shown->stats.size = sizeof(shown->stats);
    to = shown->labels;
    to += sprintf(to, "manager=\"%llu\",kind=\"%s\",owner=\"%llu\"",
                  (unsigned long long)manager->serial, kind,
                  (unsigned long long)manager->owner_serial);
    if (manager->id) {
        to += sprintf(to, ",id=\"");
        to = append_escaped(to, manager->id);
        (void)sprintf(to, "\"");
    }
    *snapshot->last = shown;
    snapshot->last = &shown->next;
    return shown;
}

/* At most twice as long. */
static char *append_escaped(char *to, const char *value)
{
    for (; *value; value++) {
        if (*value == '\\' || *value == '"' || *value == '\n')
            *to++ = '\\';
        *to++ = *value == '\n' ? 'n' : *value;
    }
    *to = '\0';
    return to;
}

static void write_all(text_t *text, const shown_t *managers)
{
    const shown_t *m;
    uint64_t value;
    size_t i;

    for (i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        write_head(text, &families[i]);
        for (m = managers; m; m = m->next) {
            put(text, "%s{", families[i].name);
            put_long(text, m->labels);
            value = number(m, families[i].offset);
            put(text, "} %llu\n", (unsigned long long)value);
        }
    }
    write_head(text, ages);
    for (m = managers; m; m = m->next) {
        put(text, "%s{", ages->name);
        put_long(text, m->labels);
        value = number(m, ages->offset);
        put(text, "} " SECONDS "\n", IN_SECONDS(value));
    }
    for (i = 0; i < sizeof(histograms) / sizeof(histograms[0]); i++) {
        write_head(text, &histograms[i].family);
        for (m = managers; m; m = m->next)
            write_histogram(text, &histograms[i].family, histograms[i].sum, m);
    }
    flush(text);
}

static void write_head(text_t *text, const family_t *family)
{
    put(text, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help,
        family->name, family->type);
}

/* Buckets are cumulative here. The last one has no upper end. */
static void write_histogram(text_t *text, const family_t *family, size_t sum,
                            const shown_t *manager)
{
    uint64_t count = 0;
    uint64_t total = number(manager, sum);
    unsigned i;

    for (i = 0; i < BROOD_HISTOGRAM_BUCKETS; i++) {
        count += number(manager, family->offset + i * sizeof(uint64_t));
        put(text, "%s_bucket{", family->name);
        put_long(text, manager->labels);
        if (i < BROOD_HISTOGRAM_BUCKETS - 1)
            put(text, ",le=\"" SECONDS "\"} ", IN_SECONDS(UINT64_C(1) << i));
        else
            put(text, ",le=\"+Inf\"} ");
        put(text, "%llu\n", (unsigned long long)count);
    }
    put(text, "%s_sum{", family->name);
    put_long(text, manager->labels);
    put(text, "} " SECONDS "\n%s_count{", IN_SECONDS(total), family->name);
    put_long(text, manager->labels);
    put(text, "} %llu\n", (unsigned long long)count);
}

static uint64_t number(const shown_t *manager, size_t offset)
{
    uint64_t value;

    memcpy(&value, (const char *)&manager->stats + offset, sizeof(value));
    return value;
}

/* A short piece. */
static void put(text_t *text, const char *format, ...)
{
    char line[300];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    put_long(text, line);
}

static void put_long(text_t *text, const char *string)
{
    size_t left = strlen(string);
    size_t n;

    while (left) {
        n = sizeof(text->piece) - text->n;
        if (n > left)
            n = left;
        memcpy(text->piece + text->n, string, n);
        text->n += n;
        string += n;
        left -= n;
        if (text->n == sizeof(text->piece))
            flush(text);
    }
}

static void flush(text_t *text)
{
    if (text->n && text->rv == APR_SUCCESS)
        text->rv = text->write(text->piece, text->n, text->baton);
    text->n = 0;
}
