/* SPDX-License-Identifier: Apache-2.0 */

/* test_magazine.c: memory for futures, made here and freed there. */

#include "task/magazine.h"
#include "task/tools.h"

#define MILLION 1000000u
#define RING    1024u
#define HELD    300u /* more than four magazines */

static brood_future_t *g_held[HELD];

static void *fill(void *failed)
{
    unsigned i;

    for (i = 0; i < HELD; i++) {
        g_held[i] = brood__future_alloc();
        if (!g_held[i])
            *(int *)failed = 1;
    }
    return NULL;
}

static void *drain(void *unused)
{
    unsigned i;

    for (i = 0; i < HELD; i++)
        brood__future_free(g_held[i]);
    return unused;
}

static void elsewhere(void *(*fn)(void *), void *baton)
{
    pthread_t thread;

    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, fn, baton), 0);
    pthread_join(thread, NULL);
}

static void each_is_a_line_of_its_own(void)
{
    unsigned i;
    int round, failed = 0;

    for (round = 0; round < 3; round++) { /* those from the depot, too */
        fill(&failed);
        CU_ASSERT_FALSE_FATAL(failed);
        for (i = 0; i < HELD; i++) {
            CU_ASSERT_EQUAL((uintptr_t)g_held[i] % sizeof(brood_future_t), 0);
            g_held[i]->baton = &g_held[i];
        }
        for (i = 0; i < HELD; i++) /* nobody got the same one */
            CU_ASSERT_PTR_EQUAL(g_held[i]->baton, &g_held[i]);
        drain(NULL);
    }
}

/* Wherever they lie, in a magazine or in a load. */
static void a_late_look_sees_the_state_that_a_free_one_had(void)
{
    unsigned i;
    int failed = 0;

    fill(&failed);
    CU_ASSERT_FALSE_FATAL(failed);
    for (i = 0; i < HELD; i++)
        brood__store(&g_held[i]->state, BROOD__SETTLED | i * BROOD__REF,
                     relaxed);
    drain(NULL);
    for (i = 0; i < HELD; i++)
        CU_ASSERT_EQUAL(brood__load(&g_held[i]->state, relaxed),
                        BROOD__SETTLED | i * BROOD__REF);
}

static void those_of_a_thread_that_ended_are_used_again(void)
{
    const size_t live = brood__futures_live();
    size_t blocks = 0;
    int round, failed = 0;

    for (round = 0; round < 200; round++) {
        elsewhere(fill, &failed);
        CU_ASSERT_EQUAL(brood__futures_live(), live + HELD);
        elsewhere(drain, NULL);
        CU_ASSERT_EQUAL(brood__futures_live(), live);
        if (round == 2)
            blocks = brood__alloc_live();
    }
    CU_ASSERT_FALSE(failed);
    /* Threads come and go: their magazines stay as many as they were. */
    CU_ASSERT_EQUAL(brood__alloc_live(), blocks);
}

/* ---- from one thread to another ------------------------------------------ */

static _Atomic(brood_future_t *) g_ring[RING];

static void *releases(void *unused)
{
    unsigned i;

    for (i = 0; i < MILLION; i++) {
        brood_future_t *future;

        while (!(future = brood__swap(&g_ring[i % RING], NULL, acquire)))
            brood__os_yield();
        brood_future_release(future);
    }
    return unused;
}

static void a_million_from_thread_to_thread_need_no_more_memory(void)
{
    static brood__home_t home;
    const size_t live = brood__futures_live();
    size_t most = 0, blocks = 0;
    pthread_t thread;
    unsigned i;

    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, releases, NULL), 0);
    for (i = 0; i < MILLION; i++) {
        brood_future_t *future = brood__future_make_running(&home, 0);

        CU_ASSERT_PTR_NOT_NULL_FATAL(future);
        brood__future_settle(future, APR_SUCCESS, NULL);
        while (brood__load(&g_ring[i % RING], acquire))
            brood__os_yield();
        brood__store(&g_ring[i % RING], future, release);
        if (i == MILLION / 10) {
            most = brood__futures_live();
            blocks = brood__alloc_live();
        }
    }
    CU_ASSERT(brood__futures_live() <= most + RING + 2 * BROOD__MAGAZINE);
    CU_ASSERT_EQUAL(brood__alloc_live(), blocks);
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(brood__futures_live(), live);
}

/* ---- without memory -------------------------------------------------------- */

static void *fill_without_memory(void *refused)
{
    unsigned n;

    for (n = 1; n < 4; n++) {
        brood__fault_at(BROOD__FAULT_MEMORY, n);
        g_held[0] = brood__future_alloc();
        if (g_held[0])
            brood__future_free(g_held[0]);
        else
            ++*(int *)refused;
    }
    brood__fault_at(BROOD__FAULT_MEMORY, 0);
    return NULL;
}

static void without_memory_there_is_none(void)
{
    const size_t live = brood__futures_live();
    int refused = 0;

    elsewhere(fill_without_memory, &refused);
    CU_ASSERT(refused >= 1);
    CU_ASSERT_EQUAL(brood__futures_live(), live);
}

/* A thread without a magazine frees; there is no memory for one. */
static void *drain_without_memory(void *refused)
{
    unsigned i;

    for (i = 0; i < HELD; i++) {
        brood__fault_at(BROOD__FAULT_MEMORY, 1);
        brood__future_free(g_held[i]);
        *(unsigned *)refused += !brood__fault_pending(BROOD__FAULT_MEMORY);
    }
    brood__fault_at(BROOD__FAULT_MEMORY, 0);
    return NULL;
}

/* ... and none that a thread has left. */
static void *drain_beside_who_has_the_last(void *refused)
{
    brood_future_t *future = brood__future_alloc();

    elsewhere(drain_without_memory, refused);
    if (future)
        brood__future_free(future);
    return NULL;
}

static void freeing_needs_no_memory(void)
{
    const size_t live = brood__futures_live();
    unsigned refused = 0;
    int failed = 0;

    fill(&failed);
    elsewhere(drain_beside_who_has_the_last, &refused);
    CU_ASSERT_EQUAL(refused, HELD);
    CU_ASSERT_EQUAL(brood__futures_live(), live);
    elsewhere(fill, &failed); /* loose ones are found again */
    CU_ASSERT_EQUAL(brood__futures_live(), live + HELD);
    elsewhere(drain, NULL);
    CU_ASSERT_EQUAL(brood__futures_live(), live);
    CU_ASSERT_FALSE(failed);
}

static const test_t tests[] = {
    TEST_KEEPS(each_is_a_line_of_its_own, KEEPS_MEMORY),
    TEST_KEEPS(a_late_look_sees_the_state_that_a_free_one_had, KEEPS_MEMORY),
    TEST_KEEPS(those_of_a_thread_that_ended_are_used_again, KEEPS_MEMORY),
    TEST_KEEPS(a_million_from_thread_to_thread_need_no_more_memory,
               KEEPS_MEMORY),
    TEST_KEEPS(without_memory_there_is_none, KEEPS_MEMORY),
    TEST_KEEPS(freeing_needs_no_memory, KEEPS_MEMORY),
};

HARNESS_MAIN("magazine", tests)
