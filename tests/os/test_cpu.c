/* SPDX-License-Identifier: Apache-2.0 */

/* test_cpu.c: CPUs, clocks, the barrier, random bytes. */

#include "os/os.h"

#include <pthread.h>
#include <string.h>

#include "base/fault.h"
#include "support/support.h"

static void there_is_a_cpu_at_least(void)
{
    CU_ASSERT(brood__os_cpus() >= 1);
}

static void time_never_goes_back(void)
{
    int64_t before = brood__os_now();
    int i;

    for (i = 0; i < 10000; i++) {
        const int64_t now = brood__os_now();

        CU_ASSERT(now >= before);
        before = now;
    }
}

typedef struct burner_t {
    brood__os_cpu_clock_t clock;
    atomic_uint phase; /* 1: the clock is there; 2: stop */
} burner_t;

static void *burn(void *baton)
{
    burner_t *burner = baton;

    brood__os_cpu_clock_self(&burner->clock);
    brood__store(&burner->phase, 1, release);
    while (brood__load(&burner->phase, acquire) == 1)
        brood__pause();
    return NULL;
}

static void another_threads_cpu_time_is_seen_to_pass(void)
{
    burner_t burner;
    pthread_t thread;
    int64_t start;

    brood__store(&burner.phase, 0, relaxed);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, burn, &burner), 0);
    WAIT_UNTIL(brood__load(&burner.phase, acquire) == 1);
    start = brood__os_cpu_clock_read(&burner.clock);
    CU_ASSERT(start >= 0);
    WAIT_UNTIL(brood__os_cpu_clock_read(&burner.clock) > start);
    brood__store(&burner.phase, 2, release);
    pthread_join(thread, NULL);
}

static void an_unknown_clock_is_negative(void)
{
    brood__os_cpu_clock_t clock = { 0 };

    CU_ASSERT(brood__os_cpu_clock_read(&clock) < 0);
}

/*
 * Dekker: each side sets its flag, then looks at the other's; at least one has
 * to see the other. Without the barrier both miss now and then. The light side
 * arrives a little later each round, so that some rounds collide.
 */
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

static void *light_side(void *rounds)
{
    unsigned round;
    unsigned wait;

    for (round = 1; round <= *(unsigned *)rounds; round++) {
        meet(0, 2 * round - 1);
        for (wait = round % 200; wait; wait--)
            atomic_signal_fence(memory_order_seq_cst);
        brood__store(&g_side[0].flag, round, relaxed);
        if (brood__os_has_barrier)
            atomic_signal_fence(memory_order_seq_cst);
        else
            brood__os_barrier(); /* then it is a plain fence */
        brood__store(&g_side[0].saw, brood__load(&g_side[1].flag, relaxed),
                     relaxed);
        meet(0, 2 * round);
    }
    return NULL;
}

static void the_barrier_fences_other_threads(void)
{
    unsigned rounds = test_rounds(20000);
    unsigned missed = 0;
    pthread_t thread;
    unsigned round;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_init());
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_init());
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, light_side, &rounds),
                          0);
    for (round = 1; round <= rounds; round++) {
        unsigned saw;

        meet(1, 2 * round - 1);
        brood__store(&g_side[1].flag, round, relaxed);
        brood__os_barrier();
        saw = brood__load(&g_side[0].flag, relaxed);
        meet(1, 2 * round);
        missed += saw != round && brood__load(&g_side[0].saw, relaxed) != round;
    }
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(missed, 0);
}

static void random_bytes_differ(void)
{
    char bytes[2][1000] = { { 0 } };
    size_t i;

    for (i = 0; i < 2; i++)
        ASSERT_STATUS(APR_SUCCESS,
                      brood__os_random(bytes[i], sizeof(bytes[i])));
    CU_ASSERT(memcmp(bytes[0], bytes[1], sizeof(bytes[0])) != 0);
    CU_ASSERT(memcmp(bytes[0] + 984, (char[16]){ 0 }, 16) != 0);
    ASSERT_STATUS(APR_SUCCESS, brood__os_random(NULL, 0));
}

static void random_bytes_have_a_second_source(void)
{
    char bytes[16] = { 0 };

    brood__fault_at(BROOD__FAULT_DESCRIPTOR, 1);
    ASSERT_STATUS(APR_SUCCESS, brood__os_random(bytes, sizeof(bytes)));
    CU_ASSERT(memcmp(bytes, (char[16]){ 0 }, 16) != 0);
}

static const test_t tests[] = {
    TEST(there_is_a_cpu_at_least),
    TEST(time_never_goes_back),
    TEST(another_threads_cpu_time_is_seen_to_pass),
    TEST(an_unknown_clock_is_negative),
    TEST(the_barrier_fences_other_threads),
    TEST(random_bytes_differ),
    TEST(random_bytes_have_a_second_source),
};
HARNESS_MAIN_BARE("cpu", tests)
