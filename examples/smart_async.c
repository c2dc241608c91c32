/* SPDX-License-Identifier: Apache-2.0 */

/*
 * smart_async.c: which thread runs a blocking call?
 *
 * Outside a transaction any free one: eight calls of a second each are done in
 * a second. Inside a transaction always the same one, in order: its eight calls
 * take eight seconds. Eight more transactions at the same time have threads of
 * their own and take no longer. All of this starts at once, and a timeline
 * shows who worked where and when.
 *
 * What is checked is which thread ran which call, and in what order. Time is
 * only shown: a busy machine proves nothing.
 */

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <apr_general.h>
#include <apr_getopt.h>
#include <apr_time.h>

#include <brood.h>

#define N_CALLS   8
#define N_OTHERS  8
#define N_GROUPS  (1 + 1 + N_OTHERS) /* ordinary, the transaction, others */
#define N_THREADS (N_CALLS + 1 + N_OTHERS)
#define TICKS     4 /* columns of the timeline per unit */

typedef struct call_t {
    const void *thread; /* tells the thread that ran it */
    int begun, ended;   /* places in the one order of all such moments */
    apr_time_t from, to;
} call_t;

typedef struct group_t {
    const char *name;
    int number; /* 0: the ordinary calls */
    call_t calls[N_CALLS];
} group_t;

static group_t g_groups[N_GROUPS];

/* Where those meet that shall run at the same time: all ordinary calls, and
 * the first call of every transaction. */
static brood_promise_t *g_meeting;
static brood_future_t *g_met; /* settled by the last to arrive */
static atomic_int g_arrived;

static apr_interval_time_t g_unit = 1000000;
static apr_time_t g_start; /* when the meeting was complete */
static atomic_int g_moment;
static _Thread_local char tl_thread; /* its address tells the thread */

/* --- The calls ----------------------------------------------------------- */

static apr_status_t meet(void)
{
    if (atomic_fetch_add(&g_arrived, 1) + 1 == N_THREADS) {
        g_start = apr_time_now();
        brood_promise_settle(g_meeting, APR_SUCCESS, NULL);
    }
    return brood_future_get(g_met, NULL, apr_time_from_sec(30));
}

/* An old-fashioned function: it keeps its thread for a whole unit. */
static void block(call_t *call)
{
    call->thread = &tl_thread;
    call->begun = atomic_fetch_add(&g_moment, 1);
    call->from = apr_time_now();
    apr_sleep(g_unit);
    call->to = apr_time_now();
    call->ended = atomic_fetch_add(&g_moment, 1);
}

static apr_status_t call_at_once(void *baton, void **result)
{
    apr_status_t rv = meet();

    (void)result;
    if (rv == APR_SUCCESS)
        block(baton);
    return rv;
}

static apr_status_t call_later(void *baton, void **result)
{
    (void)result;
    block(baton);
    return APR_SUCCESS;
}

/* --- The coroutines ------------------------------------------------------ */

/* Make all calls, then wait for all. Nothing here says where they run. */
static apr_status_t make_calls(group_t *group)
{
    brood_future_t *futures[N_CALLS];
    apr_status_t rv = APR_SUCCESS;
    apr_status_t ended;
    int n, i;

    for (n = 0; n < N_CALLS && rv == APR_SUCCESS; n++) {
        int at_once = group->number == 0 || n == 0;

        rv = brood_sync_to_async(&futures[n],
                                 at_once ? call_at_once : call_later,
                                 &group->calls[n], NULL);
    }
    if (rv != APR_SUCCESS)
        n--;
    for (i = 0; i < n; i++) {
        ended = brood_await(futures[i], NULL);
        if (rv == APR_SUCCESS)
            rv = ended;
        brood_future_release(futures[i]);
    }
    return rv;
}

static apr_status_t ordinary(void *baton, void **result)
{
    (void)result;
    return make_calls(baton);
}

static apr_status_t transactional(void *baton, void **result)
{
    brood_transaction_t *transaction;
    apr_status_t rv, ended;

    (void)result;
    rv = brood_transaction_begin(&transaction, NULL);
    if (rv != APR_SUCCESS)
        return rv;
    rv = make_calls(baton);
    ended = brood_transaction_end(transaction, rv);
    return rv != APR_SUCCESS ? rv : ended;
}

