/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_alarms.c: deadlines come out in order, whatever was added or taken out
 * between, however far they are, and wherever the horizon has gone.
 */

#include "base/alarms.h"

#include <string.h>

#include "support/support.h"

#define N 1000

static brood__alarms_t alarms;
static brood__alarm_t set[N];

/* How far the deadlines of one row lie apart, and where they begin. */
typedef struct scale_t {
    const char *name;
    int64_t first, step;
} scale_t;

static const scale_t scales[] = {
    { "ns apart", 5, 1 },
    { "a slot's width apart", 1, INT64_C(1) << 13 },
    { "almost a slot of level 1 apart", 77, (INT64_C(1) << 22) - 1 },
    { "from the end of a slot of level 2", (INT64_C(1) << 34) - 500, 1 },
    { "minutes apart, after a year", INT64_C(31557600000000000),
      INT64_C(60000000000) },
    { "a month apart", 1, INT64_C(2600000000000000) },
};

/* All numbers below N once, in no order. */
static int64_t scattered(unsigned i)
{
    return (int64_t)((i * 617u + 37u) % N);
}

static int64_t deadline_of(const scale_t *scale, int64_t i)
{
    return scale->first + i * scale->step;
}

static void fill(const scale_t *scale)
{
    unsigned i;

    memset(&alarms, 0, sizeof(alarms));
    for (i = 0; i < N; i++)
        brood__alarms_add(&alarms, &set[i], deadline_of(scale, scattered(i)));
}

static void an_empty_set_has_no_deadline(void)
{
    memset(&alarms, 0, sizeof(alarms));
    CU_ASSERT_EQUAL(brood__alarms_next(&alarms), -1);
    CU_ASSERT_PTR_NULL(brood__alarms_due(&alarms, INT64_C(1) << 62));
    CU_ASSERT_PTR_NULL(brood__alarms_pop(&alarms));
    CU_ASSERT(brood__alarms_empty(&alarms));
}

static void in_order(const scale_t *scale, int ask)
{
    int64_t i, deadline;
    brood__alarm_t *alarm;

    fill(scale);
    for (i = 0; i < N; i++) {
        deadline = deadline_of(scale, i);
        if (ask)
            CU_ASSERT_EQUAL(brood__alarms_next(&alarms), deadline);
        CU_ASSERT_PTR_NULL(brood__alarms_due(&alarms, deadline - 1));
        alarm = brood__alarms_due(&alarms, deadline);
        CU_ASSERT_PTR_NOT_NULL_FATAL(alarm);
        CU_ASSERT_EQUAL(alarm->deadline, deadline);
        CU_ASSERT_EQUAL(scattered((unsigned)(alarm - set)), i);
        CU_ASSERT_FALSE(brood__alarm_is_set(alarm));
    }
    CU_ASSERT(brood__alarms_empty(&alarms));
}

static void deadlines_come_in_order(void)
{
    size_t i;

    for (i = 0; i < sizeof(scales) / sizeof(*scales); i++) {
        in_order(&scales[i], 0);
        in_order(&scales[i], 1); /* which moves the horizon ahead */
    }
}

static void any_can_be_taken_out(void)
{
    size_t row;

    for (row = 0; row < sizeof(scales) / sizeof(*scales); row++) {
        int64_t last = -1, next;
        unsigned i, left = 0;

        fill(&scales[row]);
        for (i = 0; i < N; i++) {
            if (i == N / 2) /* some are in the heap from now on */
                (void)brood__alarms_next(&alarms);
            if (i % 3)
                brood__alarms_remove(&alarms, &set[i]);
        }
        while ((next = brood__alarms_next(&alarms)) >= 0) {
            CU_ASSERT(next > last);
            last = next;
            CU_ASSERT_PTR_NOT_NULL_FATAL(brood__alarms_pop(&alarms));
            left++;
        }
        CU_ASSERT_EQUAL(left, (N + 2) / 3);
    }
}

static void the_last_deadline_that_there_is_comes_last(void)
{
    memset(&alarms, 0, sizeof(alarms));
    brood__alarms_add(&alarms, &set[0], INT64_MAX);
    brood__alarms_add(&alarms, &set[1], INT64_MAX - 1);
    brood__alarms_add(&alarms, &set[2], 0);
    CU_ASSERT_PTR_EQUAL(brood__alarms_pop(&alarms), &set[2]);
    CU_ASSERT_PTR_EQUAL(brood__alarms_pop(&alarms), &set[1]);
    CU_ASSERT_PTR_EQUAL(brood__alarms_pop(&alarms), &set[0]);
    brood__alarms_add(&alarms, &set[0], 7); /* behind the horizon */
    CU_ASSERT_PTR_NULL(brood__alarms_due(&alarms, 6));
    CU_ASSERT_PTR_EQUAL(brood__alarms_due(&alarms, 7), &set[0]);
}

/* ---- against a plain search ---------------------------------------------- */

static uint64_t g_seed;

static uint64_t random_bits(void)
{
    g_seed ^= g_seed << 13;
    g_seed ^= g_seed >> 7;
    g_seed ^= g_seed << 17;
    return g_seed;
}

static int64_t nearest(void)
{
    int64_t least = -1;
    unsigned i;

    for (i = 0; i < N; i++)
        if (brood__alarm_is_set(&set[i])
            && (least < 0 || set[i].deadline < least))
            least = set[i].deadline;
    return least;
}

static void step(int64_t *now)
{
    brood__alarm_t *alarm = &set[random_bits() % N];
    int64_t first = nearest();

    switch (random_bits() % 4) {
    case 0: /* time goes on, by a little or by much */
        *now += (int64_t)(random_bits() >> (24 + random_bits() % 40));
        while ((alarm = brood__alarms_due(&alarms, *now))) {
            CU_ASSERT_EQUAL_FATAL(alarm->deadline, first);
            first = nearest();
        }
        CU_ASSERT_FATAL(first < 0 || first > *now);
        break;
    case 1:
        CU_ASSERT_EQUAL_FATAL(brood__alarms_next(&alarms), first);
        break;
    default:
        if (brood__alarm_is_set(alarm))
            brood__alarms_remove(&alarms, alarm);
        else
            brood__alarms_add(
                &alarms, alarm,
                *now + (int64_t)(random_bits() >> (3 + random_bits() % 60)));
    }
}

static void it_does_what_a_plain_search_does(void)
{
    int64_t now;
    int i;

    for (g_seed = 1; g_seed < 9; g_seed++) {
        uint64_t seed = g_seed;

        memset(&alarms, 0, sizeof(alarms));
        memset(set, 0, sizeof(set));
        g_seed = seed * UINT64_C(0x9e3779b97f4a7c15);
        for (i = 0, now = 0; i < 20000; i++)
            step(&now);
        while (brood__alarms_pop(&alarms))
            ;
        g_seed = seed;
    }
}

static const test_t tests[] = {
    TEST(an_empty_set_has_no_deadline),
    TEST(deadlines_come_in_order),
    TEST(any_can_be_taken_out),
    TEST(the_last_deadline_that_there_is_comes_last),
    TEST(it_does_what_a_plain_search_does),
};

HARNESS_MAIN_BARE("alarms", tests)
