/* SPDX-License-Identifier: Apache-2.0 */

/* test_thread_manager.c: settings, start and stop, types, look-up. */

#include "thread/pool.h"

static char g_line[400]; /* the last line of the log */
static int g_level;

static void keep_line(int level, const char *line, void *unused)
{
    (void)unused;
    g_level = level;
    snprintf(g_line, sizeof(g_line), "%s", line);
}

static void a_new_manager_does_not_run(void)
{
    brood_future_t *future = (brood_future_t *)(void *)&g_level;
    pool_t *pool = pool_get("new");
    brood_stats_t stats = stats_of(pool);
    char buf[10];

    CU_ASSERT(!brood_thread_manager_is_running(pool));
    CU_ASSERT_STRING_EQUAL(brood_thread_manager_id(pool), "new");
    CU_ASSERT_EQUAL(brood_thread_manager_owner_serial(pool),
                    brood_lineage_serial());
    CU_ASSERT_PTR_NULL(brood_thread_manager_task_type(pool, buf, sizeof(buf)));
    CU_ASSERT_EQUAL(stats.workers, 0);
    ASSERT_STATUS(BROOD_ENOTSTARTED, brood_thread_manager_submit(
                                         &future, pool, nothing, NULL, NULL));
    CU_ASSERT_PTR_NULL(future);
    ASSERT_STATUS(BROOD_ENOTSTARTED,
                  brood_thread_manager_stop(pool, BROOD_STOP_DRAIN, FOREVER));
    ASSERT_STATUS(BROOD_ENOTSTARTED,
                  brood_thread_manager_stop(pool, BROOD_STOP_CANCEL, 0));
    ASSERT_STATUS(BROOD_ENOTSTARTED, brood_thread_manager_wait_idle(pool, 0));
    ASSERT_STATUS(BROOD_ENOTSTARTED, brood_thread_manager_resize(pool, 1, 2));
    ASSERT_STATUS(BROOD_ENOTSTARTED,
                  brood_thread_manager_map(&future, pool, nothing, g_line, 1, 1,
                                           1, NULL));
    CU_ASSERT_PTR_NULL(future);
    leave_tree();
}

static void null_is_refused_everywhere(void)
{
    brood_future_t *futures[2] = { (brood_future_t *)(void *)&g_level,
                                   (brood_future_t *)(void *)&g_level };
    brood_task_t tasks[2] = { { nothing, NULL }, { NULL, NULL } };
    brood_stats_t stats = BROOD_STATS_INIT;
    pool_t *pool = pool_of(1, 1);

    ASSERT_STATUS(APR_EINVAL, brood_thread_manager_get(NULL, NULL, 0));
    ASSERT_STATUS(APR_EINVAL, brood_thread_manager_start(NULL, NULL));
    ASSERT_STATUS(APR_EINVAL, brood_thread_manager_submit(&futures[0], NULL,
                                                          nothing, NULL, NULL));
    CU_ASSERT_PTR_NULL(futures[0]);
    ASSERT_STATUS(APR_EINVAL,
                  brood_thread_manager_submit(NULL, pool, NULL, NULL, NULL));
    ASSERT_STATUS(APR_EINVAL, brood_thread_manager_submit_many(futures, pool,
                                                               tasks, 2, NULL));
    CU_ASSERT(!futures[0] && !futures[1]);
    ASSERT_STATUS(APR_EINVAL,
                  brood_thread_manager_submit_many(NULL, pool, NULL, 2, NULL));
    ASSERT_STATUS(APR_EINVAL,
                  brood_thread_manager_submit_many(NULL, NULL, tasks, 1, NULL));
    ASSERT_STATUS(APR_EINVAL, brood_thread_manager_map(NULL, NULL, nothing,
                                                       tasks, 1, 1, 1, NULL));
    ASSERT_STATUS(APR_EINVAL, brood_thread_manager_map(NULL, pool, NULL, tasks,
                                                       1, 1, 1, NULL));
    ASSERT_STATUS(APR_EINVAL, brood_thread_manager_map(NULL, pool, nothing,
                                                       NULL, 1, 1, 1, NULL));
    ASSERT_STATUS(APR_EINVAL, brood_thread_manager_resize(NULL, 1, 1));
    ASSERT_STATUS(APR_EINVAL, brood_thread_manager_wait_idle(NULL, 0));
    ASSERT_STATUS(APR_EINVAL,
                  brood_thread_manager_stop(NULL, BROOD_STOP_DRAIN, 0));
    ASSERT_STATUS(APR_EINVAL,
                  brood_thread_manager_stop(pool, (brood_stop_e)7, 0));
    ASSERT_STATUS(APR_EINVAL, brood_thread_manager_stats(NULL, &stats));
    ASSERT_STATUS(APR_EINVAL, brood_thread_manager_stats(pool, NULL));
    ASSERT_STATUS(APR_EINVAL, brood_thread_manager_each(NULL, NULL));
    CU_ASSERT(!brood_thread_manager_is_running(NULL));
    CU_ASSERT_PTR_NULL(brood_thread_manager_id(NULL));
    CU_ASSERT_PTR_NULL(brood_thread_manager_retain(NULL));
    CU_ASSERT_PTR_NULL(brood_thread_manager_release(NULL));
    CU_ASSERT_EQUAL(brood_thread_manager_owner_serial(NULL), 0);
    CU_ASSERT_PTR_NULL(brood_thread_manager_task_type(NULL, g_line, 9));
    CU_ASSERT(brood_thread_manager_is_running(pool));
    drain_and_leave(pool);
}

