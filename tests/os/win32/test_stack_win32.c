/* SPDX-License-Identifier: Apache-2.0 */

/* test_stack_win32.c: stacks take memory as they grow, and the system knows
 * which one runs. */

#include "os/win32/os_internal.h"

#include "support/support.h"

#define SIZE (256u * 1024u)
#define MANY 20000u

typedef struct walk_t {
    brood__os_context_t home;
    brood__os_context_t self;
    brood__os_stack_t stack;
    size_t bytes; /* to go down */
    ULONG_PTR low, high;
} walk_t;

/* What of the stack is there, the tripwire apart. */
static size_t there(const brood__os_stack_t *stack)
{
    const char *at = stack->bottom;
    const char *end = at + stack->size;
    MEMORY_BASIC_INFORMATION part;
    size_t n = 0;

    for (; at < end; at = (char *)part.BaseAddress + part.RegionSize) {
        CU_ASSERT_FATAL(VirtualQuery(at, &part, sizeof(part)) != 0);
        if (part.State == MEM_COMMIT && !(part.Protect & PAGE_GUARD))
            n += part.RegionSize;
    }
    return n;
}

static void go_down(void *baton)
{
    walk_t *walk = baton;
    volatile char *at = __builtin_frame_address(0);
    volatile char *end = at - walk->bytes;

    GetCurrentThreadStackLimits(&walk->low, &walk->high);
    for (; at > end; at -= 1024)
        at[-1024] = 1;
    brood__os_context_leave(&walk->self, &walk->home);
}

static void run(walk_t *walk, size_t bytes)
{
    walk->bytes = bytes;
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_context_home(&walk->home));
    ASSERT_STATUS_FATAL(
        APR_SUCCESS,
        brood__os_context_make(&walk->self, &walk->stack, go_down, walk));
    brood__os_context_switch(&walk->home, &walk->self);
    brood__os_context_fini(&walk->self);
    brood__os_context_home_fini(&walk->home);
}

static void a_stack_grows_as_it_is_used_and_no_further(void)
{
    walk_t walk;
    size_t used;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_stack_make(&walk.stack, SIZE));
    CU_ASSERT_EQUAL(there(&walk.stack), 2 * 4096);
    run(&walk, 100 * 1024);
    used = there(&walk.stack);
    CU_ASSERT(used >= 100 * 1024 && used < 120 * 1024);
    run(&walk, 100 * 1024); /* another context finds it as it is */
    CU_ASSERT_EQUAL(there(&walk.stack), used);
    run(&walk, 200 * 1024);
    CU_ASSERT(there(&walk.stack) >= 200 * 1024);
    brood__os_stack_free(&walk.stack);
}

static void the_system_knows_whose_stack_runs(void)
{
    ULONG_PTR low, high, low_after, high_after;
    walk_t walk;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_stack_make(&walk.stack, SIZE));
    GetCurrentThreadStackLimits(&low, &high);
    run(&walk, 0);
    CU_ASSERT_EQUAL(walk.low, (ULONG_PTR)walk.stack.bottom - walk.stack.guard);
    CU_ASSERT_EQUAL(walk.high, (ULONG_PTR)walk.stack.bottom + SIZE);
    GetCurrentThreadStackLimits(&low_after, &high_after);
    CU_ASSERT(low_after == low && high_after == high);
    brood__os_stack_free(&walk.stack);
}

/* What is not there after a trim reads as something else or faults in anew;
 * what is charged stays. */
static void a_trim_keeps_the_stack_as_long_as_it_was(void)
{
    walk_t walk;
    size_t used;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_stack_make(&walk.stack, SIZE));
    run(&walk, 150 * 1024);
    used = there(&walk.stack);
    brood__os_stack_trim(&walk.stack);
    CU_ASSERT_EQUAL(there(&walk.stack), used);
    run(&walk, 200 * 1024); /* beyond where it was: the tripwire is there */
    CU_ASSERT(there(&walk.stack) > used);
    brood__os_stack_free(&walk.stack);
}

static brood__os_stack_t g_stacks[MANY];

static void twenty_thousand_stacks_fit(void)
{
    const unsigned wanted = test_rounds(MANY);
    const unsigned n = wanted < MANY ? wanted : MANY;
    unsigned i;

    for (i = 0; i < n; i++)
        if (brood__os_stack_make(&g_stacks[i], 65536) != APR_SUCCESS)
            break;
    CU_ASSERT_EQUAL(i, n);
    while (i > 0)
        brood__os_stack_free(&g_stacks[--i]);
}

static void a_job_without_a_cap_is_no_limit(void)
{
    DWORD_PTR mine = 0, all = 0;
    unsigned n = 0;

    CU_ASSERT_FATAL(GetProcessAffinityMask(GetCurrentProcess(), &mine, &all)
                    != 0);
    for (; mine; mine &= mine - 1)
        n++;
    CU_ASSERT(brood__os_cpus() >= 1);
    if (n)
        CU_ASSERT(brood__os_cpus() <= n);
}

static int count_with_one(void *unused)
{
    (void)unused;
    return SetProcessAffinityMask(GetCurrentProcess(), 1)
               ? (int)brood__os_cpus()
               : 100;
}

static void the_affinity_mask_counts(void)
{
    CU_ASSERT_EQUAL(test_in_child(count_with_one, NULL), 1);
}

static const test_t tests[] = {
    TEST(a_stack_grows_as_it_is_used_and_no_further),
    TEST(the_system_knows_whose_stack_runs),
    TEST(a_trim_keeps_the_stack_as_long_as_it_was),
    TEST(twenty_thousand_stacks_fit),
    TEST(a_job_without_a_cap_is_no_limit),
    TEST(the_affinity_mask_counts),
};
HARNESS_MAIN_BARE("stack_win32", tests)
