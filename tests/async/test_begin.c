/* SPDX-License-Identifier: Apache-2.0 */

/* test_begin.c: who waits for a thread, for how long, and what ends the wait. */

#include "async/affinity.h"
#include "async/bank.h"

/* A task that begins a transaction, tells so, and ends it at a door. */
typedef struct beginner_t {
    brood_transaction_options_t options;
    turnstile_t *begun;      /* or NULL */
    door_t *hold;            /* or NULL */
    atomic_int *order;       /* or NULL */
    int at;                  /* out */
    apr_status_t begin, end; /* out */
} beginner_t;

static apr_status_t begin_and_end(void *baton, void **result)
{
    beginner_t *self = baton;
    brood_transaction_t *tx = NULL;

    (void)result;
    self->begin = brood_transaction_begin(&tx, &self->options);
    if (self->order)
        self->at = atomic_fetch_add(self->order, 1);
    if (self->begun)
        turnstile_pass(self->begun);
    if (self->begin != APR_SUCCESS)
        return self->begin;
    if (self->hold)
        door_wait(self->hold);
    self->end = brood_transaction_end(tx, APR_SUCCESS);
    return self->end;
}

static brood_future_t *start(beginner_t *self, brood_thread_manager_t *manager)
{
    brood_future_t *future = NULL;

    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_thread_manager_submit(&future, manager,
                                                    begin_and_end, self, NULL));
    return future;
}

/* How many wait for a thread. */
static int waiting_for(brood_affinity_pool_t *pool)
{
    brood__link_t *link;
    int n = 0;

    brood__lock(&pool->lock);
    BROOD__LIST_EACH (&pool->waiters, link)
        n++;
    brood__unlock(&pool->lock);
    return n;
}

static void begin_waits_until_a_thread_is_free(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    brood_thread_manager_t *manager = threads();
    bank_t bank = { 0 };
    beginner_t self = { .options = with_bank(&bank, pool) };
    brood_transaction_t *tx = begin_on(&bank, pool);
    brood_future_t *future;
    brood_transaction_t *out = NULL;

    /* Not as our descendant: it would join. */
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_suspend(&out));
    future = start(&self, manager);
    WAIT_UNTIL(waiting_for(pool) == 1);
    CU_ASSERT_EQUAL(atomic_load(&bank.begun), 1);
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
    ASSERT_STATUS(APR_SUCCESS, finish(future));
    CU_ASSERT_EQUAL(atomic_load(&bank.committed), 2);
    CU_ASSERT_EQUAL(atomic_load(&bank.wrong), 0);
    stop_threads(manager);
}

static void those_who_wait_are_served_in_order(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    brood_thread_manager_t *manager = threads();
    bank_t bank = { 0 };
    atomic_int order = 0;
    beginner_t waiting[5];
    brood_future_t *futures[5];
    brood_transaction_t *tx = begin_on(&bank, pool), *out = NULL;
    int i;

    ASSERT_STATUS(APR_SUCCESS, brood_transaction_suspend(&out));
    for (i = 0; i < 5; i++) {
        waiting[i] = (beginner_t){ .options = with_bank(&bank, pool),
                                   .order = &order };
        futures[i] = start(&waiting[i], manager);
        WAIT_UNTIL(waiting_for(pool) == i + 1);
    }
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
    for (i = 0; i < 5; i++) {
        ASSERT_STATUS(APR_SUCCESS, finish(futures[i]));
        CU_ASSERT_EQUAL(waiting[i].at, i);
    }
    CU_ASSERT_EQUAL(atomic_load(&bank.wrong), 0);
    stop_threads(manager);
}

static void begin_fails_full_when_its_time_is_over(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    bank_t bank = { 0 };
    brood_transaction_options_t options = with_bank(&bank, pool);
    brood_transaction_t *tx = begin_on(&bank, pool), *out = NULL, *no = NULL;

    ASSERT_STATUS(APR_SUCCESS, brood_transaction_suspend(&out));
    options.begin_timeout = -1;
    ASSERT_STATUS(BROOD_EFULL, brood_transaction_begin(&no, &options));
    options.begin_timeout = 3000;
    ASSERT_STATUS(BROOD_EFULL, brood_transaction_begin(&no, &options));
    CU_ASSERT_PTR_NULL(no);
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_resume(out));
    ASSERT_STATUS(APR_SUCCESS, call(bank_statement, &bank));
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
    CU_ASSERT_EQUAL(census_of(pool).leased, 0);
    options.begin_timeout = -1; /* a thread that is free may be slow to come */
    WAIT_UNTIL(brood_transaction_begin(&tx, &options) != BROOD_EFULL);
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
}

