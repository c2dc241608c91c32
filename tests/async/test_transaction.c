/* SPDX-License-Identifier: Apache-2.0 */

/* test_transaction.c: begin, join, doom, suspend, end. */

#include "async/bank.h"

static void calls_of_a_transaction_share_one_thread_in_order(void)
{
    brood_affinity_pool_t *pool = pool_of(4);
    bank_t bank = { 0 };
    brood_transaction_t *tx = begin_on(&bank, pool);
    atomic_int order = 0;
    call_t calls[20];
    brood_future_t *futures[20];
    int i;

    CU_ASSERT_EQUAL(atomic_load(&bank.begun), 1);
    for (i = 0; i < 20; i++) {
        calls[i] = (call_t){ .order = &order };
        ASSERT_STATUS_FATAL(
            APR_SUCCESS,
            brood_sync_to_async(&futures[i], run_call, &calls[i], NULL));
    }
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
    for (i = 0; i < 20; i++) {
        ASSERT_STATUS(APR_SUCCESS, finish(futures[i]));
        CU_ASSERT_EQUAL(calls[i].at, i);
        CU_ASSERT_EQUAL(calls[i].thread, bank.begin_thread);
    }
    CU_ASSERT_EQUAL(bank.end_thread, bank.begin_thread);
    CU_ASSERT_EQUAL(atomic_load(&bank.committed), 1);
    CU_ASSERT_EQUAL(atomic_load(&bank.rolled_back), 0);
    CU_ASSERT_EQUAL(atomic_load(&bank.wrong), 0);
}

static void the_end_acts_behind_queued_calls(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    bank_t bank = { 0 };
    brood_transaction_t *tx = begin_on(&bank, pool);
    int i;

    for (i = 0; i < 30; i++)
        ASSERT_STATUS(APR_SUCCESS,
                      brood_sync_to_async(NULL, bank_statement, &bank, NULL));
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
    CU_ASSERT_EQUAL(bank.after, 30);
    CU_ASSERT_EQUAL(atomic_load(&bank.wrong), 0);
}

static void the_end_returns_what_on_end_returned(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    bank_t bank = { .fail_end = APR_EGENERAL };
    bank_t undone = { 0 };

    ASSERT_STATUS(APR_EGENERAL,
                  brood_transaction_end(begin_on(&bank, pool), APR_SUCCESS));
    CU_ASSERT_PTR_NULL(brood_transaction_id()); /* closed regardless */
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(begin_on(&undone, pool),
                                                     APR_EINCOMPLETE));
    CU_ASSERT_EQUAL(atomic_load(&undone.outcome), APR_EINCOMPLETE);
    CU_ASSERT_EQUAL(atomic_load(&undone.rolled_back), 1);
}

static void the_id_is_there_while_it_is_open(void)
{
    brood_affinity_pool_t *pool = pool_of(3);
    brood_transaction_options_t options = BROOD_TRANSACTION_OPTIONS_INIT;
    brood_transaction_t *tx, *inner;
    char first[64];

    CU_ASSERT_PTR_NULL(brood_transaction_id());
    options.pool = pool;
    tx = begin_with(&options);
    CU_ASSERT_PTR_NOT_NULL_FATAL(brood_transaction_id());
    strncpy(first, brood_transaction_id(), sizeof(first) - 1);
    options.requires_new = 1;
    inner = begin_with(&options);
    CU_ASSERT_STRING_NOT_EQUAL(brood_transaction_id(), first);
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(inner, APR_SUCCESS));
    CU_ASSERT_STRING_EQUAL(brood_transaction_id(), first);
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
    CU_ASSERT_PTR_NULL(brood_transaction_id());
}

static void a_failing_on_begin_opens_nothing(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    bank_t bank = { .fail_begin = APR_EGENERAL };
    brood_transaction_options_t options = with_bank(&bank, pool);
    brood_transaction_t *tx = (brood_transaction_t *)&bank;
    int i;

    for (i = 0; i < 10; i++) {
        ASSERT_STATUS(APR_EGENERAL, brood_transaction_begin(&tx, &options));
        CU_ASSERT_PTR_NULL(tx);
        CU_ASSERT_PTR_NULL(brood_transaction_id());
        CU_ASSERT_EQUAL(census_of(pool).leased, 0);
    }
    CU_ASSERT_EQUAL(atomic_load(&bank.rolled_back), 0);
}

/* ---- joining -------------------------------------------------------------- */

