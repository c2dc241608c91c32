/* SPDX-License-Identifier: Apache-2.0 */

/* os_fork.c: to know that this process is a copy, and to stay in memory. */

#include "os/unix/os_internal.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * The mark is a byte in a page that the kernel gives to children zeroed. This
 * catches _Fork() and raw clone() too, which run no handlers of
 * pthread_atfork(), and costs one load. BSD calls it INHERIT_ZERO; where there
 * is neither, compare process ids.
 */
atomic_uchar *brood__os_fork_byte;
static pid_t g_pid; /* used when there is no page; 0: not marked */

static atomic_uchar *wiped_page(void);

apr_status_t brood__os_at_fork(void (*prepare)(void), void (*parent)(void),
                               void (*child)(void))
{
    return pthread_atfork(prepare, parent, child);
}

void brood__os_fork_mark(void)
{
    if (!brood__os_fork_byte)
        brood__os_fork_byte = wiped_page();
    if (brood__os_fork_byte)
        brood__store(brood__os_fork_byte, 1, relaxed);
    else
        g_pid = getpid();
}

int brood__os_forked_slow(void)
{
    return g_pid && g_pid != getpid();
}

static atomic_uchar *wiped_page(void)
{
    const size_t size = brood__page_size();
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANON, -1, 0);
    int wiped = 0;

    if (page == MAP_FAILED)
        return NULL;
#if defined(MADV_WIPEONFORK)
    wiped = brood__advise(page, size, MADV_WIPEONFORK);
#elif defined(INHERIT_ZERO)
    wiped = minherit(page, size, INHERIT_ZERO) == 0;
#endif
    if (wiped)
        return page;
    (void)munmap(page, size);
    return NULL;
}

/*
 * Only as a shared library: a program is not unloaded, and dlopen() in one
 * that is linked statically draws a warning. The linker's "-z nodelete" does
 * the same without a call; this is for those who build without it.
 */
void brood__os_pin_library(void)
{
#if defined(__PIC__) && !defined(__PIE__)
    static const char here;
    Dl_info self;

    /* The handle is dropped on purpose: it is what keeps us. */
    if (dladdr(&here, &self) && self.dli_fname)
        (void)dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
#endif
}