static void begin_fails_full_when_general_calls_have_every_thread(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    bank_t bank = { 0 };
    brood_transaction_options_t options = with_bank(&bank, pool);
    brood_transaction_t *no = NULL;
    turnstile_t arrived;
    door_t hold;
    call_t calls[2];
    brood_future_t *futures[2];
    int i;

    turnstile_init(&arrived);
    door_init(&hold);
    for (i = 0; i < 2; i++) {
        calls[i] = (call_t){ .arrived = &arrived, .hold = &hold };
        futures[i] = submit(pool, NULL, &calls[i]);
    }
    turnstile_wait(&arrived, 2);
    options.begin_timeout = -1;
    ASSERT_STATUS(BROOD_EFULL, brood_transaction_begin(&no, &options));
    options.begin_timeout = 3000;
    ASSERT_STATUS(BROOD_EFULL, brood_transaction_begin(&no, &options));
    door_open(&hold);
    for (i = 0; i < 2; i++)
        ASSERT_STATUS(APR_SUCCESS, finish(futures[i]));
    options.begin_timeout = 0;
    ASSERT_STATUS(APR_SUCCESS,
                  brood_transaction_end(begin_with(&options), APR_SUCCESS));
    CU_ASSERT_EQUAL(atomic_load(&bank.begun), 1);
    turnstile_fini(&arrived);
    door_fini(&hold);
}

static void a_canceled_wait_leaves_the_queue(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    brood_thread_manager_t *manager = threads();
    bank_t bank = { 0 };
    beginner_t first = { .options = with_bank(&bank, pool) };
    beginner_t second = { .options = with_bank(&bank, pool) };
    brood_future_t *a, *b;
    brood_transaction_t *tx = begin_on(&bank, pool), *out = NULL;

    ASSERT_STATUS(APR_SUCCESS, brood_transaction_suspend(&out));
    a = start(&first, manager);
    WAIT_UNTIL(waiting_for(pool) == 1);
    b = start(&second, manager);
    WAIT_UNTIL(waiting_for(pool) == 2);
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(a));
    ASSERT_STATUS(BROOD_ECANCELED, finish(a));
    ASSERT_STATUS(BROOD_EINTERRUPTED, first.begin);
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
    ASSERT_STATUS(APR_SUCCESS, finish(b));
    CU_ASSERT_EQUAL(atomic_load(&bank.begun), 2);
    stop_threads(manager);
}

/* A begin that is in its on_begin, until it is let go. */
typedef struct midway_t {
    brood_affinity_pool_t *pool;
    brood_thread_manager_t *manager;
    bank_t bank;
    turnstile_t inside;
    door_t hold;
    beginner_t self;
    brood_future_t *future;
} midway_t;

static void begin_midway(midway_t *midway)
{
    memset(midway, 0, sizeof(*midway));
    midway->pool = pool_of(2);
    midway->manager = threads();
    turnstile_init(&midway->inside);
    door_init(&midway->hold);
    midway->bank.in_begin = &midway->inside;
    midway->bank.hold_begin = &midway->hold;
    midway->self.options = with_bank(&midway->bank, midway->pool);
    midway->future = start(&midway->self, midway->manager);
    turnstile_wait(&midway->inside, 1);
}

/* It has begun, and what it did is undone. */
static void let_go_in_vain(midway_t *midway, apr_status_t expected)
{
    door_open(&midway->hold);
    ASSERT_STATUS(expected, finish(midway->future));
    CU_ASSERT_EQUAL(atomic_load(&midway->bank.begun), 1);
    CU_ASSERT_EQUAL(atomic_load(&midway->bank.rolled_back), 1);
    CU_ASSERT_EQUAL(atomic_load(&midway->bank.wrong), 0);
}

