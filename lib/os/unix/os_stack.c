/* SPDX-License-Identifier: Apache-2.0 */

/*
 * os_stack.c: stacks for coroutines.
 *
 *   low                                                          high
 *   [ guard: one page ][ usable, grows down from the right <------- ]
 *
 * One mapping each. A guard made with mprotect() splits the mapping in two,
 * and a process may have vm.max_map_count (65,530) of them: that stops at
 * 32,753 stacks. MADV_GUARD_INSTALL (Linux 6.13) only marks page table
 * entries, neighbouring stacks merge into one mapping, and 100,000 fit.
 *
 * Merged stacks must not be backed by huge pages, or each would cost 2 MiB:
 * MAP_STACK means just that since Linux 6.7, before any kernel with guards.
 */

#include "os/unix/os_internal.h"

#if BROOD__ASAN
#include <sanitizer/asan_interface.h>
#endif

#include <sys/mman.h>

#ifdef BROOD_VALGRIND
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(low, high) 0
#define VALGRIND_STACK_DEREGISTER(id)      ((void)(id))
#endif

#include "base/fault.h"

/* From linux/mman.h, which old systems lack. */
#define GUARD_INSTALL 102

/* A signal's frame alone may take 3 KiB, with the wide vector registers. */
#define FEWEST_PAGES 4u

#ifndef MAP_STACK
#define MAP_STACK 0
#endif
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

static int put_guard(void *start, size_t size);

apr_status_t brood__os_stack_make(brood__os_stack_t *stack, size_t size)
{
    const size_t page = brood__page_size();
    char *start;

    if (size < FEWEST_PAGES * page)
        size = FEWEST_PAGES * page;
    if (size > SIZE_MAX / 2 || brood__fault(BROOD__FAULT_STACK))
        return APR_ENOMEM;
    size = (size + page - 1) & ~(page - 1);

    start = mmap(NULL, size + page, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANON | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED)
        return APR_ENOMEM;
    if (!put_guard(start, page)) {
        (void)munmap(start, size + page);
        return APR_ENOMEM;
    }
#if BROOD__ASAN
    /* An earlier stack at this address may have left its marks. */
    __asan_unpoison_memory_region(start + page, size);
#endif
    stack->bottom = start + page;
    stack->size = size;
    stack->guard = page;
    stack->valgrind = VALGRIND_STACK_REGISTER(stack->bottom,
                                              stack->bottom + size - 1);
    return APR_SUCCESS;
}

void brood__os_stack_free(brood__os_stack_t *stack)
{
    if (!stack->bottom)
        return;
    VALGRIND_STACK_DEREGISTER(stack->valgrind);
    (void)munmap(stack->bottom - stack->guard, stack->size + stack->guard);
    stack->bottom = NULL;
}

/* The top page stays: the next user of the stack touches it at once. */
void brood__os_stack_trim(brood__os_stack_t *stack)
{
    const size_t size = stack->size - brood__page_size();

    /* On Linux the pages go now, and read as zeros later. Elsewhere "don't
     * need" may keep the content, and "free" is the one that gives back. */
#ifdef __linux__
    (void)madvise(stack->bottom, size, MADV_DONTNEED);
#else
    (void)madvise(stack->bottom, size, MADV_FREE);
#endif
}

size_t brood__os_stack_below(const brood__os_stack_t *stack, const void *here)
{
    return (uintptr_t)here - (uintptr_t)stack->bottom;
}

/* The cheap guard is also refused when the process locks its memory, so ask
 * each time; a refusal costs a tenth of what the mmap() before it took. */
static int put_guard(void *start, size_t size)
{
#ifdef __linux__
    if (brood__advise(start, size, GUARD_INSTALL))
        return 1;
#endif
    return mprotect(start, size, PROT_NONE) == 0;
}
