/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_search.c: who looks for work polls while that pays.
 *
 * The searcher is made by hand, and searches on the test's thread for a manager
 * that has not started.
 */

#include "task/spin.h"
#include "thread/pool.h"
#include "thread/worker.h"

static pool_t *g_pool;
static brood__executor_t *g_executor;
static brood__worker_t g_searcher;
static int g_cpus;

static void set_up(void)
{
    g_cpus = brood__cpus;
    brood__cpus = 1 << 20; /* enough for other threads that are busy */
    g_pool = pool_get("test");
    g_executor = &g_pool->executor;
    g_executor->options.spin = 1;
    brood__store(&g_executor->score, BROOD__SCORE_MAX, relaxed);
    memset(&g_searcher, 0, sizeof(g_searcher));
    g_searcher.executor = g_executor;
}

static void tear_down(void)
{
    brood__store(&g_executor->searching, 0, relaxed);
    leave_tree();
    brood__cpus = g_cpus;
}

static int score(void)
{
    return brood__load(&g_executor->score, relaxed);
}

static int search(void)
{
    const int found = brood__worker_search(&g_searcher);

    CU_ASSERT_EQUAL(g_searcher.searching, found); /* else it has given up */
    CU_ASSERT_EQUAL(brood__load(&g_executor->searching, relaxed), found);
    return found;
}

static void who_finds_nothing_does_not_poll_any_more(void)
{
    int i;

    set_up();
    CU_ASSERT_EQUAL(score(), BROOD__SCORE_MAX); /* at first it is confident */
    for (i = BROOD__SCORE_MAX; i-- > 0;) {
        CU_ASSERT(!brood__search_may_learn(g_executor));
        CU_ASSERT(!search());
        CU_ASSERT_EQUAL(score(), i);
    }
    CU_ASSERT(!search());
    CU_ASSERT_EQUAL(score(), 0);
    tear_down();
}

static void success_lets_some_searches_fail(void)
{
    int i;

    set_up();
    brood__store(&g_executor->score, 1, relaxed);
    brood__store(&g_executor->n_errands, 1, relaxed); /* there is something */
    for (i = 0; i < 5; i++)
        CU_ASSERT(search());
    brood__store(&g_executor->n_errands, 0, relaxed);
    CU_ASSERT(score() >= BROOD__SCORE_MAX && score() <= BROOD__SCORE_MAX + 1);
    tear_down();
}

static void a_sleep_that_polling_would_have_spared_is_a_success(void)
{
    static const struct {
        int64_t asleep; /* ns; polling lasts 1000 */
        int score;
    } cases[] = {
        { -5, 2 }, /* clocks of two CPUs may differ */
        { 999, 2 },
        { 1000, 0 },
    };
    unsigned i;

    set_up();
    for (i = 0; i < COUNT(cases); i++) {
        brood__store(&g_executor->score, 0, relaxed);
        CU_ASSERT(brood__search_may_learn(g_executor));
        brood__search_learn(g_executor, cases[i].asleep);
        CU_ASSERT_EQUAL(score(), cases[i].score);
    }
    tear_down();
}

static void where_nobody_polls_there_is_nothing_to_learn(void)
{
    set_up();
    brood__store(&g_executor->score, 0, relaxed);
    brood__cpus = 1;
    CU_ASSERT(!brood__search_may_learn(g_executor));
    brood__cpus = 2;
    CU_ASSERT(brood__search_may_learn(g_executor));
    g_executor->options.spin = BROOD_SPIN_NONE;
    CU_ASSERT(!brood__search_may_learn(g_executor));
    tear_down();
}

/* The worker itself. When it is woken, polling is said to last for an hour. */
static void a_worker_learns_from_its_sleep(void)
{
    const long long limit = brood__load(&brood__spin_ns, relaxed);
    const int cpus = brood__cpus;
    brood__executor_t *executor;
    pool_t *pool;

    brood__cpus = 1 << 20;
    pool = pool_of(1, 1);
    executor = &pool->executor;
    wait_until_asleep(executor, 1);
    brood__store(&executor->score, 0, relaxed);
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(pool, nothing, NULL)));
    wait_until_asleep(executor, 1); /* from now on it knows since when */
    brood__store(&brood__spin_ns, INT64_C(3600) * 1000000000, relaxed);
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(pool, nothing, NULL)));
    CU_ASSERT(brood__load(&executor->score, relaxed) > 0);
    drain_and_leave(pool); /* it does not poll for that hour */
    brood__store(&brood__spin_ns, limit, relaxed);
    brood__cpus = cpus;
}

