/* SPDX-License-Identifier: Apache-2.0 */

/* test_all.c: a future of many. */

#include "task/tools.h"

#define N     5
#define DEPTH 100000 /* futures of futures of futures */

typedef struct many_t {
    brood_promise_t *promise[N];
    brood_future_t *future[N];
    brood_future_t *all;
} many_t;

static void many_init(many_t *many)
{
    pledges(many->promise, many->future, N);
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_future_all(&many->all, many->future, N));
}

static void settle(many_t *many, int i, apr_status_t status)
{
    ASSERT_STATUS(APR_SUCCESS,
                  brood_promise_settle(many->promise[i], status, NULL));
    many->promise[i] = NULL;
}

static void many_fini(many_t *many)
{
    int i;

    for (i = 0; i < N; i++) {
        brood_promise_release(many->promise[i]);
        brood_future_release(many->future[i]);
    }
    brood_future_release(many->all);
}

static void bad_input_makes_nothing(void)
{
    brood_future_t *all = (brood_future_t *)(void *)&all;
    brood_future_t *futures[2] = { NULL, NULL };
    pledge_t p = pledge();
    apr_size_t n;

    futures[0] = p.future;
    ASSERT_STATUS(APR_EINVAL, brood_future_all(NULL, futures, 1));
    ASSERT_STATUS(APR_EINVAL, brood_future_all(&all, futures, 2));
    CU_ASSERT_PTR_NULL(all);
    all = p.future;
    ASSERT_STATUS(APR_EINVAL, brood_future_all(&all, NULL, 1));
    futures[1] = p.future; /* now only the number is wrong */
    ASSERT_STATUS(APR_EINVAL, brood_future_all(&all, futures, SIZE_MAX));
    ASSERT_STATUS(APR_EINVAL, brood_future_wait_all(futures, SIZE_MAX, 0));
    ASSERT_STATUS(APR_EINVAL, brood_future_wait_any(futures, SIZE_MAX, &n, 0));
    CU_ASSERT_PTR_NULL(all);
    brood_promise_release(p.promise);
    brood_future_release(p.future);
}

static void of_none_is_settled_at_once(void)
{
    brood_future_t *all;
    void *value = &all;

    ASSERT_STATUS(APR_SUCCESS, brood_future_all(&all, NULL, 0));
    ASSERT_STATUS(APR_SUCCESS, brood_future_get(all, &value, 0));
    CU_ASSERT_PTR_NULL(value);
    ASSERT_STATUS(BROOD_EALREADY, brood_future_cancel(all));
    brood_future_release(all);
}

static void it_settles_with_the_last_and_the_first_failure(void)
{
    static const struct {
        int order[N];
        apr_status_t status[N];
        apr_status_t expected;
    } rows[] = {
        { { 0, 1, 2, 3, 4 }, { 0 }, APR_SUCCESS },
        { { 4, 3, 2, 1, 0 }, { 0, 0, APR_EGENERAL }, APR_EGENERAL },
        { { 4, 3, 2, 1, 0 }, { 0, APR_EOF, 0, APR_EGENERAL }, APR_EOF },
        { { 3, 1, 4, 0, 2 }, { 0, APR_EOF, 0, APR_EGENERAL }, APR_EOF },
    };
    size_t i;
    int j;

    for (i = 0; i < N_OF(rows); i++) {
        many_t many;

        many_init(&many);
        for (j = 0; j < N; j++) {
            ASSERT_STATUS(BROOD_EPENDING, brood_future_result(many.all, NULL));
            settle(&many, rows[i].order[j], rows[i].status[rows[i].order[j]]);
        }
        ASSERT_STATUS(rows[i].expected, brood_future_result(many.all, NULL));
        many_fini(&many);
    }
}

static void its_children_may_be_settled_before(void)
{
    brood_future_t *again, *pair[2];
    many_t many;
    int i;

    many_init(&many);
    for (i = 0; i < N; i++)
        settle(&many, i, i == 1 ? APR_EOF : APR_SUCCESS);
    ASSERT_STATUS(APR_SUCCESS, brood_future_all(&again, many.future, N));
    ASSERT_STATUS(APR_EOF, brood_future_result(again, NULL));
    brood_future_release(again);
    pair[0] = pair[1] = many.future[0]; /* twice the same */
    ASSERT_STATUS(APR_SUCCESS, brood_future_all(&again, pair, 2));
    ASSERT_STATUS(APR_SUCCESS, brood_future_result(again, NULL));
    brood_future_release(again);
    many_fini(&many);
}

static void it_holds_references_of_its_own(void)
{
    const size_t live = brood__alloc_live();
    many_t many;
    int i;

    many_init(&many);
    for (i = 0; i < N; i++)
        many.future[i] = brood_future_release(many.future[i]);
    for (i = 0; i < N - 1; i++)
        settle(&many, i, APR_SUCCESS);
    many.all = brood_future_release(many.all); /* it goes on without */
    settle(&many, N - 1, APR_EGENERAL);
    CU_ASSERT_EQUAL(brood__alloc_live(), live);
}

