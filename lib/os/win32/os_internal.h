/* SPDX-License-Identifier: Apache-2.0 */

/* os_internal.h: what the files of this folder share with each other. */

#ifndef BROOD_OS_WIN32_OS_INTERNAL_H
#define BROOD_OS_WIN32_OS_INTERNAL_H

#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>

#include "os/os.h"

/* os_init.c: a function that older systems lack; NULL there. The modules are
 * parts of the system that every process has loaded. */
typedef void brood__any_fn(void);
brood__any_fn *brood__optional(const char *module, const char *function);

/* What failed last on this thread; sockets leave it in the same place. */
BROOD__INLINE apr_status_t brood__last_error(void)
{
    const apr_status_t code = (apr_status_t)GetLastError();

    return APR_FROM_OS_ERROR(code);
}

/* Nanoseconds as milliseconds, rounded up; INFINITE for negative ones. What
 * does not fit becomes 24 days: sleepers loop. */
DWORD brood__milliseconds(int64_t ns);

/* os_cpu.c, os_park.c: look once at what the system offers. */
void brood__cpu_init(void);
void brood__park_init(void);

/* os_park_table.c: where there is no WaitOnAddress(). */
apr_status_t brood__table_park(atomic_uint *word, unsigned seen,
                               int64_t timeout);
void brood__table_unpark(atomic_uint *word, unsigned n);

/* os_pages.c: the size of a page. */
size_t brood__page_size(void);

/* os_context_swap.c, os_context_system.c: the bare switch. A context that was
 * prepared begins in brood__context_run(self) on its own stack. */
apr_status_t brood__context_home(brood__os_context_t *home);
void brood__context_home_fini(brood__os_context_t *home);
apr_status_t brood__context_prepare(brood__os_context_t *self);
void brood__context_swap(brood__os_context_t *from, brood__os_context_t *to);
void brood__context_fini(brood__os_context_t *self);

/* os_context.c */
BROOD__NORETURN void brood__context_run(brood__os_context_t *self);

#endif /* BROOD_OS_WIN32_OS_INTERNAL_H */
