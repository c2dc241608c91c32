/* SPDX-License-Identifier: Apache-2.0 */

/* os_pages.c: memory in whole pages. */

#include "os/unix/os_internal.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/fault.h"

/*
 * Without it every first touch of a page is a fault of its own. Where the
 * kernel cannot do it in one go, touch them here. (Linux also has
 * MADV_POPULATE_WRITE, but since 5.14 only and as a second call.)
 */
#ifdef MAP_POPULATE
#define POPULATE    MAP_POPULATE
#define touch(p, n) ((void)0)
#else
#define POPULATE 0
static void touch(char *pages, size_t size);
#endif

void *brood__os_pages(size_t size, int populate)
{
    void *pages;

    if (brood__fault(BROOD__FAULT_MEMORY))
        return NULL;
    pages = mmap(NULL, size, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANON | (populate ? POPULATE : 0), -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    if (populate)
        touch(pages, size);
    return pages;
}

void brood__os_pages_free(void *pages, size_t size)
{
    if (pages)
        (void)munmap(pages, size);
}

size_t brood__page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* An emulator (qemu's user mode) may accept any advice and follow none, and
 * then there would be no guard. Who accepts nonsense is not believed. */
int brood__advise(void *start, size_t size, int advice)
{
    static atomic_int nonsense_refused; /* -1: no; 0: not asked yet */
    int refused = brood__load(&nonsense_refused, relaxed);

    if (!refused) { /* by several threads at once, with the same answer */
        refused = madvise(start, size, -1) != 0 ? 1 : -1;
        brood__store(&nonsense_refused, refused, relaxed);
    }
    return refused > 0 && madvise(start, size, advice) == 0;
}

#ifndef MAP_POPULATE
static void touch(char *pages, size_t size)
{
    const size_t page = brood__page_size();
    volatile char *byte = pages;
    size_t at;

    for (at = 0; at < size; at += page)
        byte[at] = 0;
}
#endif
