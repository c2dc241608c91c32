/* SPDX-License-Identifier: Apache-2.0 */

/* test_stack_unix.c: what is resident, and how many stacks fit. */

#include "os/os.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/support.h"

#define MANY 30000u

static int hit_guard(void *baton)
{
    brood__os_stack_t *stack = baton;

    signal(SIGSEGV, SIG_DFL); /* a sanitizer would catch it */
    *(volatile char *)(stack->bottom - 1) = 1;
    return 0;
}

/* Locked memory takes no lightweight guards, so this is the other kind. */
static int hit_guard_in_locked_memory(void *baton)
{
    brood__os_stack_t stack;

    (void)baton;
    if (mlockall(MCL_FUTURE) != 0
        || brood__os_stack_make(&stack, 65536) != APR_SUCCESS)
        return 77;
    memset(stack.bottom, 1, stack.size);
    return hit_guard(&stack);
}

static void locked_memory_is_guarded_too(void)
{
    const int result = test_in_child(hit_guard_in_locked_memory, NULL);

    if (result == 77)
        TEST_SKIP("memory may not be locked here");
    CU_ASSERT_EQUAL(result, CHILD_CRASHED);
}

static void a_trimmed_stack_keeps_its_top_and_forgets_the_rest(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char resident[64];
    brood__os_stack_t stack;
    size_t pages;
    size_t n = 0;
    size_t i;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_stack_make(&stack, 16 * page));
    memset(stack.bottom, 1, stack.size);
    brood__os_stack_trim(&stack);
    pages = stack.size / page;
    CU_ASSERT_FATAL(pages <= sizeof(resident)
                    && mincore(stack.bottom, stack.size, resident) == 0);
    for (i = 0; i < pages; i++)
        n += resident[i] & 1u;
    CU_ASSERT_EQUAL(n, 1);
    CU_ASSERT_EQUAL(stack.bottom[stack.size - 1], 1);
    memset(stack.bottom, 1, stack.size); /* and is usable again */
    CU_ASSERT_EQUAL(test_in_child(hit_guard, &stack), CHILD_CRASHED);
    brood__os_stack_free(&stack);
}

static void pages_come_zeroed_and_resident(void)
{
    const size_t size = 64 * 1024;
    unsigned char resident[64];
    char *pages = brood__os_pages(size, 1);
    size_t i;

    CU_ASSERT_FATAL(pages != NULL);
    CU_ASSERT_EQUAL_FATAL(mincore(pages, size, resident), 0);
    for (i = 0; i < size / (size_t)sysconf(_SC_PAGESIZE); i++)
        CU_ASSERT(resident[i] & 1u);
    for (i = 0; i < size; i++)
        CU_ASSERT(pages[i] == 0);
    brood__os_pages_free(pages, size);
    brood__os_pages_free(NULL, size);

    pages = brood__os_pages(size, 0);
    CU_ASSERT_FATAL(pages != NULL);
    memset(pages, 1, size);
    brood__os_pages_free(pages, size);
}

static brood__os_stack_t g_stacks[MANY];

/* Each touched once; in a child, so that a refusal harms nobody. */
static int map_many(void *number)
{
    const unsigned n = *(unsigned *)number;
    unsigned i;

    for (i = 0; i < n; i++) {
        if (brood__os_stack_make(&g_stacks[i], 65536) != APR_SUCCESS)
            return 1;
        g_stacks[i].bottom[g_stacks[i].size - 1] = 1;
    }
    for (i = 0; i < n; i += n / 3 + 1)
        if (test_in_child(hit_guard, &g_stacks[i]) != CHILD_CRASHED)
            return 2;
    for (i = 0; i < n; i++)
        brood__os_stack_free(&g_stacks[i]);
    return 0;
}

static void thirty_thousand_stacks_fit_and_are_guarded(void)
{
    unsigned n = test_rounds(MANY);

    n = n < MANY ? n : MANY;
#if BROOD__TSAN || BROOD__ASAN
    TEST_SKIP("the sanitizer's own memory is the limit here");
#endif
    CU_ASSERT_EQUAL(test_in_child(map_many, &n), 0);
}

static const test_t tests[] = {
    TEST(locked_memory_is_guarded_too),
    TEST(a_trimmed_stack_keeps_its_top_and_forgets_the_rest),
    TEST(pages_come_zeroed_and_resident),
    TEST(thirty_thousand_stacks_fit_and_are_guarded),
};
HARNESS_MAIN_BARE("stack_unix", tests)
