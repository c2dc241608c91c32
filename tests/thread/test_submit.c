/* SPDX-License-Identifier: Apache-2.0 */

/* test_submit.c: what is accepted runs once; what is refused leaves nothing. */

#include "thread/pool.h"

#define MANY 700

static atomic_int g_count, g_destroyed, g_freed;

static void note_destroyed(void *unused)
{
    (void)unused;
    brood__add(&g_destroyed, 1, relaxed);
}

static void note_freed(void *unused)
{
    (void)unused;
    brood__add(&g_freed, 1, relaxed);
}

static void zero(void)
{
    brood__store(&g_count, 0, relaxed);
    brood__store(&g_destroyed, 0, relaxed);
    brood__store(&g_freed, 0, relaxed);
}

static void values_belong_to_their_futures(void)
{
    pool_t *pool = pool_of(1, 2);
    brood_task_options_t options = task_options();
    brood_future_t *future;
    void *value = NULL;
    apr_status_t status = APR_EGENERAL;

    zero();
    options.destroy = note_destroyed;
    options.free_value = note_freed;
    future = submit_with(pool, echo, &value, &options);
    ASSERT_STATUS(APR_SUCCESS, brood_future_get(future, &value, FOREVER));
    CU_ASSERT_PTR_EQUAL(value, &value);
    CU_ASSERT_EQUAL(brood__load(&g_destroyed, relaxed), 1);
    CU_ASSERT_EQUAL(brood__load(&g_freed, relaxed), 0);
    brood_future_release(future);
    WAIT_UNTIL(brood__load(&g_freed, relaxed) == 1);
    /* Nobody wants it: it goes all the same. */
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit(NULL, pool, echo,
                                                           &value, &options));
    options.flags = BROOD_TASK_QUIET;
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit(NULL, pool, fail,
                                                           &status, &options));
    drain(pool);
    CU_ASSERT_EQUAL(brood__load(&g_destroyed, relaxed), 3);
    CU_ASSERT_EQUAL(brood__load(&g_freed, relaxed), 2);
    leave_tree();
}

static void bad_task_options_are_refused(void)
{
    brood_task_options_t rows[12];
    pool_t *pool = pool_of(1, 1);
    brood_future_t *future;
    unsigned i;

    zero();
    for (i = 0; i < COUNT(rows); i++) {
        rows[i] = task_options();
        rows[i].destroy = note_destroyed;
    }
    rows[0].size = 0;
    rows[1].size--;
    rows[2].size++;
    rows[3].priority = 2;
    rows[4].priority = -2;
    rows[5].flags = 8;
    rows[6].flags = 0x80000000u;
    rows[7].delay = -1;
    rows[8].queue_timeout = -1;
    rows[9].run_timeout = -1;
    rows[10].delay = INT64_MAX;
    rows[11].run_timeout = INT64_MAX;
    for (i = 0; i < COUNT(rows); i++) {
        brood_task_t task = { count, &g_count };

        future = (brood_future_t *)(void *)&g_count;
        ASSERT_STATUS(APR_EINVAL,
                      brood_thread_manager_submit(&future, pool, count,
                                                  &g_count, &rows[i]));
        CU_ASSERT_PTR_NULL(future);
        future = (brood_future_t *)(void *)&g_count;
        ASSERT_STATUS(APR_EINVAL, brood_thread_manager_submit_many(
                                      &future, pool, &task, 1, &rows[i]));
        CU_ASSERT_PTR_NULL(future);
        ASSERT_STATUS(APR_EINVAL,
                      brood_thread_manager_map(&future, pool, count, &g_count,
                                               1, 1, 1, &rows[i]));
    }
    drain(pool);
    CU_ASSERT_EQUAL(brood__load(&g_count, relaxed), 0);
    CU_ASSERT_EQUAL(brood__load(&g_destroyed, relaxed), 0);
    leave_tree();
}

