/* SPDX-License-Identifier: Apache-2.0 */

/* brood_switch.c: the switch between two stacks, by itself. The one program
 * here that calls what the library hides: users switch by waiting, as
 * brood_coroutine.c does. */

#define PEER "brood"

#include "os/os.h"

#include "pb.h"

enum { STACK_SIZE = 64 * 1024 };

static brood__os_context_t g_home, g_other;
static brood__os_stack_t g_stack;
static void (*g_run)(void);

static void run_other(PB_UNUSED void *baton)
{
    g_run();
}

static void switch_start(void (*run)(void))
{
    g_run = run;
    PB_CHECK(brood__os_context_home(&g_home) == APR_SUCCESS);
    PB_CHECK(brood__os_stack_make(&g_stack, STACK_SIZE) == APR_SUCCESS);
    PB_CHECK(brood__os_context_make(&g_other, &g_stack, run_other, NULL)
             == APR_SUCCESS);
}

static inline void switch_to(void)
{
    brood__os_context_switch(&g_home, &g_other);
}

static inline void switch_back(void)
{
    brood__os_context_switch(&g_other, &g_home);
}

#include "pb_switch.h"