static void midway_fini(midway_t *midway)
{
    stop_threads(midway->manager);
    turnstile_fini(&midway->inside);
    door_fini(&midway->hold);
}

static void what_a_canceled_begin_has_begun_is_rolled_back(void)
{
    midway_t midway;

    begin_midway(&midway);
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(midway.future));
    ASSERT_STATUS(APR_TIMEUP, brood_future_wait(midway.future, 5000));
    let_go_in_vain(&midway, BROOD_ECANCELED);
    ASSERT_STATUS(BROOD_EINTERRUPTED, midway.self.begin);
    CU_ASSERT_EQUAL(census_of(midway.pool).leased, 0);
    midway_fini(&midway);
}

static void an_end_is_never_interrupted(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    brood_thread_manager_t *manager = threads();
    bank_t bank = { 0 };
    turnstile_t begun;
    door_t hold;
    beginner_t self;
    brood_future_t *future;

    turnstile_init(&begun);
    door_init(&hold);
    self = (beginner_t){ .options = with_bank(&bank, pool),
                         .begun = &begun,
                         .hold = &hold };
    future = start(&self, manager);
    turnstile_wait(&begun, 1);
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(future));
    door_open(&hold);
    ASSERT_STATUS(APR_SUCCESS, finish(future));
    ASSERT_STATUS(APR_SUCCESS, self.end);
    CU_ASSERT_EQUAL(atomic_load(&bank.committed), 1);
    stop_threads(manager);
    turnstile_fini(&begun);
    door_fini(&hold);
}

static apr_status_t refuse_start(void *baton)
{
    return atomic_load((atomic_int *)baton);
}

static void a_thread_that_cannot_start_fails_begin(void)
{
    static atomic_int status;
    brood_affinity_pool_options_t options = BROOD_AFFINITY_POOL_OPTIONS_INIT;
    brood_affinity_pool_t *pool;
    bank_t bank = { 0 };
    brood_transaction_options_t with;
    brood_transaction_t *tx = NULL;
    occupied_t all;
    apr_status_t rv;
    int begun = 0;

    options.max_threads = 8;
    options.on_thread_start = refuse_start;
    options.hook_baton = &status;
    pool = pool_with(&options);
    with = with_bank(&bank, pool);
    atomic_store(&status, APR_EGENERAL);
    ASSERT_STATUS(APR_EGENERAL, brood_transaction_begin(&tx, &with));
    atomic_store(&status, 0);

    /* Also when another thread lives, but is busy; one more may have been on its
     * way already. */
    occupy(&all, pool, &status, APR_EGENERAL);
    while ((rv = brood_transaction_begin(&tx, &with)) == APR_SUCCESS) {
        ASSERT_STATUS_FATAL(APR_SUCCESS,
                            brood_transaction_end(tx, APR_SUCCESS));
        begun++;
        occupy_more(&all, pool, &status, APR_EGENERAL);
    }
    ASSERT_STATUS(APR_EGENERAL, rv);
    CU_ASSERT_PTR_NULL(tx);
    CU_ASSERT_EQUAL(atomic_load(&bank.begun), begun);

    /* Who could not start may still be on his way to tell. */
    atomic_store(&status, 0);
    WAIT_UNTIL(brood_transaction_begin(&tx, &with) != APR_EGENERAL);
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
    vacate(&all);
}

static void a_thread_that_cannot_be_made_fails_begin(void)
{
    static atomic_int status;
    brood_affinity_pool_options_t options = BROOD_AFFINITY_POOL_OPTIONS_INIT;
    brood_affinity_pool_t *pool;
    bank_t bank = { 0 };
    brood_transaction_options_t with;
    brood_transaction_t *tx = NULL;
    occupied_t all;

    options.max_threads = 8;
    options.on_thread_start = refuse_start;
    options.hook_baton = &status;
    pool = pool_with(&options);
    with = with_bank(&bank, pool);
    brood__fault_at(BROOD__FAULT_THREAD, 1);
    ASSERT_STATUS(APR_EAGAIN, brood_transaction_begin(&tx, &with));
    occupy(&all, pool, &status, 0);
    if (census_of(pool).threads < 8) {
        apr_status_t rv;

        /* Unless one more was on its way already. */
        brood__fault_at(BROOD__FAULT_THREAD, 1);
        rv = brood_transaction_begin(&tx, &with);
        CU_ASSERT(rv == APR_EAGAIN || rv == APR_SUCCESS);
        if (rv == APR_SUCCESS)
            ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
    }
    brood__fault_at(BROOD__FAULT_THREAD, 0);
    vacate(&all);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_transaction_end(begin_with(&with), APR_SUCCESS));
}

