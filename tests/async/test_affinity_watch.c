/* SPDX-License-Identifier: Apache-2.0 */

/* test_affinity_watch.c: what one sees of a pool from outside. */

#include "async/fixture.h"

typedef struct look_t {
    const char *context; /* of the row that is looked for; NULL: any general */
    int found;
    brood_affinity_info_t info;
    char context_id[32];
    char task_name[32];
    int numbers[16];
    int n;
} look_t;

static int look_at(const brood_affinity_info_t *info, void *baton)
{
    look_t *look = baton;

    if (look->n < 16)
        look->numbers[look->n++] = info->number;
    if (look->context
            ? !info->context_id || strcmp(info->context_id, look->context) != 0
            : info->context_id != NULL)
        return 0;
    if (!look->context && !info->is_busy)
        return 0;
    look->found++;
    look->info = *info;
    strncpy(look->task_name, info->task_name ? info->task_name : "",
            sizeof(look->task_name) - 1);
    return 0;
}

static look_t row_of(brood_affinity_pool_t *pool, const char *context)
{
    look_t look;

    memset(&look, 0, sizeof(look));
    look.context = context;
    ASSERT_STATUS(APR_SUCCESS, brood_affinity_pool_each(pool, look_at, &look));
    return look;
}

static brood_future_t *submit_named(brood_affinity_pool_t *pool,
                                    const char *context, call_t *call,
                                    const char *name)
{
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;

    options.name = name;
    return submit_with(pool, context, call, &options);
}

static void each_thread_shows_what_it_does(void)
{
    brood_affinity_pool_t *pool = pool_of(3);
    turnstile_t arrived;
    door_t hold;
    call_t calls[4];
    brood_future_t *futures[4];
    look_t leased, general;
    int i;

    turnstile_init(&arrived);
    door_init(&hold);
    for (i = 0; i < 4; i++)
        calls[i] = (call_t){ .arrived = &arrived, .hold = &hold };
    futures[0] = submit_named(pool, "ctx", &calls[0], "slow query");
    futures[1] = submit_named(pool, "ctx", &calls[1], "next");
    futures[2] = submit_named(pool, "ctx", &calls[2], "after next");
    futures[3] = submit_named(pool, NULL, &calls[3], "report");
    turnstile_wait(&arrived, 2);
    leased = row_of(pool, "ctx");
    CU_ASSERT_EQUAL(leased.found, 1);
    CU_ASSERT(leased.info.is_busy);
    CU_ASSERT_STRING_EQUAL(leased.task_name, "slow query");
    CU_ASSERT_EQUAL(leased.info.queued, 2);
    CU_ASSERT(leased.info.since >= 0);
    CU_ASSERT_EQUAL(leased.info.size, sizeof(leased.info));
    general = row_of(pool, NULL);
    CU_ASSERT_EQUAL(general.found, 1);
    CU_ASSERT_STRING_EQUAL(general.task_name, "report");
    CU_ASSERT(general.info.number != leased.info.number);
    door_open(&hold);
    for (i = 0; i < 4; i++)
        ASSERT_STATUS(APR_SUCCESS, finish(futures[i]));
    WAIT_UNTIL(!row_of(pool, "ctx").info.is_busy);
    leased = row_of(pool, "ctx");
    CU_ASSERT_EQUAL(leased.info.queued, 0);
    CU_ASSERT_STRING_EQUAL(leased.task_name, "");
    turnstile_fini(&arrived);
    door_fini(&hold);
}

static int stop_at_first(const brood_affinity_info_t *info, void *baton)
{
    (void)info;
    ++*(int *)baton;
    return 1;
}

static void a_walk_may_be_ended(void)
{
    brood_affinity_pool_t *pool = pool_of(4);
    call_t a = { 0 }, b = { 0 };
    int seen = 0;

    ASSERT_STATUS(APR_SUCCESS, finish(submit(pool, "a", &a)));
    ASSERT_STATUS(APR_SUCCESS, finish(submit(pool, "b", &b)));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_affinity_pool_each(pool, stop_at_first, &seen));
    CU_ASSERT_EQUAL(seen, 1);
}