/* Each of them leaves the manager as it was. */
static void settings_that_make_no_sense_are_refused(void)
{
    options_t rows[16];
    pool_t *pool = pool_get("odd");
    unsigned i;

    for (i = 0; i < COUNT(rows); i++)
        rows[i] = options_of(0, 0);
    rows[0].size = 0;
    rows[1].size--;
    rows[2].size++;
    rows[3].min_workers = 3, rows[3].max_workers = 2;
    rows[4].max_workers = -1;
    rows[5].max_workers = BROOD__WORKERS_MAX + 1;
    rows[6].min_workers = BROOD__WORKERS_MAX + 1;
    rows[7].max_spares = BROOD__WORKERS_MAX + 1;
    rows[8].capacity = -1;
    rows[9].when_full = -1;
    rows[10].when_full = 3;
    rows[11].full_timeout = -1;
    rows[12].idle_timeout = -1;
    rows[13].max_workers = INT32_MAX;
    rows[14].min_workers = INT32_MAX;
    rows[15].max_spares = INT32_MAX;
    for (i = 0; i < COUNT(rows); i++) {
        ASSERT_STATUS(APR_EINVAL, brood_thread_manager_start(pool, &rows[i]));
        CU_ASSERT(!brood_thread_manager_is_running(pool));
        CU_ASSERT_EQUAL(stats_of(pool).started, 0);
    }
    ASSERT_STATUS(BROOD_ENOTSTARTED,
                  brood_thread_manager_stop(pool, BROOD_STOP_DRAIN, 0));
    leave_tree();
}

static void settings_that_make_sense_are_taken(void)
{
    static const struct {
        int min, max, spares;
        unsigned workers; /* at once */
    } rows[] = {
        { 0, 0, 0, 1 },  { 0, 1, 0, 1 },   { 1, 1, -1, 1 }, { -1, 0, 0, 0 },
        { -5, 1, 2, 0 }, { 12, 0, 0, 12 }, { 3, 3, 0, 3 },  { 2, 4, 7, 2 },
    };
    unsigned i;

    for (i = 0; i < COUNT(rows); i++) {
        options_t options = options_of(rows[i].min, rows[i].max);
        pool_t *pool;

        options.max_spares = rows[i].spares;
        pool = pool_with(&options);
        CU_ASSERT_EQUAL(stats_of(pool).workers, rows[i].workers);
        ASSERT_STATUS(APR_SUCCESS, outcome(submit(pool, nothing, NULL)));
        drain_and_leave(pool);
    }
    CU_ASSERT(brood__default_workers() >= 8);
    CU_ASSERT(brood__default_workers() <= 256);
}