static void an_inner_begin_joins_and_only_the_outermost_end_closes(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    bank_t bank = { 0 }, unused = { 0 };
    brood_transaction_t *tx = begin_on(&bank, pool);
    brood_transaction_t *inner = begin_on(&unused, pool);

    CU_ASSERT(inner != tx);
    ASSERT_STATUS(APR_SUCCESS, call(bank_statement, &bank));
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(inner, APR_SUCCESS));
    CU_ASSERT_EQUAL(atomic_load(&bank.committed), 0);
    ASSERT_STATUS(APR_SUCCESS, call(bank_statement, &bank));
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
    CU_ASSERT_EQUAL(atomic_load(&bank.committed), 1);
    CU_ASSERT_EQUAL(atomic_load(&bank.wrong), 0);
    CU_ASSERT_EQUAL(atomic_load(&unused.begun), 0);
}

static void a_failed_part_dooms_the_whole(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    bank_t bank = { 0 };
    brood_transaction_t *tx = begin_on(&bank, pool);
    brood_transaction_t *inner = begin_on(&bank, pool);

    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(inner, APR_EGENERAL));
    ASSERT_STATUS(APR_SUCCESS, call(bank_statement, &bank));
    ASSERT_STATUS(BROOD_EROLLEDBACK, brood_transaction_end(tx, APR_SUCCESS));
    CU_ASSERT_EQUAL(atomic_load(&bank.rolled_back), 1);
    CU_ASSERT_EQUAL(atomic_load(&bank.outcome), BROOD_EROLLEDBACK);
    CU_ASSERT_PTR_NULL(brood_transaction_id());
}

static void a_part_that_is_still_open_has_not_agreed(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    bank_t bank = { 0 };
    brood_transaction_t *tx = begin_on(&bank, pool);
    brood_transaction_t *inner = begin_on(&bank, pool);

    ASSERT_STATUS(BROOD_EROLLEDBACK, brood_transaction_end(tx, APR_SUCCESS));
    CU_ASSERT_EQUAL(atomic_load(&bank.rolled_back), 1);
    ASSERT_STATUS(BROOD_ESTALE, brood_transaction_end(inner, APR_SUCCESS));
}

static void requires_new_suspends_the_outer_one_until_its_end(void)
{
    brood_affinity_pool_t *pool = pool_of(3);
    bank_t bank = { 0 }, log = { 0 };
    brood_transaction_options_t options = with_bank(&log, pool);
    brood_transaction_t *tx = begin_on(&bank, pool);
    brood_transaction_t *audit;

    options.requires_new = 1;
    audit = begin_with(&options);
    CU_ASSERT(log.begin_thread != bank.begin_thread);
    ASSERT_STATUS(APR_SUCCESS, call(bank_statement, &log));
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(audit, APR_SUCCESS));
    ASSERT_STATUS(APR_SUCCESS, call(bank_statement, &bank));
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_EGENERAL));
    CU_ASSERT_EQUAL(atomic_load(&log.committed), 1);
    CU_ASSERT_EQUAL(atomic_load(&bank.rolled_back), 1);
    CU_ASSERT_EQUAL(atomic_load(&bank.wrong) + atomic_load(&log.wrong), 0);
}

static void waiting_inside_of_all_that_could_end_is_a_deadlock(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    bank_t bank = { 0 };
    brood_transaction_options_t options = with_bank(&bank, pool);
    brood_transaction_t *tx = begin_with(&options);
    brood_transaction_t *inner = NULL;

    options.requires_new = 1;
    ASSERT_STATUS(BROOD_EDEADLK, brood_transaction_begin(&inner, &options));
    options.begin_timeout = 1000;
    ASSERT_STATUS(BROOD_EFULL, brood_transaction_begin(&inner, &options));
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
}

/* ---- stale ---------------------------------------------------------------- */

typedef struct carrier_t {
    door_t go;
    bank_t *bank;
    apr_status_t called, begun, resumed;
    const char *id;
    brood_transaction_t *tx;
} carrier_t;

/* Submitted inside of a transaction, goes on after its end. */
static apr_status_t carry_on(void *baton, void **result)
{
    carrier_t *carrier = baton;
    brood_transaction_t *tx = NULL;

    (void)result;
    door_wait(&carrier->go);
    carrier->id = brood_transaction_id();
    carrier->called = call(bank_statement, carrier->bank);
    carrier->begun = brood_transaction_begin(&tx, NULL);
    carrier->resumed = brood_transaction_resume(carrier->tx);
    return APR_SUCCESS;
}

