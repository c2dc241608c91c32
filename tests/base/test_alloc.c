/* SPDX-License-Identifier: Apache-2.0 */

/* test_alloc.c: memory is counted, zeroed, and runs out when told to. */

#include "base/alloc.h"

#include <pthread.h>
#include <string.h>

#include "base/fault.h"
#include "support/support.h"

static int all_zero(const void *block, size_t size)
{
    const char *byte = block;
    size_t i;

    for (i = 0; i < size; i++)
        if (byte[i])
            return 0;
    return 1;
}

static void every_block_counts_until_it_is_freed(void)
{
    const size_t before = brood__alloc_live();
    void *one = brood__alloc(1);
    void *none = brood__alloc(0);
    void *aligned = brood__alloc_aligned(1, 64);
    char *text = brood__strdup("x");

    CU_ASSERT_PTR_NOT_NULL(none);
    CU_ASSERT_EQUAL(brood__alloc_live(), before + 4);
    brood__free(one);
    brood__free(none);
    brood__free_aligned(aligned);
    brood__free(text);
    CU_ASSERT_EQUAL(brood__alloc_live(), before);
}

static void freeing_null_is_harmless(void)
{
    const size_t before = brood__alloc_live();

    brood__free(NULL);
    brood__free_aligned(NULL);
    CU_ASSERT_EQUAL(brood__alloc_live(), before);
}

static void memory_is_zeroed(void)
{
    static const size_t sizes[] = { 1, 24, 4096, 300000 };
    size_t i;

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        void *block = brood__alloc(sizes[i]);

        CU_ASSERT_FATAL(block != NULL);
        CU_ASSERT(all_zero(block, sizes[i]));
        memset(block, 1, sizes[i]);
        brood__free(block);
    }
}

static void aligned_blocks_are_aligned_and_whole(void)
{
    size_t align;

    for (align = 1; align <= 8192; align *= 2) {
        char *block = brood__alloc_aligned(100, align);

        CU_ASSERT_FATAL(block != NULL);
        CU_ASSERT_EQUAL((uintptr_t)block % align, 0);
        CU_ASSERT(all_zero(block, 100));
        memset(block, 1, 100);
        brood__free_aligned(block);
    }
}

static void impossible_sizes_are_refused(void)
{
    const size_t before = brood__alloc_live();
    volatile size_t most = SIZE_MAX; /* hidden from the compiler's warning */

    CU_ASSERT_PTR_NULL(brood__alloc_aligned(most, 64));
    CU_ASSERT_PTR_NULL(brood__alloc_aligned(most - 64, 64));
    CU_ASSERT_EQUAL(brood__alloc_live(), before);
}

static void strdup_copies_and_takes_null(void)
{
    char original[] = "a text";
    char *copy = brood__strdup(original);

    original[0] = 'X';
    CU_ASSERT_STRING_EQUAL(copy, "a text");
    brood__free(copy);
    CU_ASSERT_PTR_NULL(brood__strdup(NULL));
}

static void the_nth_request_fails_once(void)
{
    void *blocks[5];
    int i;

    brood__fault_at(BROOD__FAULT_MEMORY, 3);
    for (i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(brood__fault_pending(BROOD__FAULT_MEMORY), i < 3);
        blocks[i] = brood__alloc(8);
    }
    for (i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(blocks[i] == NULL, i == 2);
        brood__free(blocks[i]);
    }
}

static void every_kind_of_block_can_fail(void)
{
    brood__fault_at(BROOD__FAULT_MEMORY, 1);
    CU_ASSERT_PTR_NULL(brood__alloc_aligned(8, 64));
    brood__fault_at(BROOD__FAULT_MEMORY, 1);
    CU_ASSERT_PTR_NULL(brood__strdup("x"));
}

static void a_disarmed_fault_does_not_happen(void)
{
    void *block;

    brood__fault_at(BROOD__FAULT_MEMORY, 1);
    brood__fault_at(BROOD__FAULT_MEMORY, 0);
    CU_ASSERT_FALSE(brood__fault_pending(BROOD__FAULT_MEMORY));
    block = brood__alloc(8);
    CU_ASSERT_PTR_NOT_NULL(block);
    brood__free(block);
}

#define THREADS 4
#define BLOCKS  1000

static void *g_blocks[THREADS][BLOCKS];

static void *take_many(void *row)
{
    void **blocks = row;
    int i;

    for (i = 0; i < BLOCKS; i++)
        blocks[i] = brood__alloc(16);
    return NULL;
}

static void take_on_threads(void)
{
    pthread_t threads[THREADS];
    int i;

    for (i = 0; i < THREADS; i++)
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&threads[i], NULL, take_many, g_blocks[i]), 0);
    for (i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static unsigned free_all(void)
{
    unsigned missing = 0;
    int i;

    for (i = 0; i < THREADS * BLOCKS; i++) {
        missing += !g_blocks[i / BLOCKS][i % BLOCKS];
        brood__free(g_blocks[i / BLOCKS][i % BLOCKS]);
    }
    return missing;
}

static void blocks_may_be_freed_by_another_thread(void)
{
    const size_t before = brood__alloc_live();

    take_on_threads();
    CU_ASSERT_EQUAL(brood__alloc_live(), before + THREADS * BLOCKS);
    CU_ASSERT_EQUAL(free_all(), 0);
    CU_ASSERT_EQUAL(brood__alloc_live(), before);
}

static void a_fault_hits_one_of_many_threads_once(void)
{
    brood__fault_at(BROOD__FAULT_MEMORY, BLOCKS);
    take_on_threads();
    CU_ASSERT_FALSE(brood__fault_pending(BROOD__FAULT_MEMORY));
    CU_ASSERT_EQUAL(free_all(), 1);
}

static const test_t tests[] = {
    TEST(every_block_counts_until_it_is_freed),
    TEST(freeing_null_is_harmless),
    TEST(memory_is_zeroed),
    TEST(aligned_blocks_are_aligned_and_whole),
    TEST(impossible_sizes_are_refused),
    TEST(strdup_copies_and_takes_null),
    TEST(the_nth_request_fails_once),
    TEST(every_kind_of_block_can_fail),
    TEST(a_disarmed_fault_does_not_happen),
    TEST(blocks_may_be_freed_by_another_thread),
    TEST(a_fault_hits_one_of_many_threads_once),
};
HARNESS_MAIN_BARE("alloc", tests)
