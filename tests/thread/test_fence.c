/* SPDX-License-Identifier: Apache-2.0 */

/* test_fence.c: of two that meet at least one sees the other, whoever pays. */

#include <brood/init.h>

#include <pthread.h>

#include "support/support.h"
#include "thread/fence.h"

static brood__fences_t g_fences;

static unsigned kind(void)
{
    return brood__load(&g_fences.kind, relaxed);
}

static void begin(void)
{
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_init());
    brood__fences_init(&g_fences);
}

static void the_first_sleep_turns_it(void)
{
    begin();
    CU_ASSERT_EQUAL(kind(), brood__os_has_barrier ? BROOD__FENCE_LIGHT
                                                  : BROOD__FENCE_FULL);
    brood__heavy_fence(&g_fences);
    CU_ASSERT_EQUAL(kind(), BROOD__FENCE_FULL);
    brood__heavy_fence(&g_fences);
    CU_ASSERT_EQUAL(kind(), BROOD__FENCE_FULL);
}

static void work_without_a_sleep_turns_it_back(void)
{
    unsigned calm = 0, i;

    begin();
    brood__fences_calm(&g_fences, &calm);
    if (brood__os_has_barrier) /* it is LIGHT: nothing to count */
        CU_ASSERT_EQUAL(calm, 0);
    brood__heavy_fence(&g_fences);
    calm = 0;
    for (i = 1; i < BROOD__CALM; i++)
        brood__fences_calm(&g_fences, &calm);
    CU_ASSERT_EQUAL(kind(), BROOD__FENCE_FULL);
    brood__fences_calm(&g_fences, &calm);
    CU_ASSERT_EQUAL(kind(), brood__os_has_barrier ? BROOD__FENCE_LIGHT
                                                  : BROOD__FENCE_FULL);
}

static void while_it_turns_nobody_turns_it_back(void)
{
    begin();
    brood__store(&g_fences.kind, BROOD__FENCE_TURNING, relaxed);
    brood__fences_relax(&g_fences);
    CU_ASSERT_EQUAL(kind(), BROOD__FENCE_TURNING);
    brood__heavy_fence(&g_fences); /* it pays, and leaves it to who turns */
    CU_ASSERT_EQUAL(kind(), BROOD__FENCE_TURNING);
}

/* Dekker, as in test_cpu.c, while the kind changes. That another handshake
 * changes it takes more CPUs than there may be: tests/models/fences.pml. */
static struct {
    BROOD__ALIGNED(BROOD__LINE) atomic_uint flag;
    atomic_uint saw;
    BROOD__ALIGNED(BROOD__LINE) atomic_uint arrived;
} g_side[2]; /* 0: light, 1: heavy */

static void meet(int me, unsigned round)
{
    unsigned spins = 0;

    brood__store(&g_side[me].arrived, round, release);
    while (brood__load(&g_side[!me].arrived, acquire) < round)
        if (++spins % 1000 == 0)
            brood__os_yield();
}

/* So that some rounds collide, whoever of the two leaves meet() first. */
static void linger(unsigned turns)
{
    while (turns--)
        atomic_signal_fence(memory_order_seq_cst);
}

static void *light_side(void *rounds)
{
    unsigned round;

    for (round = 1; round <= *(unsigned *)rounds; round++) {
        if (round % 3 == 0)
            brood__fences_relax(&g_fences);
        meet(0, 2 * round - 1);
        linger(round % 499);
        brood__store(&g_side[0].flag, round, release);
        brood__light_fence(&g_fences);
        brood__store(&g_side[0].saw, brood__load(&g_side[1].flag, relaxed),
                     relaxed);
        meet(0, 2 * round);
    }
    return NULL;
}

static void whoever_pays_one_sees_the_other(void)
{
    unsigned rounds = test_rounds(100000);
    unsigned missed = 0;
    pthread_t thread;
    unsigned round;

    begin();
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, light_side, &rounds),
                          0);
    for (round = 1; round <= rounds; round++) {
        unsigned saw;

        meet(1, 2 * round - 1);
        linger(round % 211);
        brood__store(&g_side[1].flag, round, relaxed);
        brood__heavy_fence(&g_fences);
        saw = brood__load(&g_side[0].flag, acquire);
        meet(1, 2 * round);
        missed += saw != round && brood__load(&g_side[0].saw, relaxed) != round;
    }
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(missed, 0);
}

static const test_t tests[] = {
    TEST(the_first_sleep_turns_it),
    TEST(work_without_a_sleep_turns_it_back),
    TEST(while_it_turns_nobody_turns_it_back),
    TEST(whoever_pays_one_sees_the_other),
};

HARNESS_MAIN("fence", tests)
