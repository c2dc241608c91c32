/* SPDX-License-Identifier: Apache-2.0 */

/* os_pages.c: memory in whole pages. */

#include "os/win32/os_internal.h"

#include "base/fault.h"

/* There is no call that makes fresh pages resident, so touch them. */
void *brood__os_pages(size_t size, int populate)
{
    const size_t page = brood__page_size();
    volatile char *pages;
    size_t at;

    if (brood__fault(BROOD__FAULT_MEMORY))
        return NULL;
    pages = VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (pages && populate)
        for (at = 0; at < size; at += page)
            pages[at] = 0;
    return (void *)(uintptr_t)pages;
}

void brood__os_pages_free(void *pages, size_t size)
{
    (void)size;
    if (pages)
        (void)VirtualFree(pages, 0, MEM_RELEASE);
}

size_t brood__page_size(void)
{
    SYSTEM_INFO system;

    GetSystemInfo(&system);
    return system.dwPageSize;
}
