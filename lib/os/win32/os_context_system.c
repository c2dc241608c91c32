/* SPDX-License-Identifier: Apache-2.0 */

/*
 * os_context_system.c: the bare switch where brood has no assembler: fibres.
 *
 * A fibre brings a stack of its own, so of ours only the upper end is used, for
 * the coroutine's record; the rest was reserved and never taken. A fibre also
 * has fibre-local storage of its own: brood keeps what is a thread's in
 * thread-local storage, and so should a user's code. How the processor rounds
 * is not exchanged by every version of the system, so it is done here.
 */

#include "os/win32/os_internal.h"

#ifdef BROOD_CONTEXT_SYSTEM

#if defined(__GNUC__) && !defined(__clang__)
/* GetCurrentFiber() reads through a segment register, at an address near 0. */
#pragma GCC diagnostic ignored "-Warray-bounds"
#endif

static VOID WINAPI begin(void *self);

/* A thread that is a fibre already stays one. */
apr_status_t brood__context_home(brood__os_context_t *home)
{
    home->converted = !IsThreadAFiber();
    home->fiber = home->converted
                      ? ConvertThreadToFiberEx(NULL, FIBER_FLAG_FLOAT_SWITCH)
                      : GetCurrentFiber();
    return home->fiber ? APR_SUCCESS : brood__last_error();
}

void brood__context_home_fini(brood__os_context_t *home)
{
    if (home->fiber && home->converted)
        (void)ConvertFiberToThread();
    home->fiber = NULL;
}

apr_status_t brood__context_prepare(brood__os_context_t *self)
{
    (void)fegetenv(&self->environment);
    self->fiber = CreateFiberEx(0, self->size, FIBER_FLAG_FLOAT_SWITCH, begin,
                                self);
    return self->fiber ? APR_SUCCESS : APR_ENOMEM;
}

void brood__context_swap(brood__os_context_t *from, brood__os_context_t *to)
{
    fenv_t mine;

    (void)from; /* the system knows who runs */
    (void)fegetenv(&mine);
    SwitchToFiber(to->fiber);
    (void)fesetenv(&mine);
}

void brood__context_fini(brood__os_context_t *self)
{
    if (self->fiber)
        DeleteFiber(self->fiber);
    self->fiber = NULL;
}

static VOID WINAPI begin(void *self)
{
    (void)fesetenv(&((brood__os_context_t *)self)->environment);
    brood__context_run(self);
}

#else

/* ISO C wants something in every file. */
typedef int brood__fiber_is_not_needed_t;

#endif
