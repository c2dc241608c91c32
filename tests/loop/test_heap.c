/* SPDX-License-Identifier: Apache-2.0 */

/* test_heap.c: deadlines come out in order, whatever was taken out between. */

#include "loop/heap.h"

#include "base/fault.h"
#include "support/support.h"

#define N 1000

static brood__heap_t heap;
static brood__alarm_t alarms[N];

/* All numbers below N once, in no order. */
static int64_t scattered(unsigned i)
{
    return (int64_t)((i * 617u + 37u) % N);
}

static void fill(void)
{
    unsigned i;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__heap_reserve(&heap, N));
    for (i = 0; i < N; i++)
        brood__heap_add(&heap, &alarms[i], scattered(i));
}

static void an_empty_heap_has_no_deadline(void)
{
    CU_ASSERT_EQUAL(brood__heap_next(&heap), -1);
    CU_ASSERT_PTR_NULL(brood__heap_due(&heap, INT64_MAX));
}

static void deadlines_come_in_order(void)
{
    int64_t i;

    fill();
    for (i = 0; i < N; i++) {
        brood__alarm_t *alarm;

        CU_ASSERT_EQUAL(brood__heap_next(&heap), i);
        CU_ASSERT_PTR_NULL(brood__heap_due(&heap, i - 1));
        alarm = brood__heap_due(&heap, i);
        CU_ASSERT_PTR_NOT_NULL_FATAL(alarm);
        CU_ASSERT_EQUAL(scattered((unsigned)(alarm - alarms)), i);
        CU_ASSERT_EQUAL(alarm->index, 0);
    }
    CU_ASSERT_EQUAL(brood__heap_next(&heap), -1);
    brood__heap_fini(&heap);
}

static void any_can_be_taken_out(void)
{
    int64_t last = -1;
    unsigned i, left = 0;

    fill();
    for (i = 0; i < N; i++)
        if (i % 3)
            brood__heap_remove(&heap, &alarms[i]);
    while (brood__heap_next(&heap) >= 0) {
        CU_ASSERT(brood__heap_next(&heap) > last);
        last = brood__heap_next(&heap);
        CU_ASSERT_PTR_NOT_NULL_FATAL(brood__heap_due(&heap, last));
        left++;
    }
    CU_ASSERT_EQUAL(left, (N + 2) / 3);
    brood__heap_fini(&heap);
}

static void no_memory_changes_nothing(void)
{
    brood__fault_at(BROOD__FAULT_MEMORY, 1);
    ASSERT_STATUS(APR_ENOMEM, brood__heap_reserve(&heap, 1));
    brood__fault_at(BROOD__FAULT_MEMORY, 0);
    CU_ASSERT_EQUAL(brood__heap_next(&heap), -1);
    fill();
    brood__fault_at(BROOD__FAULT_MEMORY, 1);
    ASSERT_STATUS(APR_ENOMEM, brood__heap_reserve(&heap, 100000));
    brood__fault_at(BROOD__FAULT_MEMORY, 0);
    CU_ASSERT_EQUAL(heap.n, N);
    brood__heap_fini(&heap);
}

static const test_t tests[] = {
    TEST(an_empty_heap_has_no_deadline),
    TEST(deadlines_come_in_order),
    TEST(any_can_be_taken_out),
    TEST(no_memory_changes_nothing),
};

HARNESS_MAIN_BARE("heap", tests)