static void a_second_start_changes_nothing(void)
{
    options_t options = options_of(1, 2);
    pool_t *pool;
    char buf[20];

    options.task_type = "a";
    pool = pool_with(&options);
    options.task_type = "b";
    options.min_workers = options.max_workers = 5;
    ASSERT_STATUS(BROOD_EALREADY, brood_thread_manager_start(pool, &options));
    ASSERT_STATUS(BROOD_EALREADY, brood_thread_manager_start(pool, NULL));
    CU_ASSERT_STRING_EQUAL(
        brood_thread_manager_task_type(pool, buf, sizeof(buf)), "a");
    CU_ASSERT_EQUAL(stats_of(pool).workers, 1);
    drain_and_leave(pool);
}

static apr_status_t submit_typed(pool_t *pool, const char *type)
{
    brood_task_options_t options = task_options();

    options.type = type;
    return brood_thread_manager_submit(NULL, pool, nothing, NULL, &options);
}

static void a_type_keeps_others_out(void)
{
    static const struct {
        const char *manager, *task;
        apr_status_t expected;
        const char *log;
    } rows[] = {
        { NULL, NULL, APR_SUCCESS, "" },
        { NULL, "any", APR_SUCCESS, "" },
        { "io", "io", APR_SUCCESS, "" },
        { "io", "cpu", BROOD_ETASKTYPE,
          "'test' accepts tasks of type 'io': one of type 'cpu' was refused" },
        { "io", "i", BROOD_ETASKTYPE,
          "'test' accepts tasks of type 'io': one of type 'i' was refused" },
        { "io", "", BROOD_ETASKTYPE,
          "'test' accepts tasks of type 'io': one of type '' was refused" },
        { "io", NULL, BROOD_ETASKTYPE,
          "'test' accepts tasks of type 'io': one of no type was refused" },
        { "", "", APR_SUCCESS, "" },
        { "", NULL, BROOD_ETASKTYPE,
          "'test' accepts tasks of type '': one of no type was refused" },
    };
    unsigned i;

    brood_log_hook_set(keep_line, NULL);
    for (i = 0; i < COUNT(rows); i++) {
        options_t options = options_of(1, 1);
        pool_t *pool;

        options.task_type = rows[i].manager;
        pool = pool_with(&options);
        g_line[0] = '\0';
        ASSERT_STATUS(rows[i].expected, submit_typed(pool, rows[i].task));
        CU_ASSERT_STRING_EQUAL(g_line, rows[i].log);
        CU_ASSERT_EQUAL(stats_of(pool).rejected, rows[i].expected != 0);
        drain_and_leave(pool);
    }
    brood_log_hook_set(NULL, NULL);
}

/* Running is asked for first, then the type, then the capacity. */
static void refusals_have_an_order(void)
{
    options_t options = options_of(1, 1);
    pool_t *pool = pool_get("order");
    stopper_t stopper;
    brood_task_options_t type = task_options();

    brood_log_hook_set(keep_line, NULL);
    ASSERT_STATUS(BROOD_ENOTSTARTED, submit_typed(pool, "b"));
    options.task_type = "a";
    options.capacity = 1;
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_start(pool, &options));
    type.type = "a";
    stopper_init(&stopper);
    brood_future_release(submit_with(pool, be_in_the_way, &stopper, &type));
    door_wait(&stopper.begun);
    ASSERT_STATUS(APR_SUCCESS, submit_typed(pool, "a"));
    ASSERT_STATUS(BROOD_EFULL, submit_typed(pool, "a"));
    ASSERT_STATUS(BROOD_ETASKTYPE, submit_typed(pool, "b"));
    ASSERT_STATUS(APR_TIMEUP,
                  brood_thread_manager_stop(pool, BROOD_STOP_DRAIN, 0));
    ASSERT_STATUS(BROOD_ESTOPPED, submit_typed(pool, "b"));
    door_open(&stopper.go);
    drain(pool);
    ASSERT_STATUS(BROOD_ESTOPPED, submit_typed(pool, "b"));
    brood_log_hook_set(NULL, NULL);
    stopper_fini(&stopper);
    leave_tree();
}

