/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_affinity_stress.c: the racy pairs of this floor: freeing a thread and
 * submitting, release and submit of one id, begin and cancel, shutdown and
 * everything.
 */

#include "async/bank.h"

#define USERS 4

typedef struct arena_t {
    brood_affinity_pool_t *pool;
    bank_t banks[USERS];
    atomic_int stop, odd;
    atomic_int accepted, settled;
} arena_t;

typedef struct user_t {
    arena_t *arena;
    int number;
    unsigned rounds;
    pthread_t thread;
} user_t;

static void play(arena_t *arena, void *(*play_one)(void *), unsigned rounds)
{
    user_t users[USERS];
    int i;

    for (i = 0; i < USERS; i++) {
        users[i] = (user_t){ .arena = arena, .number = i, .rounds = rounds };
        CU_ASSERT_FATAL(
            !pthread_create(&users[i].thread, NULL, play_one, &users[i]));
    }
    for (i = 0; i < USERS; i++)
        pthread_join(users[i].thread, NULL);
    CU_ASSERT_EQUAL(atomic_load(&arena->odd), 0);
    CU_ASSERT_EQUAL(atomic_load(&arena->accepted),
                    atomic_load(&arena->settled));
    for (i = 0; i < USERS; i++)
        CU_ASSERT_EQUAL(atomic_load(&arena->banks[i].wrong), 0);
}

static void expect(arena_t *arena, int holds)
{
    if (!holds)
        atomic_fetch_add(&arena->odd, 1);
}

static apr_status_t quick(void *baton, void **result)
{
    (void)baton;
    (void)result;
    return APR_SUCCESS;
}

/* Bursts of general calls, so that threads become idle and are freed just when
 * the next burst comes. */
static void *burst(void *baton)
{
    user_t *user = baton;
    brood_future_t *futures[8];
    unsigned r;
    int i;

    for (r = 0; r < user->rounds; r++) {
        for (i = 0; i < 8; i++)
            expect(user->arena,
                   brood_affinity_pool_submit(&futures[i], user->arena->pool,
                                              NULL, quick, NULL, NULL)
                       == APR_SUCCESS);
        for (i = 0; i < 8; i++)
            expect(user->arena, finish(futures[i]) == APR_SUCCESS);
    }
    return NULL;
}

static void freeing_a_thread_loses_no_call(void)
{
    brood_affinity_pool_options_t options = BROOD_AFFINITY_POOL_OPTIONS_INIT;
    arena_t arena;

    memset(&arena, 0, sizeof(arena));
    options.max_threads = 6;
    options.general_threads_free_level = -1;
    arena.pool = pool_with(&options);
    play(&arena, burst, test_rounds(300));
}

/* All submit to, and release, the same few ids. */
static void *share_ids(void *baton)
{
    static const char *const ids[] = { "a", "b" };
    user_t *user = baton;
    unsigned r;

    for (r = 0; r < user->rounds; r++) {
        const char *id = ids[(r + (unsigned)user->number) % 2];
        brood_future_t *future = NULL;
        apr_status_t rv = brood_affinity_pool_submit(&future, user->arena->pool,
                                                     id, quick, NULL, NULL);

        if (rv == APR_SUCCESS)
            expect(user->arena, finish(future) == APR_SUCCESS);
        else
            expect(user->arena, rv == BROOD_EFULL);
        rv = brood_affinity_pool_release(user->arena->pool, id);
        expect(user->arena, rv == APR_SUCCESS || rv == BROOD_ENOTFOUND);
    }
    return NULL;
}

static void submits_and_releases_of_one_id_meet(void)
{
    arena_t arena;

    memset(&arena, 0, sizeof(arena));
    arena.pool = pool_of(4);
    play(&arena, share_ids, test_rounds(500));
}

/* More users than slots. */
static void *trade(void *baton)
{
    user_t *user = baton;
    bank_t *bank = &user->arena->banks[user->number];
    brood_transaction_options_t options = with_bank(bank, user->arena->pool);
    unsigned r;
    int i;

    for (r = 0; r < user->rounds; r++) {
        brood_transaction_t *tx = NULL;

        options.begin_timeout = r % 3 ? 0 : 200;
        if (brood_transaction_begin(&tx, &options) != APR_SUCCESS)
            continue;
        for (i = 0; i < 3; i++)
            expect(user->arena,
                   brood_sync_to_async(NULL, bank_statement, bank, NULL)
                       == APR_SUCCESS);
        expect(user->arena,
               brood_transaction_end(tx, r % 2 ? APR_EGENERAL : APR_SUCCESS)
                   == APR_SUCCESS);
    }
    return NULL;
}

static void transactions_pass_threads_on(void)
{
    arena_t arena;
    int i;

    memset(&arena, 0, sizeof(arena));
    arena.pool = pool_of(3);
    play(&arena, trade, test_rounds(200));
    for (i = 0; i < USERS; i++) {
        bank_t *bank = &arena.banks[i];

        CU_ASSERT_EQUAL(atomic_load(&bank->begun),
                        atomic_load(&bank->committed)
                            + atomic_load(&bank->rolled_back));
        CU_ASSERT_EQUAL(atomic_load(&bank->statements),
                        3 * atomic_load(&bank->begun));
    }
}

typedef struct trader_t {
    arena_t *arena;
    bank_t *bank;
} trader_t;

