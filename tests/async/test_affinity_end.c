/* SPDX-License-Identifier: Apache-2.0 */

/* test_affinity_end.c: the library's end, and a fork, with pools in use. */

#include <stdlib.h>
#include "async/bank.h"

static bank_t g_bank;

static void begin_anew(void)
{
    memset(&g_bank, 0, sizeof(g_bank));
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_initialize());
}

static void a_pool_may_go_after_the_library(void)
{
    call_t call = { 0 };

    begin_anew();
    ASSERT_STATUS(APR_SUCCESS, finish(submit(pool_of(2), "ctx", &call)));
    ASSERT_STATUS(APR_SUCCESS, finish(submit(pool_of(2), NULL, &call)));
    (void)pool_of(3); /* never used */
    brood_terminate();
    apr_pool_clear(test_pool);
}

static void a_pool_may_go_before_the_library(void)
{
    call_t call = { 0 };

    begin_anew();
    ASSERT_STATUS(APR_SUCCESS, finish(submit(pool_of(2), "ctx", &call)));
    apr_pool_clear(test_pool);
    brood_terminate();
}

static void the_default_pool_ends_with_the_library(void)
{
    call_t call_ = { 0 };
    int i;

    for (i = 0; i < 3; i++) {
        begin_anew();
        ASSERT_STATUS(APR_SUCCESS, call(run_call, &call_));
        ASSERT_STATUS(APR_SUCCESS,
                      brood_transaction_end(begin_with(NULL), APR_SUCCESS));
        brood_terminate();
    }
}

static void what_is_open_at_the_end_is_rolled_back(void)
{
    begin_anew();
    (void)begin_on(&g_bank, pool_of(2));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_sync_to_async(NULL, bank_statement, &g_bank, NULL));
    brood_terminate();
    CU_ASSERT_EQUAL(atomic_load(&g_bank.rolled_back), 1);
    CU_ASSERT_EQUAL(g_bank.after, 1);
    CU_ASSERT_EQUAL(atomic_load(&g_bank.wrong), 0);
    apr_pool_clear(test_pool);
}

typedef struct hold_t {
    brood_affinity_pool_t *pool;
    turnstile_t arrived;
    door_t hold;
} hold_t;

static void *begin_and_stay(void *baton)
{
    hold_t *hold = baton;
    brood_transaction_options_t options = with_bank(&g_bank, hold->pool);
    brood_transaction_t *tx = NULL;

    brood_transaction_begin(&tx, &options);
    turnstile_pass(&hold->arrived);
    door_wait(&hold->hold);
    return NULL;
}

static void another_threads_transaction_is_rolled_back_too(void)
{
    hold_t hold;
    pthread_t thread;

    begin_anew();
    turnstile_init(&hold.arrived);
    door_init(&hold.hold);
    hold.pool = pool_of(2);
    CU_ASSERT_FATAL(!pthread_create(&thread, NULL, begin_and_stay, &hold));
    turnstile_wait(&hold.arrived, 1);
    brood_terminate();
    CU_ASSERT_EQUAL(atomic_load(&g_bank.rolled_back), 1);
    CU_ASSERT_EQUAL(atomic_load(&g_bank.outcome), BROOD_ESTOPPED);
    door_open(&hold.hold);
    pthread_join(thread, NULL);
    apr_pool_clear(test_pool);
    turnstile_fini(&hold.arrived);
    door_fini(&hold.hold);
}

static apr_status_t wait_to_be_canceled(void *baton, void **result)
{
    (void)baton;
    (void)result;
    while (!brood_task_canceled())
        brood_yield();
    return BROOD_ECANCELED;
}

static void a_daemon_pool_is_canceled(void)
{
    static const char *const ids[] = { NULL, "ctx" };
    int i;

    for (i = 0; i < 2; i++) {
        brood_affinity_pool_options_t options =
            BROOD_AFFINITY_POOL_OPTIONS_INIT;
        brood_affinity_pool_t *pool;

        begin_anew();
        options.max_threads = 2;
        options.daemon = 1;
        pool = pool_with(&options);
        ASSERT_STATUS(APR_SUCCESS,
                      brood_affinity_pool_submit(
                          NULL, pool, ids[i], wait_to_be_canceled, NULL, NULL));
        WAIT_UNTIL(census_of(pool).busy == 1);
        brood_terminate();
        apr_pool_clear(test_pool);
    }
}