static apr_status_t run_all(brood_loop_manager_t *loop)
{
    brood_future_t *futures[N_GROUPS];
    apr_status_t rv = APR_SUCCESS;
    int n, i;

    for (n = 0; n < N_GROUPS && rv == APR_SUCCESS; n++)
        rv = brood_loop_manager_submit(&futures[n], loop,
                                       n == 0 ? ordinary : transactional,
                                       &g_groups[n], NULL);
    if (rv != APR_SUCCESS)
        n--;
    brood_future_wait_all(futures, (apr_size_t)n, -1);
    for (i = 0; i < n; i++) {
        if (rv == APR_SUCCESS)
            rv = brood_future_result(futures[i], NULL);
        brood_future_release(futures[i]);
    }
    return rv;
}

static apr_status_t run(apr_pool_t *pool)
{
    brood_affinity_pool_options_t options = BROOD_AFFINITY_POOL_OPTIONS_INIT;
    brood_affinity_pool_t *threads;
    brood_loop_manager_t *loop;
    apr_status_t rv;

    options.max_threads = N_THREADS;
    options.reserved_general = N_CALLS;
    options.task_warning = -1; /* long calls are the point here */
    rv = brood_affinity_pool_create(&threads, &options, pool);
    if (rv == APR_SUCCESS)
        rv = brood_affinity_pool_use(threads);
    if (rv == APR_SUCCESS)
        rv = brood_loop_manager_get(&loop, NULL, 0);
    if (rv == APR_SUCCESS)
        rv = brood_loop_manager_start(loop, NULL);
    if (rv == APR_SUCCESS)
        rv = run_all(loop);
    return rv;
}

/* --- The timeline -------------------------------------------------------- */

/* What the thread did at a moment: the number of a call, or nothing. */
static char column(const void *thread, apr_time_t when)
{
    int g, i;

    for (g = 0; g < N_GROUPS; g++)
        for (i = 0; i < N_CALLS; i++) {
            const call_t *call = &g_groups[g].calls[i];

            if (call->thread == thread && call->from <= when && when < call->to)
                return (char)('1' + i);
        }
    return '.';
}

static void show_thread(int number, const void *thread, const char *name)
{
    int columns = (N_CALLS + 1) * TICKS;
    int i;

    printf("thread %2d  %-16s |", number, name);
    for (i = 0; i < columns; i++)
        putchar(column(thread, g_start + (2 * i + 1) * g_unit / (2 * TICKS)));
    puts("|");
}

/* One row per thread that ran anything, in the order of the groups. */
static void show_timeline(void)
{
    const void *seen[N_GROUPS * N_CALLS];
    int n = 0;
    int g, i, k;

    printf("\n%-28s", "time in units");
    for (i = 0; i <= N_CALLS; i++)
        printf("%-*d", TICKS, i);
    putchar('\n');
    for (g = 0; g < N_GROUPS; g++)
        for (i = 0; i < N_CALLS; i++) {
            const void *thread = g_groups[g].calls[i].thread;

            for (k = 0; k < n && seen[k] != thread; k++)
                ;
            if (k < n || !thread)
                continue;
            seen[n++] = thread;
            show_thread(n, thread, g_groups[g].name);
        }
    putchar('\n');
}

static double units(const group_t *group)
{
    apr_time_t last = g_start;
    int i;

    for (i = 0; i < N_CALLS; i++)
        if (group->calls[i].to > last)
            last = group->calls[i].to;
    return (double)(last - g_start) / (double)g_unit;
}

/* --- Is it right? -------------------------------------------------------- */

/* All calls on one thread, one after another, in the order of the submits. */
static const char *check_transaction(const group_t *group)
{
    int i;

    for (i = 1; i < N_CALLS; i++) {
        if (group->calls[i].thread != group->calls[0].thread)
            return "a transaction used two threads";
        if (group->calls[i].begun < group->calls[i - 1].ended)
            return "a call of a transaction began before the one before it "
                   "had ended";
    }
    return NULL;
}