static void a_shutdown_ends_those_who_wait(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    brood_thread_manager_t *manager = threads();
    bank_t bank = { 0 };
    beginner_t self = { .options = with_bank(&bank, pool) };
    brood_transaction_t *tx = begin_on(&bank, pool), *out = NULL;
    brood_transaction_options_t options = with_bank(&bank, pool);
    brood_future_t *future;

    ASSERT_STATUS(APR_SUCCESS, brood_transaction_suspend(&out));
    future = start(&self, manager);
    WAIT_UNTIL(waiting_for(pool) == 1);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_affinity_pool_shutdown(pool, BROOD_STOP_DRAIN, -1));
    ASSERT_STATUS(BROOD_ESTOPPED, finish(future));
    ASSERT_STATUS(BROOD_ESTOPPED, brood_transaction_begin(&out, &options));

    /* The one that was open was rolled back for us. */
    CU_ASSERT_EQUAL(atomic_load(&bank.rolled_back), 1);
    CU_ASSERT_EQUAL(atomic_load(&bank.outcome), BROOD_ESTOPPED);
    ASSERT_STATUS(BROOD_ESTALE, brood_transaction_end(tx, APR_SUCCESS));
    CU_ASSERT_EQUAL(atomic_load(&bank.wrong), 0);
    stop_threads(manager);
}

static void a_shutdown_during_on_begin_rolls_back(void)
{
    midway_t midway;

    begin_midway(&midway);
    ASSERT_STATUS(APR_TIMEUP, brood_affinity_pool_shutdown(
                                  midway.pool, BROOD_STOP_DRAIN, 0));
    let_go_in_vain(&midway, BROOD_ESTOPPED);
    ASSERT_STATUS(APR_SUCCESS, brood_affinity_pool_shutdown(
                                   midway.pool, BROOD_STOP_DRAIN, -1));
    midway_fini(&midway);
}

static void bad_input_opens_nothing(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    brood_transaction_options_t options = BROOD_TRANSACTION_OPTIONS_INIT;
    brood_transaction_t *tx = NULL;

    options.pool = pool;
    ASSERT_STATUS(APR_EINVAL, brood_transaction_begin(NULL, &options));
    options.size++;
    ASSERT_STATUS(APR_EINVAL, brood_transaction_begin(&tx, &options));
    options.size = 1;
    ASSERT_STATUS(APR_EINVAL, brood_transaction_begin(&tx, &options));
    ASSERT_STATUS(APR_EINVAL, brood_transaction_end(NULL, APR_SUCCESS));
    ASSERT_STATUS(APR_EINVAL, brood_transaction_suspend(NULL));
    ASSERT_STATUS(
        BROOD_ESTALE,
        brood_transaction_end((brood_transaction_t *)&options, APR_SUCCESS));
    CU_ASSERT_EQUAL(census_of(pool).threads, 0);
}

static const test_t tests[] = {
    TEST(begin_waits_until_a_thread_is_free),
    TEST(those_who_wait_are_served_in_order),
    TEST(begin_fails_full_when_its_time_is_over),
    TEST(begin_fails_full_when_general_calls_have_every_thread),
    TEST(a_canceled_wait_leaves_the_queue),
    TEST(what_a_canceled_begin_has_begun_is_rolled_back),
    TEST(an_end_is_never_interrupted),
    TEST(a_thread_that_cannot_start_fails_begin),
    TEST(a_thread_that_cannot_be_made_fails_begin),
    TEST(a_shutdown_ends_those_who_wait),
    TEST(a_shutdown_during_on_begin_rolls_back),
    TEST(bad_input_opens_nothing),
};

HARNESS_MAIN_WARM("begin", tests, warm_up_threads)
