/* SPDX-License-Identifier: Apache-2.0 */

/* os_internal.h: what the files of this folder share with each other. */

#ifndef BROOD_OS_WIN32_OS_INTERNAL_H
#define BROOD_OS_WIN32_OS_INTERNAL_H

#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>

#include "base/fault.h"
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

/* Stands before each call that makes a handle: tests fill tables in no time. */
BROOD__INLINE int brood__table_full(void)
{
    if (!brood__fault(BROOD__FAULT_DESCRIPTOR))
        return 0;
    SetLastError(ERROR_NO_SYSTEM_RESOURCES);
    return 1;
}

/* What failed last, if that made a handle. A full table has several names. */
BROOD__INLINE apr_status_t brood__handle_error(void)
{
    switch (GetLastError()) {
    case ERROR_NO_SYSTEM_RESOURCES:
    case ERROR_NOT_ENOUGH_QUOTA:
    case ERROR_TOO_MANY_OPEN_FILES:
        return APR_EMFILE;
    default:
        return brood__last_error();
    }
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

/*
 * os_channel.c: what a brood__os_handle_t is. Windows hands out bare values, and
 * most kinds need something beside: a channel's end the reads and writes that
 * are under way, and the process that its other end was given to.
 */
typedef struct brood__end_t brood__end_t;

struct brood__os_object_t {
    HANDLE handle;
    HANDLE wait;       /* is signaled when there is something */
    brood__end_t *end; /* of a channel; else NULL */
    /* The other end, while both are in this process and on one thread; and
     * whether that was closed. */
    brood__os_handle_t peer;
    int alone;
    int given; /* to this process, a worker, when it began */
};

/* Around a handle, which is taken over. NULL: no memory, and it is closed. */
brood__os_handle_t brood__object_make(HANDLE handle);
apr_status_t brood__object_make_end(brood__os_handle_t *object, HANDLE handle);

/* Another process was given a duplicate of this end: what comes out of its peer
 * from now on comes from there. */
apr_status_t brood__object_given(brood__os_handle_t end, HANDLE process);

/* A watcher is about to wait for it, or will no more. */
void brood__object_watch(brood__os_handle_t object, int on);

/* os_process.c, os_worker.c: what a worker reads from its standard input. */
#define BROOD__GIFT_MAGIC UINT64_C(0x6272642d67696674)
#define BROOD__GIFT_MOST  16

typedef struct brood__gift_t {
    uint64_t magic;
    uint64_t n;
    struct {
        uint64_t handle; /* its value there; 0: none */
        uint64_t is_end; /* of a channel */
    } item[BROOD__GIFT_MOST];
} brood__gift_t;

/* os_context.c */
BROOD__NORETURN void brood__context_run(brood__os_context_t *self);

#endif /* BROOD_OS_WIN32_OS_INTERNAL_H */