static void whoever_still_carries_an_ended_one_is_stale(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    brood_thread_manager_t *manager = threads();
    bank_t bank = { 0 };
    carrier_t carrier = { .bank = &bank };
    brood_future_t *future = NULL;
    brood_transaction_t *tx = begin_on(&bank, pool), *other;

    door_init(&carrier.go);
    carrier.tx = tx;
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit(
                                   &future, manager, carry_on, &carrier, NULL));
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
    /* The same thread is somebody else's by now. */
    other = begin_on(&bank, pool);
    door_open(&carrier.go);
    ASSERT_STATUS(APR_SUCCESS, finish(future));
    ASSERT_STATUS(BROOD_ESTALE, carrier.called);
    ASSERT_STATUS(BROOD_ESTALE, carrier.begun);
    ASSERT_STATUS(BROOD_ESTALE, carrier.resumed);
    CU_ASSERT_PTR_NULL(carrier.id);
    CU_ASSERT_EQUAL(atomic_load(&bank.statements), 0);
    ASSERT_STATUS(BROOD_ESTALE, brood_transaction_end(tx, APR_SUCCESS));
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(other, APR_SUCCESS));
    stop_threads(manager);
    door_fini(&carrier.go);
}

static apr_status_t end_it(void *baton, void **result)
{
    (void)result;
    return brood_transaction_end(baton, APR_SUCCESS);
}

static void a_descendant_may_end_it(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    brood_thread_manager_t *manager = threads();
    bank_t bank = { 0 };
    brood_future_t *future = NULL;
    brood_transaction_t *tx = begin_on(&bank, pool), *next = NULL;

    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit(&future, manager,
                                                           end_it, tx, NULL));
    ASSERT_STATUS(APR_SUCCESS, finish(future));
    CU_ASSERT_EQUAL(atomic_load(&bank.committed), 1);
    /* We still carry it, until we end it as well. */
    ASSERT_STATUS(BROOD_ESTALE, call(bank_statement, &bank));
    ASSERT_STATUS(BROOD_ESTALE, brood_transaction_begin(&next, NULL));
    ASSERT_STATUS(BROOD_ESTALE, brood_transaction_end(tx, APR_SUCCESS));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_transaction_end(begin_on(&bank, pool), APR_SUCCESS));
    stop_threads(manager);
}

/* ---- suspend, resume -------------------------------------------------------- */

static void suspended_calls_are_ordinary_ones(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    bank_t bank = { 0 };
    brood_transaction_t *tx, *out = NULL;

    ASSERT_STATUS(APR_SUCCESS, brood_affinity_pool_use(pool));
    tx = begin_on(&bank, NULL);
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_suspend(&out));
    CU_ASSERT_PTR_NOT_NULL(out);
    CU_ASSERT_PTR_NULL(brood_transaction_id());
    ASSERT_STATUS(APR_SUCCESS, call(free_statement, &bank));
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_resume(out));
    ASSERT_STATUS(APR_SUCCESS, call(bank_statement, &bank));
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
    ASSERT_STATUS(BROOD_ESTALE, brood_transaction_resume(out));
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_suspend(&out));
    CU_ASSERT_PTR_NULL(out);
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_resume(NULL));
    CU_ASSERT_EQUAL(atomic_load(&bank.wrong), 0);
    CU_ASSERT_EQUAL(atomic_load(&bank.committed), 1);
    ASSERT_STATUS(APR_SUCCESS, brood_affinity_pool_use(NULL));
}

static void variables_set_inside_stay_set_after_the_end(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    bank_t bank = { 0 };
    brood_context_key_t *key = NULL;
    brood_transaction_t *tx;

    ASSERT_STATUS(APR_SUCCESS, brood_context_key_make(&key, "test"));
    tx = begin_on(&bank, pool);
    ASSERT_STATUS(APR_SUCCESS, brood_context_set(key, &bank, NULL));
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
    CU_ASSERT_PTR_EQUAL(brood_context_get(key), &bank);
    CU_ASSERT_PTR_NULL(brood_transaction_id());
    ASSERT_STATUS(APR_SUCCESS, brood_context_set(key, NULL, NULL));
}

/* ---- forgotten -------------------------------------------------------------- */

