/* SPDX-License-Identifier: Apache-2.0 */

/* test_stack.c: stacks are guarded, and usable to the last page. */

#include "os/os.h"

#include <signal.h>
#include <string.h>

#include "base/fault.h"
#include "support/support.h"

typedef struct filler_t {
    brood__os_context_t home;
    brood__os_context_t self;
    brood__os_stack_t *stack;
} filler_t;

/* From where it stands down to the bottom, as nested calls would. */
static void go_down(void *baton)
{
    filler_t *filler = baton;
    volatile char *at = __builtin_frame_address(0);

    while (at - 1024 > filler->stack->bottom) {
        at -= 1024;
        *at = 1;
    }
    *(volatile char *)filler->stack->bottom = 1;
    brood__os_context_leave(&filler->self, &filler->home);
}

/* Use every page of a stack. Elsewhere than on Unix that takes to be on it. */
static void fill(brood__os_stack_t *stack)
{
    filler_t filler;

    filler.stack = stack;
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_context_home(&filler.home));
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_context_make(&filler.self, stack,
                                                            go_down, &filler));
    brood__os_context_switch(&filler.home, &filler.self);
    brood__os_context_fini(&filler.self);
    brood__os_context_home_fini(&filler.home);
}

static void a_stack_is_usable_from_end_to_end(void)
{
    static const size_t sizes[] = { 1, 16384, 65536, 65537, 1 << 20 };
    brood__os_stack_t stack;
    size_t i;

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        ASSERT_STATUS_FATAL(APR_SUCCESS,
                            brood__os_stack_make(&stack, sizes[i]));
        CU_ASSERT(stack.size >= sizes[i]);
        CU_ASSERT_EQUAL(brood__os_stack_below(&stack, stack.bottom), 0);
        CU_ASSERT_EQUAL(
            brood__os_stack_below(&stack, stack.bottom + stack.size),
            stack.size);
        fill(&stack);
        brood__os_stack_free(&stack);
    }
}

static void freeing_twice_is_harmless(void)
{
    brood__os_stack_t stack;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_stack_make(&stack, 65536));
    brood__os_stack_free(&stack);
    brood__os_stack_free(&stack);
}

static int hit_guard(void *baton)
{
    brood__os_stack_t *stack = baton;

    signal(SIGSEGV, SIG_DFL); /* a sanitizer would catch it */
    *(volatile char *)(stack->bottom - 1) = 1;
    return 0;
}

static void a_byte_too_deep_is_fatal(void)
{
    brood__os_stack_t stack;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_stack_make(&stack, 65536));
    CU_ASSERT_EQUAL(test_in_child(hit_guard, &stack), CHILD_CRASHED);
    brood__os_stack_free(&stack);
}

static void a_refused_stack_is_out_of_memory(void)
{
    brood__os_stack_t stack;

    brood__fault_at(BROOD__FAULT_STACK, 1);
    ASSERT_STATUS(APR_ENOMEM, brood__os_stack_make(&stack, 65536));
    ASSERT_STATUS(APR_ENOMEM, brood__os_stack_make(&stack, SIZE_MAX));
    ASSERT_STATUS(APR_ENOMEM, brood__os_stack_make(&stack, SIZE_MAX / 4));
}

static void a_trimmed_stack_keeps_its_top(void)
{
    brood__os_stack_t stack;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_stack_make(&stack, 65536));
    fill(&stack);
    stack.bottom[stack.size - 1] = 1;
    brood__os_stack_trim(&stack);
    CU_ASSERT_EQUAL(stack.bottom[stack.size - 1], 1);
    fill(&stack); /* and is usable again */
    CU_ASSERT_EQUAL(test_in_child(hit_guard, &stack), CHILD_CRASHED);
    brood__os_stack_free(&stack);
}

static void pages_come_zeroed(void)
{
    const size_t size = 64 * 1024;
    int populate;
    size_t i;

    for (populate = 0; populate < 2; populate++) {
        char *pages = brood__os_pages(size, populate);

        CU_ASSERT_FATAL(pages != NULL);
        for (i = 0; i < size; i++)
            CU_ASSERT(pages[i] == 0);
        memset(pages, 1, size);
        brood__os_pages_free(pages, size);
    }
    brood__os_pages_free(NULL, size);
}

static void refused_pages_are_null(void)
{
    brood__fault_at(BROOD__FAULT_MEMORY, 1);
    CU_ASSERT_PTR_NULL(brood__os_pages(4096, 1));
    CU_ASSERT_PTR_NULL(brood__os_pages(SIZE_MAX / 2, 0));
}

static const test_t tests[] = {
    TEST(a_stack_is_usable_from_end_to_end),
    TEST(freeing_twice_is_harmless),
    TEST(a_byte_too_deep_is_fatal),
    TEST(a_trimmed_stack_keeps_its_top),
    TEST(a_refused_stack_is_out_of_memory),
    TEST(pages_come_zeroed),
    TEST(refused_pages_are_null),
};
HARNESS_MAIN_BARE("stack", tests)
