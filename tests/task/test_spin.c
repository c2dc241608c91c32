/* SPDX-License-Identifier: Apache-2.0 */

/* test_spin.c: polling before sleeping. No other thread may run: the number of
 * CPUs is changed here. */

#include "task/spin.h"

#include <brood/init.h>

#include <stdint.h>

#include "support/support.h"

static int counts(void *left)
{
    return --*(int *)left <= 0;
}

static void polling_ends_with_success_or_with_its_time(void)
{
    const int cpus = brood__cpus, busy = brood__load(&brood__busy.n, relaxed);
    int left = 10, i;

    brood__cpus = 1;
    CU_ASSERT_FALSE(brood__spin(counts, &left));
    CU_ASSERT_EQUAL(left, 10);
    brood__cpus = 1 << 20;
    for (i = 0; i < 100 && left > 0; i++) /* it may rest after failures */
        (void)brood__spin(counts, &left);
    CU_ASSERT_EQUAL(left, 0);
    for (i = 0; i < 100; i++) { /* after failures it mostly rests */
        left = INT32_MAX;
        CU_ASSERT_FALSE(brood__spin(counts, &left));
    }
    for (i = 0; i < 100; i++) {
        left = 1;
        (void)brood__spin(counts, &left);
    }
    left = 1;
    CU_ASSERT(brood__spin(counts, &left));
    brood__cpus = cpus;
    CU_ASSERT_EQUAL(brood__load(&brood__busy.n, relaxed), busy);
}

/* Waits until one is polled, in vain. */
static int waits_until_polled(void)
{
    int n = 0, left;

    do {
        left = INT32_MAX;
        CU_ASSERT_FALSE(brood__spin(counts, &left));
        n++;
    } while (left == INT32_MAX);
    return n;
}

static void succeed(void)
{
    int left = 1;

    while (left > 0)
        (void)brood__spin(counts, &left);
}

static void who_polls_in_vain_polls_ever_fewer_waits(void)
{
    static const int expected[] = { 9, 17, 33, 65, 65, 65 };
    const int cpus = brood__cpus;
    size_t i, round;

    brood__cpus = 1 << 20;
    for (round = 0; round < 2; round++) {
        int n;

        succeed();
        while ((n = waits_until_polled()) == 1) /* until its patience ends */
            ;
        for (i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
            CU_ASSERT_EQUAL(n, expected[i]);
            n = waits_until_polled();
        }
    }
    brood__cpus = cpus;
}

/* A wait is counted among the busy after so many pauses, so the looks until then
 * tell how long it rests between them. */
typedef struct looker_t {
    int busy, looks;
} looker_t;

static int is_counted(void *baton)
{
    looker_t *looker = baton;

    looker->looks++;
    return brood__load(&brood__busy.n, relaxed) > looker->busy;
}

/* After ten waits that ended with the first look, and `needless` that found all
 * done behind each. */
static int looks_after(unsigned needless)
{
    looker_t looker = { brood__load(&brood__busy.n, relaxed), 0 };
    int i;

    for (i = 0; i < 10; i++) {
        int left = 1;

        CU_ASSERT(brood__spin(counts, &left));
        brood__spin_needless = needless;
    }
    CU_ASSERT(brood__spin(is_counted, &looker));
    return looker.looks;
}

static void only_a_stream_of_results_pays_for_long_rests(void)
{
    const int cpus = brood__cpus;
    int often;

    brood__cpus = 1 << 20;
    succeed();
    (void)looks_after(0);
    often = looks_after(0);
    CU_ASSERT(looks_after(100) * 4 < often);
    CU_ASSERT(looks_after(1) * 3 > often); /* as who waits, and then gets */
    CU_ASSERT(looks_after(100) * 4 < often);
    CU_ASSERT(looks_after(0) * 3 > often);
    brood__cpus = cpus;
}

static void a_moment_is_as_many_pauses_as_it_has_room_for(void)
{
    static const struct {
        int64_t ns; /* that 64 of them take */
        unsigned pauses;
    } table[] = {
        { 0, 64 },      { 1, 64 },          { 48, 64 },       { 49, 63 },
        { 64 * 11, 4 }, { 64 * 17, 3 },     { 64 * 24, 2 },   { 64 * 31, 2 },
        { 64 * 33, 1 }, { 64 * 48 - 1, 1 }, { 64 * 1000, 1 }, { INT64_MAX, 1 },
    };
    size_t i;

    CU_ASSERT_EQUAL_FATAL(BROOD__SPIN_SAMPLE, 64);
    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        CU_ASSERT_EQUAL(brood__spin_pauses(table[i].ns), table[i].pauses);
}

static int64_t learned_from(int64_t ns, int wakes)
{
    for (int i = 0; i < wakes; i++)
        brood__spin_learn(ns);
    return brood__spin_limit();
}

static void its_time_follows_what_wake_ups_take(void)
{
    const int cpus = brood__cpus;
    int64_t before;

    brood__cpus = 1 << 20;
    CU_ASSERT(learned_from(20000, 1000) < 31000);
    CU_ASSERT(brood__spin_limit() > 29000);
    before = brood__spin_limit();
    CU_ASSERT(learned_from(40000, 1) > before + 4000); /* up quickly */
    before = brood__spin_limit();
    CU_ASSERT(learned_from(1, 1) > before - 2000); /* down slowly */
    CU_ASSERT(brood__spin_limit() < before);
    CU_ASSERT(learned_from(1, 10000) > 4900); /* never to nothing */
    CU_ASSERT(brood__spin_limit() < 6000);
    CU_ASSERT(learned_from(80000, 10000) > 119000);
    before = brood__spin_limit();
    CU_ASSERT_EQUAL(learned_from(INT64_MAX, 100), before);

    brood__cpus = -1; /* more threads than CPUs: they wait for those too */
    before = brood__spin_limit();
    CU_ASSERT_EQUAL(learned_from(1, 100), before);
    brood__cpus = cpus;
}

static const test_t tests[] = {
    TEST(polling_ends_with_success_or_with_its_time),
    TEST(who_polls_in_vain_polls_ever_fewer_waits),
    TEST(only_a_stream_of_results_pays_for_long_rests),
    TEST(a_moment_is_as_many_pauses_as_it_has_room_for),
    TEST(its_time_follows_what_wake_ups_take),
};

HARNESS_MAIN("spin", tests)