static void canceling_it_cancels_each(void)
{
    brood_thread_manager_t *one = start("one", 1, 0);
    brood_future_t *future[3], *all;
    job_t job[3];
    int i;

    for (i = 0; i < 3; i++) {
        job_init(&job[i]);
        job[i].status = i ? APR_SUCCESS : BROOD_ECANCELED;
        future[i] = job_submit(&job[i], one);
    }
    door_wait(&job[0].begun);
    ASSERT_STATUS(APR_SUCCESS, brood_future_all(&all, future, 3));
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(all));
    ASSERT_STATUS(BROOD_ECANCELED, brood_future_result(future[1], NULL));
    ASSERT_STATUS(BROOD_ECANCELED, brood_future_result(future[2], NULL));
    ASSERT_STATUS(BROOD_EPENDING, brood_future_result(all, NULL));
    door_open(&job[0].go);
    ASSERT_STATUS(BROOD_ECANCELED, brood_future_get(all, NULL, -1));
    ASSERT_STATUS(BROOD_EALREADY, brood_future_cancel(all));
    brood_future_release(all);
    for (i = 0; i < 3; i++)
        brood_future_release(future[i]);
    stop(one);
    for (i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(job_destroys(&job[i]), 1);
        job_fini(&job[i]);
    }
}

/* A worker that waits for all of them runs what is queued. */
static apr_status_t waits_for_all(void *baton, void **result)
{
    brood_future_t *future[N], *all;
    apr_status_t rv;
    int i;

    (void)result;
    for (i = 0; i < N; i++) {
        rv = brood_thread_manager_submit(&future[i], baton, returns_baton, NULL,
                                         NULL);
        if (rv != APR_SUCCESS)
            return rv;
    }
    rv = brood_future_all(&all, future, N);
    if (rv == APR_SUCCESS) {
        rv = brood_future_get(all, NULL, -1);
        brood_future_release(all);
    }
    for (i = 0; i < N; i++)
        brood_future_release(future[i]);
    return rv;
}

static void a_lone_worker_runs_them_while_it_waits(void)
{
    brood_thread_manager_t *one = start("one", 1, 0);
    brood_future_t *future = submit(one, waits_for_all, one, NULL);

    ASSERT_STATUS(APR_SUCCESS, brood_future_get(future, NULL, -1));
    brood_future_release(future);
    stop(one);
}

/* all(all(all(...), x), x): settling the innermost must not need a stack as deep
 * as that, nor canceling the outermost. */
static void a_deep_nest_needs_no_deep_stack(void)
{
    apr_size_t width;
    unsigned i;

    for (width = 1; width <= 2; width++) {
        pledge_t p = pledge();
        brood_future_t *all = brood_future_retain(p.future);

        for (i = 0; i < DEPTH; i++) {
            brood_future_t *pair[2] = { all, p.future };
            brood_future_t *outer = NULL;

            ASSERT_STATUS_FATAL(APR_SUCCESS,
                                brood_future_all(&outer, pair, width));
            brood_future_release(all);
            all = outer;
        }
        ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(all));
        ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(all));
        ASSERT_STATUS(APR_SUCCESS,
                      brood_promise_settle(p.promise, APR_EGENERAL, NULL));
        ASSERT_STATUS(APR_EGENERAL, brood_future_get(all, NULL, 0));
        brood_future_release(all);
        brood_future_release(p.future);
    }
}

static void without_memory_nothing_is_made(void)
{
    brood_future_t *all = NULL;
    pledge_t p = pledge();
    const size_t live = brood__alloc_live();
    apr_status_t rv;
    unsigned n = 0;

    do {
        brood__fault_at(BROOD__FAULT_MEMORY, ++n);
        rv = brood_future_all(&all, &p.future, 1);
        if (rv != APR_SUCCESS) {
            ASSERT_STATUS(APR_ENOMEM, rv);
            CU_ASSERT_PTR_NULL(all);
            CU_ASSERT_EQUAL(brood__alloc_live(), live);
        }
    } while (rv != APR_SUCCESS);
    brood__fault_at(BROOD__FAULT_MEMORY, 0);
    CU_ASSERT_EQUAL(n, 4); /* the gathering, the future, its extra, none */
    brood_promise_release(p.promise);
    ASSERT_STATUS(BROOD_EABANDONED, brood_future_result(all, NULL));
    brood_future_release(all);
    brood_future_release(p.future);
}

static const test_t tests[] = {
    TEST(bad_input_makes_nothing),
    TEST(of_none_is_settled_at_once),
    TEST(it_settles_with_the_last_and_the_first_failure),
    TEST(its_children_may_be_settled_before),
    TEST(it_holds_references_of_its_own),
    TEST(canceling_it_cancels_each),
    TEST_KEEPS(a_lone_worker_runs_them_while_it_waits, KEEPS_MEMORY),
    TEST_KEEPS(a_deep_nest_needs_no_deep_stack, KEEPS_MEMORY),
    TEST(without_memory_nothing_is_made),
};

HARNESS_MAIN_WARM("all", tests, warm_up)