static void many_tasks_in_one_call(void)
{
    static const apr_size_t counts[] = { 0, 1, 2, 63, 64, 65, 255, 256, MANY };
    pool_t *pool = pool_of(2, 2);
    brood_future_t *futures[MANY];
    brood_task_t tasks[MANY];
    unsigned i, k, all = 0;

    zero();
    for (i = 0; i < MANY; i++) {
        tasks[i].fn = count;
        tasks[i].baton = &g_count;
    }
    for (k = 0; k < COUNT(counts); k++) {
        ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit_many(
                                       futures, pool, tasks, counts[k], NULL));
        ASSERT_STATUS(APR_SUCCESS,
                      brood_future_wait_all(futures, counts[k], FOREVER));
        for (i = 0; i < counts[k]; i++)
            ASSERT_STATUS(APR_SUCCESS, outcome(futures[i]));
        ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit_many(
                                       NULL, pool, tasks, counts[k], NULL));
        all += 2 * (unsigned)counts[k];
    }
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_submit_many(NULL, pool, NULL, 0, NULL));
    drain(pool);
    CU_ASSERT_EQUAL(brood__load(&g_count, relaxed), (int)all);
    leave_tree();
}

/* ---- injected failures ---------------------------------------------------- */

static apr_status_t submit_one(pool_t *pool, int with_future,
                               const brood_task_options_t *options)
{
    brood_future_t *future = (brood_future_t *)(void *)&g_count;
    apr_status_t rv = brood_thread_manager_submit(
        with_future ? &future : NULL, pool, count, &g_count, options);

    if (with_future && rv != APR_SUCCESS)
        CU_ASSERT_PTR_NULL(future);
    if (with_future && rv == APR_SUCCESS)
        brood_future_release(future);
    return rv;
}

/* Whatever fails, only what was accepted runs. */
static int submit_under_faults(const brood_task_options_t *options,
                               int with_future)
{
    pool_t *pool = pool_of(1, 1);
    apr_status_t rv = APR_ENOMEM;
    unsigned n, done = 0, failed = 0;

    zero();
    for (n = 1; n < 1000; n++) {
        if (n % 5)
            brood__fault_at(BROOD__FAULT_MEMORY, n % 5);
        else /* a submit that fails may try once more */
            brood__fault_all(BROOD__FAULT_MEMORY);
        rv = submit_one(pool, with_future, options);
        brood__fault_at(BROOD__FAULT_MEMORY, 0);
        if (rv == APR_SUCCESS)
            done++;
        else
            failed++;
        if (rv != APR_SUCCESS)
            ASSERT_STATUS(APR_ENOMEM, rv);
    }
    drain(pool);
    CU_ASSERT_EQUAL(brood__load(&g_count, relaxed), (int)done);
    CU_ASSERT_EQUAL(stats_of(pool).submitted, done);
    leave_tree();
    return (int)failed;
}

static void a_submit_survives_a_lack_of_memory(void)
{
    brood_task_options_t options = task_options();

    CU_ASSERT(submit_under_faults(NULL, 0) > 0);
    CU_ASSERT(submit_under_faults(NULL, 1) > 0);
    options.destroy = note_destroyed;
    CU_ASSERT(submit_under_faults(&options, 1) > 0);
    CU_ASSERT_EQUAL(brood__load(&g_destroyed, relaxed),
                    brood__load(&g_count, relaxed));
    options.queue_timeout = options.run_timeout = AN_HOUR;
    CU_ASSERT(submit_under_faults(&options, 0) > 0);
    options.priority = BROOD_PRIORITY_HIGH;
    CU_ASSERT(submit_under_faults(&options, 1) > 0);
    options.priority = BROOD_PRIORITY_LOW;
    CU_ASSERT(submit_under_faults(&options, 1) > 0);
    options.delay = 1;
    CU_ASSERT(submit_under_faults(&options, 1) > 0);
}