/* Two calls that ran at the same time had two threads. */
static const char *check_threads(void)
{
    const void *threads[N_THREADS];
    int n = 0;
    int i, k;

    for (i = 0; i < N_CALLS; i++)
        threads[n++] = g_groups[0].calls[i].thread;
    for (i = 1; i < N_GROUPS; i++)
        threads[n++] = g_groups[i].calls[0].thread;
    for (i = 0; i < n; i++)
        for (k = 0; k < i; k++)
            if (threads[i] == threads[k])
                return "two calls at the same time are said to have had one "
                       "thread";
    return NULL;
}

static const char *check(void)
{
    const char *wrong = check_threads();
    int i;

    for (i = 1; i < N_GROUPS && !wrong; i++)
        wrong = check_transaction(&g_groups[i]);
    return wrong;
}

static void summarize(void)
{
    double longest = 0;
    int i;

    for (i = 2; i < N_GROUPS; i++)
        if (units(&g_groups[i]) > longest)
            longest = units(&g_groups[i]);
    printf("8 ordinary calls together, on 8 threads: %.1f units\n",
           units(&g_groups[0]));
    printf("8 calls of transaction A, in order on 1 thread: %.1f units\n",
           units(&g_groups[1]));
    printf("8 other transactions meanwhile, each on its own thread: %.1f units"
           " (not %d)\n",
           longest, N_OTHERS * N_CALLS);
}

/* --- The program --------------------------------------------------------- */

static int usage(FILE *out, int code)
{
    fputs("usage: smart_async [-u MS] [-h]\n"
          "\n"
          "  -u MS  how long one call blocks, 1 to 60000; default 1000\n"
          "  -h     show this\n",
          out);
    return code;
}

/* -1: go on; else the exit code. */
static int read_options(int argc, const char *const *argv, apr_pool_t *pool)
{
    apr_getopt_t *state;
    const char *value;
    char *rest;
    apr_status_t rv;
    long ms;
    char c;

    apr_getopt_init(&state, pool, argc, argv);
    state->errfn = NULL;
    while ((rv = apr_getopt(state, "u:h", &c, &value)) == APR_SUCCESS) {
        if (c == 'h')
            return usage(stdout, 0);
        errno = 0;
        ms = strtol(value, &rest, 10);
        if (errno || rest == value || *rest || ms < 1 || ms > 60000)
            return usage(stderr, 2);
        g_unit = ms * 1000;
    }
    return rv == APR_EOF && state->ind == argc ? -1 : usage(stderr, 2);
}

static int show(apr_pool_t *pool)
{
    static const char *const names[N_GROUPS] = {
        "ordinary",      "transaction A", "transaction B", "transaction C",
        "transaction D", "transaction E", "transaction F", "transaction G",
        "transaction H", "transaction I",
    };
    const char *wrong;
    char text[128];
    apr_status_t rv;
    int i;

    for (i = 0; i < N_GROUPS; i++) {
        g_groups[i].name = names[i];
        g_groups[i].number = i;
    }
    printf("8 calls and 9 transactions of 8 calls; each call blocks %d ms\n",
           (int)(g_unit / 1000));
    fflush(stdout);
    rv = brood_promise_make(&g_meeting, &g_met, NULL);
    if (rv == APR_SUCCESS)
        rv = run(pool);
    show_timeline();
    wrong = rv == APR_SUCCESS  ? check()
            : rv == APR_TIMEUP ? "what belongs together did not run together"
                               : brood_strerror(rv, text, sizeof(text));
    if (wrong) {
        printf("smart_async: FAILED: %s\n", wrong);
        return 1;
    }
    summarize();
    puts("smart_async: ok");
    return 0;
}

int main(int argc, const char *const *argv)
{
    apr_pool_t *pool;
    int code;

    if (brood_initialize() != APR_SUCCESS
        || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        fputs("smart_async: cannot start\n", stderr);
        return 1;
    }
    code = read_options(argc, argv, pool);
    if (code < 0)
        code = show(pool);
    apr_pool_destroy(pool); /* ends the threads */
    brood_future_release(g_met);
    brood_terminate();
    return code;
}