static apr_status_t trade_once(void *baton, void **result)
{
    trader_t *trader = baton;
    brood_transaction_options_t options = with_bank(trader->bank,
                                                    trader->arena->pool);
    brood_transaction_t *tx = NULL;
    apr_status_t rv = brood_transaction_begin(&tx, &options);

    (void)result;
    if (rv != APR_SUCCESS)
        return rv;
    brood_sync_to_async(NULL, bank_statement, trader->bank, NULL);
    return brood_transaction_end(tx, APR_SUCCESS);
}

static void canceled_begins_leave_nothing_behind(void)
{
    brood_thread_manager_t *manager = threads();
    unsigned rounds = test_rounds(200), r;
    arena_t arena;
    trader_t traders[USERS];
    brood_future_t *futures[USERS];
    int i;

    memset(&arena, 0, sizeof(arena));
    arena.pool = pool_of(2);
    for (r = 0; r < rounds; r++) {
        for (i = 0; i < USERS; i++) {
            traders[i] = (trader_t){ &arena, &arena.banks[i] };
            ASSERT_STATUS_FATAL(APR_SUCCESS,
                                brood_thread_manager_submit(&futures[i],
                                                            manager, trade_once,
                                                            &traders[i], NULL));
        }
        for (i = 0; i < USERS; i++)
            if ((r + (unsigned)i) % 2)
                brood_future_cancel(futures[i]);
        for (i = 0; i < USERS; i++) {
            apr_status_t rv = finish(futures[i]);

            CU_ASSERT(rv == APR_SUCCESS || rv == BROOD_ECANCELED);
        }
    }
    for (i = 0; i < USERS; i++) {
        CU_ASSERT_EQUAL(atomic_load(&arena.banks[i].wrong), 0);
        CU_ASSERT_EQUAL(atomic_load(&arena.banks[i].begun),
                        atomic_load(&arena.banks[i].committed)
                            + atomic_load(&arena.banks[i].rolled_back));
    }
    CU_ASSERT_EQUAL(census_of(arena.pool).leased, 0);
    stop_threads(manager);
}

static apr_status_t count_settled(void *baton, void **result)
{
    (void)result;
    (void)baton;
    return APR_SUCCESS;
}

static void drop(void *baton)
{
    atomic_fetch_add(&((arena_t *)baton)->settled, 1);
}

/* Everything at once, until it is stopped. */
static void *use_until_stopped(void *baton)
{
    static const char *const ids[] = { NULL, "a", "b" };
    user_t *user = baton;
    arena_t *arena = user->arena;
    bank_t *bank = &arena->banks[user->number];
    brood_task_options_t task = BROOD_TASK_OPTIONS_INIT;
    brood_transaction_options_t options = with_bank(bank, arena->pool);
    unsigned r = 0;

    task.destroy = drop;
    while (!atomic_load(&arena->stop)) {
        brood_transaction_t *tx = NULL;
        apr_status_t rv = brood_affinity_pool_submit(
            NULL, arena->pool, ids[r++ % 3], count_settled, arena, &task);

        if (rv == APR_SUCCESS)
            atomic_fetch_add(&arena->accepted, 1);
        else
            expect(arena, rv == BROOD_EFULL || rv == BROOD_ESTOPPED);
        options.begin_timeout = 100;
        rv = brood_transaction_begin(&tx, &options);
        if (rv == APR_SUCCESS) {
            rv = call(bank_statement, bank);
            expect(arena, rv == APR_SUCCESS || rv == BROOD_ESTALE
                              || rv == BROOD_ECANCELED);
            rv = brood_transaction_end(tx, APR_SUCCESS);
            expect(arena, rv == APR_SUCCESS || rv == BROOD_ESTALE);
        } else {
            expect(arena, rv == BROOD_EFULL || rv == BROOD_ESTOPPED);
        }
    }
    return NULL;
}

static void *stop_it(void *baton)
{
    user_t *user = baton;

    if (user->number == 0) {
        expect(user->arena,
               brood_affinity_pool_shutdown(
                   user->arena->pool,
                   user->rounds % 2 ? BROOD_STOP_DRAIN : BROOD_STOP_CANCEL, -1)
                   == APR_SUCCESS);
        atomic_store(&user->arena->stop, 1);
        return NULL;
    }
    return use_until_stopped(user);
}

static void a_shutdown_settles_whatever_was_accepted(void)
{
    unsigned rounds = test_rounds(40), r;

    for (r = 0; r < rounds; r++) {
        arena_t arena;
        int i;

        memset(&arena, 0, sizeof(arena));
        arena.pool = pool_of(4);
        play(&arena, stop_it, r);
        for (i = 0; i < USERS; i++)
            CU_ASSERT_EQUAL(atomic_load(&arena.banks[i].begun),
                            atomic_load(&arena.banks[i].committed)
                                + atomic_load(&arena.banks[i].rolled_back));
    }
}

/* KEEPS_MEMORY: futures stay with the threads that were there at a time. */
static const test_t tests[] = {
    TEST_KEEPS(freeing_a_thread_loses_no_call, KEEPS_MEMORY),
    TEST_KEEPS(submits_and_releases_of_one_id_meet, KEEPS_MEMORY),
    TEST_KEEPS(transactions_pass_threads_on, KEEPS_MEMORY),
    TEST_KEEPS(canceled_begins_leave_nothing_behind, KEEPS_MEMORY),
    TEST_KEEPS(a_shutdown_settles_whatever_was_accepted, KEEPS_MEMORY),
};

HARNESS_MAIN_WARM("affinity_stress", tests, warm_up_threads)
