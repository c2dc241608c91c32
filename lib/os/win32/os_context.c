/* SPDX-License-Identifier: Apache-2.0 */

/*
 * os_context.c: a switch between two stacks, and who has to be told of it.
 *
 * The bare switch is in os_context_swap.c (own assembler) or
 * os_context_system.c. Around it, here, the C++ exceptions that the side which
 * is left handles are put aside.
 *
 * One thread at a time uses a context, and hands it on with everything that
 * was written before, so nothing here is atomic.
 */

#include "os/win32/os_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef brood__os_caught_t *globals_fn(void);

static globals_fn *find_globals(void);
static void put_away_exceptions(brood__os_context_t *from,
                                const brood__os_context_t *to);

apr_status_t brood__os_context_home(brood__os_context_t *home)
{
    memset(home, 0, sizeof(*home));
    (void)brood__os_stack_left(); /* ask now, on the thread's own stack */
    return brood__context_home(home);
}

void brood__os_context_home_fini(brood__os_context_t *home)
{
    brood__context_home_fini(home);
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
    return brood__context_prepare(self);
}

void brood__os_context_switch(brood__os_context_t *from,
                              brood__os_context_t *to)
{
    put_away_exceptions(from, to);
    brood__context_swap(from, to);
}

void brood__os_context_leave(brood__os_context_t *from, brood__os_context_t *to)
{
    put_away_exceptions(from, to);
    brood__context_swap(from, to);
    fputs("brood: a coroutine was resumed after its end\n", stderr);
    abort();
}

void brood__os_context_fini(brood__os_context_t *self)
{
    brood__context_fini(self);
}

void brood__context_run(brood__os_context_t *self)
{
    self->entry(self->data);
    fputs("brood: the entry of a coroutine returned\n", stderr);
    abort();
}

/*
 * GCC's and LLVM's runtimes keep the stack of exceptions in flight per thread;
 * two coroutines of a thread that both handle one would unlink each other's.
 * The struct and the function are fixed by the Itanium C++ ABI. A program may
 * have the runtime linked into itself, and exports it then only if it is asked
 * to; or as a library. Microsoft's runtime chains them through the stack.
 */
static void put_away_exceptions(brood__os_context_t *from,
                                const brood__os_context_t *to)
{
    static _Atomic(globals_fn *) known;
    static atomic_int asked;
    globals_fn *globals;
    brood__os_caught_t *now;

    /* By several threads at once, with the same answer. (A) */
    if (BROOD__UNLIKELY(!brood__load(&asked, acquire))) {
        brood__store(&known, find_globals(), relaxed);
        brood__store(&asked, 1, release);
    }
    globals = brood__load(&known, relaxed);
    if (!globals)
        return;
    now = globals();
    from->caught = *now;
    *now = to->caught;
}

static globals_fn *find_globals(void)
{
    static const char *const modules[] = { NULL, "libstdc++-6.dll",
                                           "libc++.dll", "libc++abi.dll" };
    brood__any_fn *found = NULL;
    size_t i;

    for (i = 0; !found && i < sizeof(modules) / sizeof(modules[0]); i++)
        found = brood__optional(modules[i], "__cxa_get_globals");
    return (globals_fn *)found;
}
