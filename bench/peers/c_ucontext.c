/* SPDX-License-Identifier: Apache-2.0 */

/* c_ucontext.c: the switch of POSIX, which also changes the signal mask: a
 * system call each time. */

#define PEER "swapcontext"

#include <ucontext.h>

#include "pb.h"

enum { STACK_SIZE = 64 * 1024 };

static ucontext_t g_home, g_other;

static void switch_start(void (*run)(void))
{
    PB_CHECK(getcontext(&g_other) == 0);
    g_other.uc_stack.ss_sp = malloc(STACK_SIZE);
    g_other.uc_stack.ss_size = STACK_SIZE;
    PB_CHECK(g_other.uc_stack.ss_sp);
    makecontext(&g_other, run, 0);
}

static inline void switch_to(void)
{
    PB_CHECK(swapcontext(&g_home, &g_other) == 0);
}

static inline void switch_back(void)
{
    PB_CHECK(swapcontext(&g_other, &g_home) == 0);
}

#include "pb_switch.h"