static void nobody_polls_while_somebody_waits_for_all_to_sleep(void)
{
    int i;

    set_up();
    brood__store(&g_executor->hurried, 1, relaxed);
    for (i = 0; i < 100; i++)
        CU_ASSERT(!search());
    CU_ASSERT_EQUAL(score(), BROOD__SCORE_MAX); /* and it teaches nothing */
    brood__store(&g_executor->hurried, 0, relaxed);
    tear_down();
}

static void there_is_one_searcher(void)
{
    set_up();
    brood__store(&g_executor->searching, 1, relaxed);
    brood__store(&g_executor->n_errands, 1, relaxed);
    CU_ASSERT(!brood__worker_search(&g_searcher));
    CU_ASSERT_EQUAL(g_searcher.searching, 0);
    CU_ASSERT_EQUAL(brood__load(&g_executor->searching, relaxed), 1);
    brood__store(&g_executor->n_errands, 0, relaxed);
    tear_down();
}

/* Neither behind a stream of tasks. */
static void nobody_waits_for_more_where_nobody_may_poll(void)
{
    static const struct {
        int single; /* CPU */
        int spare, spin, hurried, errands, waits;
    } cases[] = {
        { 0, 2, BROOD_SPIN_DEFAULT, 0, 0, 1 },
        { 0, 2, 5, 0, 0, 1 },
        { 1, 2, BROOD_SPIN_DEFAULT, 0, 0, 0 },
        { 0, -1, BROOD_SPIN_DEFAULT, 0, 0, 0 }, /* more run than CPUs */
        { 0, 2, BROOD_SPIN_NONE, 0, 0, 0 },
        { 0, 2, 4, 0, 0, 0 }, /* us: too short */
        { 0, 2, BROOD_SPIN_DEFAULT, 1, 0, 0 },
        { 0, 2, BROOD_SPIN_DEFAULT, 0, 1, 0 },
    };
    unsigned i;

    set_up();
    brood__add(&brood__busy.n, 3, relaxed); /* more than one CPU's */
    for (i = 0; i < COUNT(cases); i++) {
        const int busy = brood__load(&brood__busy.n, relaxed);

        brood__cpus = cases[i].single ? 1 : busy + cases[i].spare;
        g_executor->options.spin = cases[i].spin;
        brood__store(&g_executor->hurried, cases[i].hurried, relaxed);
        brood__store(&g_executor->n_errands, (unsigned)cases[i].errands,
                     relaxed);
        memset(&g_searcher.pace, 0, sizeof(g_searcher.pace));
        g_searcher.pace.waits = 1;
        g_searcher.pace.since = brood__os_now();
        brood__worker_stay_behind(&g_searcher, BROOD__PACE_SMALL - 1);
        CU_ASSERT_EQUAL(g_searcher.pace.takes && !g_searcher.pace.unasked,
                        cases[i].waits);
    }
    brood__sub(&brood__busy.n, 3, relaxed);
    brood__store(&g_executor->hurried, 0, relaxed);
    brood__store(&g_executor->n_errands, 0, relaxed);
    tear_down();
}

static void a_worker_that_slept_waits_for_nobody(void)
{
    pool_t *pool = pool_of(1, 1);
    brood__executor_t *executor = &pool->executor;
    brood__pace_t *pace;

    wait_until_asleep(executor, 1);
    brood__lock(&executor->lock); /* it took this to lie down */
    pace = &executor->workers[0]->pace;
    pace->waits = 1;
    brood__unlock(&executor->lock);
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(pool, nothing, NULL)));
    wait_until_asleep(executor, 1);
    brood__lock(&executor->lock);
    CU_ASSERT_EQUAL(pace->waits, 0);
    brood__unlock(&executor->lock);
    drain_and_leave(pool);
}

static const test_t tests[] = {
    TEST(who_finds_nothing_does_not_poll_any_more),
    TEST(success_lets_some_searches_fail),
    TEST(a_sleep_that_polling_would_have_spared_is_a_success),
    TEST(where_nobody_polls_there_is_nothing_to_learn),
    TEST(a_worker_learns_from_its_sleep),
    TEST(nobody_polls_while_somebody_waits_for_all_to_sleep),
    TEST(there_is_one_searcher),
    TEST(nobody_waits_for_more_where_nobody_may_poll),
    TEST(a_worker_that_slept_waits_for_nobody),
};
HARNESS_MAIN_WARM("search", tests, warm_up)
