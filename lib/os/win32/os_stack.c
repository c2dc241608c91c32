/* SPDX-License-Identifier: Apache-2.0 */

/*
 * os_stack.c: stacks for coroutines.
 *
 *   low                                                              high
 *   [ guard: never there ][ reserved <- ][ tripwire ][ there: in use <--- ]
 *
 * As the system makes a thread's stack: all of it is reserved, the upper end is
 * there, and below that lies a page that trips. Who touches it while running on
 * this stack gets it, and the next one becomes the tripwire; whether he runs on
 * it the system sees by the thread's stack limits, which a switch exchanges.
 * So memory is charged for what was used, not for what might be.
 *
 * Who is not on the stack can touch only what is there.
 */

#include "os/win32/os_internal.h"

#include "base/fault.h"

/* The frame of an exception alone takes two pages. */
#define FEWEST_PAGES 8u

/* At the low end: the system keeps the lowest ones from being used, and tells an
 * overflow while there is still room for the handler of that. */
#define GUARD_PAGES 4u

/* There from the start: the record of a coroutine and its first frames. */
#define FIRST_PAGES 2u

static int make_room(char *start, size_t size, size_t page);

apr_status_t brood__os_stack_make(brood__os_stack_t *stack, size_t size)
{
    const size_t page = brood__page_size();
    const size_t guard = GUARD_PAGES * page;
    char *start;

    if (size < FEWEST_PAGES * page)
        size = FEWEST_PAGES * page;
    if (size > SIZE_MAX / 2 || brood__fault(BROOD__FAULT_STACK))
        return APR_ENOMEM;
    size = (size + page - 1) & ~(page - 1);

    start = VirtualAlloc(NULL, size + guard, MEM_RESERVE, PAGE_READWRITE);
    if (!start)
        return APR_ENOMEM;
    if (!make_room(start, size + guard, page)) {
        (void)VirtualFree(start, 0, MEM_RELEASE);
        return APR_ENOMEM;
    }
    stack->bottom = start + guard;
    stack->size = size;
    stack->guard = guard;
    return APR_SUCCESS;
}

void brood__os_stack_free(brood__os_stack_t *stack)
{
    if (!stack->bottom)
        return;
    (void)VirtualFree(stack->bottom - stack->guard, 0, MEM_RELEASE);
    stack->bottom = NULL;
}

/* The pages stay charged, as a thread's do, but hold no memory until they are
 * touched. The top page stays: the next user touches it at once. */
void brood__os_stack_trim(brood__os_stack_t *stack)
{
    char *end = stack->bottom + stack->size - brood__page_size();
    char *at = stack->bottom;
    MEMORY_BASIC_INFORMATION part;

    while (at < end && VirtualQuery(at, &part, sizeof(part))) {
        char *next = (char *)part.BaseAddress + part.RegionSize;

        next = next < end ? next : end;
        if (part.State == MEM_COMMIT && part.Protect == PAGE_READWRITE)
            (void)VirtualAlloc(at, (size_t)(next - at), MEM_RESET,
                               PAGE_READWRITE);
        at = next;
    }
}

size_t brood__os_stack_below(const brood__os_stack_t *stack, const void *here)
{
    return (uintptr_t)here - (uintptr_t)stack->bottom;
}

static int make_room(char *start, size_t size, size_t page)
{
    char *top = start + size - FIRST_PAGES * page;

    return VirtualAlloc(top - page, page, MEM_COMMIT,
                        PAGE_READWRITE | PAGE_GUARD)
           && VirtualAlloc(top, FIRST_PAGES * page, MEM_COMMIT, PAGE_READWRITE);
}