static void before_the_beginning_nothing_works(void)
{
    brood_affinity_pool_t *pool = NULL;
    brood_transaction_t *tx = NULL;
    bank_t bank;

    ASSERT_STATUS(APR_EINIT,
                  brood_affinity_pool_create(&pool, NULL, test_pool));
    ASSERT_STATUS(APR_EINIT, brood_transaction_begin(&tx, NULL));
    ASSERT_STATUS(APR_EINIT,
                  brood_sync_to_async(NULL, bank_statement, &bank, NULL));
    ASSERT_STATUS(APR_EINIT,
                  brood_async_to_sync(NULL, bank_statement, &bank, NULL));
    CU_ASSERT_PTR_NULL(brood_transaction_id());
}

/* ---- fork -------------------------------------------------------------------- */

typedef struct inherited_t {
    brood_affinity_pool_t *pool;
    brood_transaction_t *tx;
    apr_pool_t *memory;
} inherited_t;

#define REFUSED(expr)                                                          \
    if ((expr) != BROOD_EFORKED)                                               \
    return __LINE__ & 0x7f

static int try_everything(void *baton)
{
    inherited_t *self = baton;
    brood_transaction_t *tx = NULL;
    brood_affinity_pool_t *pool = NULL;
    bank_t bank;

    REFUSED(brood_affinity_pool_submit(NULL, self->pool, NULL, bank_statement,
                                       &bank, NULL));
    REFUSED(brood_affinity_pool_submit(NULL, self->pool, "ctx", bank_statement,
                                       &bank, NULL));
    REFUSED(brood_affinity_pool_release(self->pool, "ctx"));
    REFUSED(brood_affinity_pool_shutdown(self->pool, BROOD_STOP_DRAIN, -1));
    REFUSED(brood_affinity_pool_each(self->pool, count_thread, &bank));
    REFUSED(brood_affinity_pool_use(self->pool));
    REFUSED(brood_affinity_pool_create(&pool, NULL, self->memory));
    REFUSED(brood_transaction_begin(&tx, NULL));
    REFUSED(brood_transaction_end(self->tx, APR_SUCCESS));
    REFUSED(brood_transaction_suspend(&tx));
    REFUSED(brood_transaction_resume(self->tx));
    REFUSED(brood_sync_to_async(NULL, bank_statement, &bank, NULL));
    REFUSED(brood_async_to_sync(NULL, bank_statement, &bank, NULL));
    if (brood_transaction_id())
        return 126;
    apr_pool_destroy(self->memory);
    brood_terminate();
    return 0;
}

static void a_forked_child_is_refused_everything(void)
{
    brood_affinity_pool_options_t options = BROOD_AFFINITY_POOL_OPTIONS_INIT;
    inherited_t self;

    TEST_NEEDS_FORK();
    begin_anew();
    options.max_threads = 2;
    apr_pool_create(&self.memory, test_pool);
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_affinity_pool_create(
                                         &self.pool, &options, self.memory));
    self.tx = begin_on(&g_bank, self.pool);
    CU_ASSERT_EQUAL(test_in_child(try_everything, &self), 0);
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(self.tx, APR_SUCCESS));
    apr_pool_destroy(self.memory);
    brood_terminate();
}

static const test_t tests[] = {
    TEST(before_the_beginning_nothing_works),
    TEST(a_pool_may_go_after_the_library),
    TEST(a_pool_may_go_before_the_library),
    TEST(the_default_pool_ends_with_the_library),
    TEST(what_is_open_at_the_end_is_rolled_back),
    TEST(another_threads_transaction_is_rolled_back_too),
    TEST(a_daemon_pool_is_canceled),
    TEST(a_forked_child_is_refused_everything),
};

HARNESS_MAIN_BARE("affinity_end", tests)
