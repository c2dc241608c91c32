/* SPDX-License-Identifier: Apache-2.0 */

/* os_fork.c: no process is a copy of another here; and to stay in memory. */

#include "os/win32/os_internal.h"

static atomic_uchar g_always = 1;

atomic_uchar *brood__os_fork_byte = &g_always;

apr_status_t brood__os_at_fork(void (*prepare)(void), void (*parent)(void),
                               void (*child)(void))
{
    (void)prepare;
    (void)parent;
    (void)child;
    return APR_SUCCESS;
}

void brood__os_fork_mark(void)
{
}

int brood__os_forked_slow(void)
{
    return 0;
}

void brood__os_pin_library(void)
{
    static const char here;
    HMODULE self;

    (void)GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS
                                 | GET_MODULE_HANDLE_EX_FLAG_PIN,
                             (LPCWSTR)(const void *)&here, &self);
}
