/* SPDX-License-Identifier: Apache-2.0 */

/*
 * os_context_system.c: the bare switch where brood has no assembler.
 *
 * swapcontext() asks the kernel for the signal mask each time, which makes a
 * switch some fifty times slower, and puts the mask of each side back. As
 * nobody changes the mask between two switches, the mask still belongs to the
 * thread.
 */

#include "os/unix/os_internal.h"

#ifdef BROOD_CONTEXT_SYSTEM

static void begin(unsigned high, unsigned low);

/* makecontext() passes ints only, so the pointer travels in two halves. */
void brood__context_prepare(brood__os_context_t *self)
{
    const uint64_t address = (uintptr_t)self;

    (void)getcontext(&self->machine);
    self->machine.uc_stack.ss_sp = (void *)(uintptr_t)self->bottom;
    self->machine.uc_stack.ss_size = self->size;
    self->machine.uc_link = NULL;
    makecontext(&self->machine, (void (*)(void))begin, 2,
                (unsigned)(address >> 32), (unsigned)address);
}

void brood__context_swap(brood__os_context_t *from, brood__os_context_t *to)
{
    (void)swapcontext(&from->machine, &to->machine);
}

/* The C library takes care of shadow stacks. */
int brood__context_possible(void)
{
    return 1;
}

static void begin(unsigned high, unsigned low)
{
    brood__context_run(
        (brood__os_context_t *)(uintptr_t)((uint64_t)high << 32 | low));
}

#else

/* ISO C wants something in every file. */
typedef int brood__ucontext_is_not_needed_t;

#endif