typedef struct forgetful_t {
    brood_affinity_pool_t *pool;
    bank_t *bank;
    int joins;
    apr_status_t rv;
} forgetful_t;

static apr_status_t forget(void *baton, void **result)
{
    forgetful_t *self = baton;
    brood_transaction_options_t options = with_bank(self->bank, self->pool);
    brood_transaction_t *tx = NULL;

    (void)result;
    self->rv = brood_transaction_begin(&tx, &options);
    if (self->rv == APR_SUCCESS)
        self->rv = call(bank_statement, self->bank);
    return APR_SUCCESS;
}

static void *APR_THREAD_FUNC forget_on_thread(apr_thread_t *thread, void *baton)
{
    forget(baton, NULL);
    (void)thread;
    return NULL;
}

static void a_task_that_forgets_it_rolls_it_back(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    brood_thread_manager_t *manager = threads();
    bank_t bank = { 0 };
    forgetful_t self = { pool, &bank, 0, APR_EGENERAL };
    brood_future_t *future = NULL;
    int i;

    for (i = 1; i <= 3; i++) {
        ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit(
                                       &future, manager, forget, &self, NULL));
        ASSERT_STATUS(APR_SUCCESS, finish(future));
        ASSERT_STATUS(APR_SUCCESS, self.rv);
        CU_ASSERT_EQUAL(atomic_load(&bank.rolled_back), i);
        CU_ASSERT_EQUAL(atomic_load(&bank.outcome), BROOD_EABANDONED);
        CU_ASSERT_EQUAL(census_of(pool).leased, 0);
    }
    CU_ASSERT_EQUAL(atomic_load(&bank.wrong), 0);
    stop_threads(manager);
}

static void a_thread_that_forgets_it_rolls_it_back(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    bank_t bank = { 0 };
    forgetful_t self = { pool, &bank, 0, APR_EGENERAL };
    apr_thread_t *thread = NULL;
    apr_status_t ended;

    ASSERT_STATUS(
        APR_SUCCESS,
        brood_thread_create(&thread, NULL, forget_on_thread, &self, test_pool));
    apr_thread_join(&ended, thread);
    ASSERT_STATUS(APR_SUCCESS, self.rv);
    WAIT_UNTIL(atomic_load(&bank.rolled_back) == 1);
    CU_ASSERT_EQUAL(atomic_load(&bank.wrong), 0);
}

static void a_task_that_forgets_a_part_dooms_the_whole(void)
{
    brood_affinity_pool_t *pool = pool_of(2);
    brood_thread_manager_t *manager = threads();
    bank_t bank = { 0 };
    forgetful_t self = { pool, &bank, 1, APR_EGENERAL };
    brood_future_t *future = NULL;
    brood_transaction_t *tx = begin_on(&bank, pool);

    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_submit(
                                   &future, manager, forget, &self, NULL));
    ASSERT_STATUS(APR_SUCCESS, finish(future));
    ASSERT_STATUS(APR_SUCCESS, self.rv);
    CU_ASSERT_EQUAL(atomic_load(&bank.rolled_back), 0);
    ASSERT_STATUS(BROOD_EROLLEDBACK, brood_transaction_end(tx, APR_SUCCESS));
    stop_threads(manager);
}

static const test_t tests[] = {
    TEST(calls_of_a_transaction_share_one_thread_in_order),
    TEST(the_end_acts_behind_queued_calls),
    TEST(the_end_returns_what_on_end_returned),
    TEST(the_id_is_there_while_it_is_open),
    TEST(a_failing_on_begin_opens_nothing),
    TEST(an_inner_begin_joins_and_only_the_outermost_end_closes),
    TEST(a_failed_part_dooms_the_whole),
    TEST(a_part_that_is_still_open_has_not_agreed),
    TEST(requires_new_suspends_the_outer_one_until_its_end),
    TEST(waiting_inside_of_all_that_could_end_is_a_deadlock),
    TEST(whoever_still_carries_an_ended_one_is_stale),
    TEST(a_descendant_may_end_it),
    TEST(suspended_calls_are_ordinary_ones),
    TEST_KEEPS(variables_set_inside_stay_set_after_the_end, KEEPS_MEMORY),
    TEST(a_task_that_forgets_it_rolls_it_back),
    TEST(a_thread_that_forgets_it_rolls_it_back),
    TEST(a_task_that_forgets_a_part_dooms_the_whole),
};

HARNESS_MAIN_WARM("transaction", tests, warm_up_threads)
