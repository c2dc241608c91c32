/* SPDX-License-Identifier: Apache-2.0 */

/*
 * os_context.c: a switch between two stacks, and who has to be told of it.
 *
 * The bare switch is in os_context_swap.c (own assembler) or
 * os_context_system.c. Around it, here, in this order:
 *
 *   depart(from, to)  the C++ exceptions that `from` handles are put aside;
 *                     ASan and TSan learn that `to` is next
 *   swap
 *   arrive(self)      on the other stack: ASan learns that we came through
 *
 * One thread at a time uses a context, and hands it on with everything that
 * was written before, so nothing here is atomic.
 */

#include "os/unix/os_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if BROOD__ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if BROOD__TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* TSan ends the program when it has no room for another fiber, at about 8,000
 * with the program's own threads; refuse before. */
#define MOST_FIBERS 7800u

static apr_status_t make_fiber(void **fiber);
static void put_away_exceptions(brood__os_context_t *from,
                                const brood__os_context_t *to);
static void arrive(brood__os_context_t *self);

/* Inline, because TSan keeps a stack of calls per fiber: a function that is
 * entered on one and left on the other would unbalance both. */
BROOD__INLINE void depart(brood__os_context_t *from, brood__os_context_t *to,
                          void **fake_stack)
{
    put_away_exceptions(from, to);
    to->previous = from;
    (void)fake_stack;
#if BROOD__ASAN
    __sanitizer_start_switch_fiber(fake_stack, to->bottom, to->size);
#endif
#if BROOD__TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
}

apr_status_t brood__os_context_home(brood__os_context_t *home)
{
    memset(home, 0, sizeof(*home));
    if (!brood__context_possible())
        return APR_ENOTIMPL;
#if BROOD__TSAN
    home->fiber = __tsan_get_current_fiber();
#endif
    return APR_SUCCESS;
}

/* TSan's fiber of a home is the thread's, and goes with it. */
void brood__os_context_home_fini(brood__os_context_t *home)
{
    home->fiber = NULL;
}

apr_status_t brood__os_context_make(brood__os_context_t *self,
                                    brood__os_stack_t *stack,
                                    void (*entry)(void *data), void *data)
{
    memset(self, 0, sizeof(*self));
    self->entry = entry;
    self->data = data;
    self->bottom = stack->bottom;
    self->size = stack->size;
#if BROOD__ASAN
    /* Whoever left this stack for good left his red zones there. */
    ASAN_UNPOISON_MEMORY_REGION(stack->bottom, stack->size);
#endif
    brood__context_prepare(self);
    return make_fiber(&self->fiber);
}

void brood__os_context_switch(brood__os_context_t *from,
                              brood__os_context_t *to)
{
    depart(from, to, &from->fake_stack);
    brood__context_swap(from, to);
    arrive(from);
}

void brood__os_context_leave(brood__os_context_t *from, brood__os_context_t *to)
{
    depart(from, to, NULL); /* ASan frees the fake stack of `from` */
    brood__context_swap(from, to);
    fputs("brood: a coroutine was resumed after its end\n", stderr);
    abort();
}

void brood__context_run(brood__os_context_t *self)
{
    arrive(self);
    self->entry(self->data);
    fputs("brood: the entry of a coroutine returned\n", stderr);
    abort();
}

/*
 * The runtime keeps the stack of exceptions in flight per thread; two
 * coroutines of a thread that both handle one would unlink each other's. The
 * struct and the function are fixed by the Itanium C++ ABI. The reference is
 * weak: without a C++ runtime in the program there is nothing to do.
 */
#if defined(__ELF__)
extern brood__os_caught_t *__cxa_get_globals(void) __attribute__((weak));

static void put_away_exceptions(brood__os_context_t *from,
                                const brood__os_context_t *to)
{
    brood__os_caught_t *now;

    if (!__cxa_get_globals)
        return;
    now = __cxa_get_globals();
    from->caught = *now;
    *now = to->caught;
}
#else
static void put_away_exceptions(brood__os_context_t *from,
                                const brood__os_context_t *to)
{
    (void)from;
    (void)to;
}
#endif

static void arrive(brood__os_context_t *self)
{
#if BROOD__ASAN
    const void *bottom;
    size_t size;

    __sanitizer_finish_switch_fiber(self->fake_stack, &bottom, &size);
    if (!self->previous->bottom) { /* a thread's own stack, seen first now */
        self->previous->bottom = bottom;
        self->previous->size = size;
    }
#else
    (void)self;
#endif
}

#if BROOD__TSAN

static atomic_uint g_fibers;

static apr_status_t make_fiber(void **fiber)
{
    if (brood__add(&g_fibers, 1, relaxed) < MOST_FIBERS)
        *fiber = __tsan_create_fiber(0);
    if (*fiber)
        return APR_SUCCESS;
    brood__sub(&g_fibers, 1, relaxed);
    return APR_ENOMEM;
}

void brood__os_context_fini(brood__os_context_t *self)
{
    if (!self->fiber)
        return;
    __tsan_destroy_fiber(self->fiber);
    self->fiber = NULL;
    brood__sub(&g_fibers, 1, relaxed);
}

#else

static apr_status_t make_fiber(void **fiber)
{
    *fiber = NULL;
    return APR_SUCCESS;
}

void brood__os_context_fini(brood__os_context_t *self)
{
    (void)self;
}

#endif
