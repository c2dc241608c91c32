/* SPDX-License-Identifier: Apache-2.0 */

/* test_histogram.c: a duration falls into the bucket that manager.h says. */

#include "observe/histogram.h"

#include <string.h>

#include "support/support.h"

static void a_duration_falls_into_its_bucket(void)
{
    static const struct {
        int64_t ns;
        unsigned bucket;
    } rows[] = {
        { -1, 0 },         { 0, 0 },           { 999, 0 },
        { 1000, 1 },       { 1999, 1 },        { 2000, 2 },
        { 3999, 2 },       { 4000, 3 },        { 1023999, 10 },
        { 1024000, 11 },   { 1000000000, 20 }, { INT64_C(1) << 50, 31 },
        { INT64_MAX, 31 },
    };
    uint64_t bucket[BROOD_HISTOGRAM_BUCKETS];
    brood__histogram_t histogram;
    uint64_t sum;
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(&histogram, 0, sizeof(histogram));
        memset(bucket, 0, sizeof(bucket));
        sum = 0;
        brood__histogram_add(&histogram, rows[i].ns);
        brood__histogram_read(&histogram, bucket, &sum);
        CU_ASSERT_EQUAL(bucket[rows[i].bucket], 1);
        CU_ASSERT_EQUAL(sum,
                        (uint64_t)(rows[i].ns > 0 ? rows[i].ns : 0) / 1000);
    }
}

static void reading_adds_up(void)
{
    uint64_t bucket[BROOD_HISTOGRAM_BUCKETS] = { 5 };
    brood__histogram_t histogram;
    uint64_t sum = 10;

    memset(&histogram, 0, sizeof(histogram));
    brood__histogram_add(&histogram, 1);
    brood__histogram_add(&histogram, 3500);
    brood__histogram_add(&histogram, 3500);
    brood__histogram_read(&histogram, bucket, &sum);
    CU_ASSERT_EQUAL(bucket[0], 6);
    CU_ASSERT_EQUAL(bucket[2], 2);
    CU_ASSERT_EQUAL(sum, 17);
}

static const test_t tests[] = {
    TEST(a_duration_falls_into_its_bucket),
    TEST(reading_adds_up),
};
HARNESS_MAIN_BARE("histogram", tests)