/* ---- warnings ---------------------------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    char lines[8][160];
    int n;
} g_log = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void keep_line(int level, const char *line, void *unused)
{
    (void)level;
    (void)unused;
    pthread_mutex_lock(&g_log.lock);
    if (g_log.n < 8)
        strncpy(g_log.lines[g_log.n++], line, sizeof(g_log.lines[0]) - 1);
    pthread_mutex_unlock(&g_log.lock);
}

static int lines_with(const char *name)
{
    int n = 0, i;

    pthread_mutex_lock(&g_log.lock);
    for (i = 0; i < g_log.n; i++)
        n += strstr(g_log.lines[i], name) != NULL;
    pthread_mutex_unlock(&g_log.lock);
    return n;
}

static int all_lines(void)
{
    return lines_with("");
}

/* True: only the two long calls were named, each once. */
static int only_long_calls_are_named(apr_interval_time_t task_warning)
{
    brood_affinity_pool_options_t options = BROOD_AFFINITY_POOL_OPTIONS_INIT;
    brood_affinity_pool_t *pool;
    door_t hold;
    call_t a = { .hold = &hold }, b = { .hold = &hold }, quick = { 0 };
    brood_future_t *fa, *fb;

    g_log.n = 0;
    brood_log_hook_set(keep_line, NULL);
    door_init(&hold);
    options.max_threads = 3;
    options.task_warning = task_warning;
    pool = pool_with(&options);
    ASSERT_STATUS(APR_SUCCESS,
                  finish(submit_named(pool, "ctx", &quick, "quick one")));
    fa = submit_named(pool, "ctx", &a, "slow query");
    fb = submit_named(pool, NULL, &b, "slow report");
    WAIT_UNTIL(all_lines() >= 2);
    CU_ASSERT_EQUAL(brood_future_wait(fa, 5 * task_warning), APR_TIMEUP);
    door_open(&hold);
    ASSERT_STATUS(APR_SUCCESS, finish(fa));
    ASSERT_STATUS(APR_SUCCESS, finish(fb));
    /* An idle context is no long call. */
    CU_ASSERT_EQUAL(brood_sleep(5 * task_warning), APR_SUCCESS);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_affinity_pool_shutdown(pool, BROOD_STOP_DRAIN, -1));
    brood_log_hook_set(NULL, NULL);
    door_fini(&hold);
    return lines_with("slow query") == 1 && lines_with("slow report") == 1
           && lines_with("'ctx'") == 1 && all_lines() == 2;
}

/* A thread that gets no CPU for so long is named too, rightly, or before its
 * call has shown its name: then all have more time. */
static void a_long_call_is_named_once_while_it_runs(void)
{
    apr_interval_time_t task_warning = 10000;

    while (!only_long_calls_are_named(task_warning))
        task_warning *= 2;
}

static void without_a_limit_nobody_is_warned(void)
{
    brood_affinity_pool_options_t options = BROOD_AFFINITY_POOL_OPTIONS_INIT;
    brood_affinity_pool_t *pool;
    door_t hold;
    call_t a = { .hold = &hold };
    brood_future_t *future;

    g_log.n = 0;
    brood_log_hook_set(keep_line, NULL);
    door_init(&hold);
    options.max_threads = 2;
    options.task_warning = -1;
    pool = pool_with(&options);
    future = submit_named(pool, "ctx", &a, "slow query");
    ASSERT_STATUS(APR_TIMEUP, brood_future_wait(future, 20000));
    door_open(&hold);
    ASSERT_STATUS(APR_SUCCESS, finish(future));
    CU_ASSERT_EQUAL(all_lines(), 0);
    brood_log_hook_set(NULL, NULL);
    door_fini(&hold);
}

/* ---- the program's hooks around tasks ----------------------------------------- */

static atomic_int g_before, g_after;

static void count_before(const char *name, void *baton)
{
    (void)name;
    (void)baton;
    atomic_fetch_add(&g_before, 1);
}

static void count_after(const char *name, void *baton)
{
    (void)name;
    (void)baton;
    atomic_fetch_add(&g_after, 1);
}

static void task_hooks_see_calls_of_contexts(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    call_t call = { 0 };
    int i;

    atomic_store(&g_before, 0);
    atomic_store(&g_after, 0);
    brood_task_hooks_set(count_before, count_after, NULL);
    for (i = 0; i < 5; i++) {
        ASSERT_STATUS(APR_SUCCESS, finish(submit(pool, "ctx", &call)));
        ASSERT_STATUS(APR_SUCCESS, finish(submit(pool, NULL, &call)));
    }
    ASSERT_STATUS(APR_SUCCESS,
                  brood_affinity_pool_shutdown(pool, BROOD_STOP_DRAIN, -1));
    brood_task_hooks_set(NULL, NULL, NULL);
    CU_ASSERT(atomic_load(&g_before) >= 10);
    CU_ASSERT_EQUAL(atomic_load(&g_before), atomic_load(&g_after));
}

static const test_t tests[] = {
    TEST(each_thread_shows_what_it_does),
    TEST(a_walk_may_be_ended),
    TEST(a_long_call_is_named_once_while_it_runs),
    TEST(without_a_limit_nobody_is_warned),
    TEST(task_hooks_see_calls_of_contexts),
};

HARNESS_MAIN_WARM("affinity_watch", tests, warm_up)