/* All or none, with the failure at every place in the middle. */
static void many_under_faults(const brood_task_options_t *options,
                              int with_futures)
{
    pool_t *pool = pool_of(1, 1);
    brood_future_t *futures[MANY];
    brood_task_t tasks[MANY];
    apr_status_t rv;
    unsigned n, i, done = 0;

    zero();
    for (i = 0; i < MANY; i++) {
        tasks[i].fn = count;
        tasks[i].baton = &g_count;
    }
    for (n = 1; done < 3 && n < 3 * MANY; n++) {
        brood__fault_at(BROOD__FAULT_MEMORY, n);
        rv = brood_thread_manager_submit_many(with_futures ? futures : NULL,
                                              pool, tasks, MANY, options);
        brood__fault_at(BROOD__FAULT_MEMORY, 0);
        if (rv != APR_SUCCESS)
            ASSERT_STATUS(APR_ENOMEM, rv);
        for (i = 0; with_futures && i < MANY && rv != APR_SUCCESS; i++)
            CU_ASSERT_PTR_NULL(futures[i]);
        for (i = 0; with_futures && i < MANY && rv == APR_SUCCESS; i++)
            brood_future_release(futures[i]);
        done += rv == APR_SUCCESS;
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_wait_idle(pool, FOREVER));
        CU_ASSERT_EQUAL(brood__load(&g_count, relaxed), (int)(done * MANY));
    }
    CU_ASSERT(done == 3);
    drain_and_leave(pool);
}

static void many_survive_a_lack_of_memory(void)
{
    brood_task_options_t options = task_options();

    many_under_faults(NULL, 0);
    many_under_faults(NULL, 1);
    options.destroy = note_destroyed;
    many_under_faults(&options, 0);
    CU_ASSERT_EQUAL(brood__load(&g_destroyed, relaxed),
                    brood__load(&g_count, relaxed));
    options.priority = BROOD_PRIORITY_HIGH;
    many_under_faults(&options, 1);
}

static void a_start_survives_a_lack_of_memory(void)
{
    options_t options = options_of(3, 3);
    apr_status_t rv = APR_ENOMEM;
    unsigned n, failed = 0;

    options.task_type = "a type";
    options.thread_name_prefix = "a prefix";
    for (n = 1; rv != APR_SUCCESS && n < 100; n++) {
        pool_t *pool = pool_get("faulty");

        brood__fault_at(BROOD__FAULT_MEMORY, n);
        rv = brood_thread_manager_start(pool, &options);
        brood__fault_at(BROOD__FAULT_MEMORY, 0);
        if (rv == APR_SUCCESS)
            break;
        failed++;
        ASSERT_STATUS(APR_ENOMEM, rv);
        CU_ASSERT(!brood_thread_manager_is_running(pool));
        CU_ASSERT_EQUAL(stats_of(pool).workers, 0);
        ASSERT_STATUS(BROOD_ENOTSTARTED, brood_thread_manager_submit(
                                             NULL, pool, nothing, NULL, NULL));
        ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_start(pool, NULL));
        drain_and_leave(pool);
    }
    ASSERT_STATUS(APR_SUCCESS, rv);
    CU_ASSERT(failed >= 5);
    leave_tree();
}

static void a_get_survives_a_lack_of_memory(void)
{
    apr_status_t rv = APR_ENOMEM;
    unsigned n;

    for (n = 1; rv != APR_SUCCESS && n < 100; n++) {
        pool_t *pool = (pool_t *)(void *)&g_count;
        size_t before = brood__alloc_live();

        brood__fault_at(BROOD__FAULT_MEMORY, n);
        rv = brood_thread_manager_get(&pool, "one more", 0);
        brood__fault_at(BROOD__FAULT_MEMORY, 0);
        if (rv == APR_SUCCESS)
            break;
        ASSERT_STATUS(APR_ENOMEM, rv);
        CU_ASSERT_PTR_NULL(pool);
        if (n > 3) /* this thread's own place is made once */
            CU_ASSERT_EQUAL(brood__alloc_live(), before);
    }
    CU_ASSERT(n > 5);
    ASSERT_STATUS(APR_SUCCESS, rv);
    leave_tree();
}

static const test_t tests[] = {
    TEST(values_belong_to_their_futures),
    TEST(bad_task_options_are_refused),
    TEST(many_tasks_in_one_call),
    TEST(a_submit_survives_a_lack_of_memory),
    TEST(many_survive_a_lack_of_memory),
    TEST(a_start_survives_a_lack_of_memory),
    TEST(a_get_survives_a_lack_of_memory),
};

HARNESS_MAIN_WARM("submit", tests, warm_up)