static void it_starts_again_with_another_type(void)
{
    static const char *const types[] = { "a", "b", NULL, "", "a" };
    pool_t *pool = pool_get("again");
    brood_future_t *old = NULL;
    char buf[2];
    unsigned i, k;

    brood_log_hook_set(keep_line, NULL);
    for (i = 0; i < COUNT(types); i++) {
        options_t options = options_of(1, 2);
        brood_task_options_t type = task_options();

        options.task_type = type.type = types[i];
        ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_start(pool, &options));
        CU_ASSERT(brood_thread_manager_is_running(pool));
        for (k = 0; k < 20; k++)
            ASSERT_STATUS(APR_SUCCESS,
                          outcome(submit_with(pool, nothing, NULL, &type)));
        if (!old)
            old = submit_with(pool, echo, buf, &type);
        if (types[i])
            CU_ASSERT_STRING_EQUAL(
                brood_thread_manager_task_type(pool, buf, sizeof(buf)),
                types[i]);
        ASSERT_STATUS(types[i] ? BROOD_ETASKTYPE : APR_SUCCESS,
                      submit_typed(pool, "other"));
        drain(pool);
        CU_ASSERT(!brood_thread_manager_is_running(pool));
        ASSERT_STATUS(BROOD_ESTOPPED, submit_typed(pool, types[i]));
    }
    ASSERT_STATUS(APR_SUCCESS, outcome(old)); /* still good */
    brood_log_hook_set(NULL, NULL);
    leave_tree();
}

static void it_describes_itself(void)
{
    options_t options = options_of(4, 4);
    pool_t *pool;
    char want[100], line[100], small[9];

    options.task_type = "x";
    pool = pool_with(&options);
    snprintf(want, sizeof(want),
             "<thread manager 'test': 4 workers, type 'x', owner #%llu>",
             (unsigned long long)brood_lineage_serial());
    CU_ASSERT_PTR_EQUAL(brood_thread_manager_describe(pool, line, sizeof(line)),
                        line);
    CU_ASSERT_STRING_EQUAL(line, want);
    brood_thread_manager_describe(pool, small, sizeof(small));
    CU_ASSERT_STRING_EQUAL(small, "<thread ");
    strcpy(small, "?");
    brood_thread_manager_describe(pool, small, 0);
    CU_ASSERT_STRING_EQUAL(small, "?");
    brood_thread_manager_describe(NULL, line, sizeof(line));
    CU_ASSERT_STRING_EQUAL(line, "<thread manager NULL>");
    drain_and_leave(pool);
}

typedef struct seen_t {
    pool_t *pools[4];
    unsigned n, most;
} seen_t;

static int see(pool_t *pool, void *baton)
{
    seen_t *seen = baton;

    if (seen->n < COUNT(seen->pools))
        seen->pools[seen->n] = pool;
    return ++seen->n == seen->most;
}

static void each_shows_all_of_them(void)
{
    seen_t seen = { { NULL }, 0, 0 };
    pool_t *a = pool_get("a"), *b = pool_of(1, 1);

    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_each(see, &seen));
    CU_ASSERT_EQUAL(seen.n, 2);
    CU_ASSERT((seen.pools[0] == a && seen.pools[1] == b)
              || (seen.pools[0] == b && seen.pools[1] == a));
    seen.n = 0;
    seen.most = 1;
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_each(see, &seen));
    CU_ASSERT_EQUAL(seen.n, 1);
    drain_and_leave(b);
}

static void stats_of_another_size_are_refused(void)
{
    pool_t *pool = pool_get("stats");
    brood_stats_t stats = BROOD_STATS_INIT;

    stats.size--;
    ASSERT_STATUS(APR_EINVAL, brood_thread_manager_stats(pool, &stats));
    stats.size += 2;
    ASSERT_STATUS(APR_EINVAL, brood_thread_manager_stats(pool, &stats));
    stats.size = 0;
    ASSERT_STATUS(APR_EINVAL, brood_thread_manager_stats(pool, &stats));
    leave_tree();
}

static const test_t tests[] = {
    TEST(a_new_manager_does_not_run),
    TEST(null_is_refused_everywhere),
    TEST(settings_that_make_no_sense_are_refused),
    TEST(settings_that_make_sense_are_taken),
    TEST(a_second_start_changes_nothing),
    TEST(a_type_keeps_others_out),
    TEST(refusals_have_an_order),
    TEST(it_starts_again_with_another_type),
    TEST(it_describes_itself),
    TEST(each_shows_all_of_them),
    TEST(stats_of_another_size_are_refused),
};

HARNESS_MAIN_WARM("thread_manager", tests, warm_up)
