/* SPDX-License-Identifier: Apache-2.0 */

/* os_init.c: look once at what the system offers. */

#include "os/win32/os_internal.h"

#define MS INT64_C(1000000)

static INIT_ONCE g_once = INIT_ONCE_STATIC_INIT;

static BOOL CALLBACK look(INIT_ONCE *once, void *unused, void **unused_too);

apr_status_t brood__os_init(void)
{
    return InitOnceExecuteOnce(&g_once, look, NULL, NULL) ? APR_SUCCESS
                                                          : brood__last_error();
}

brood__any_fn *brood__optional(const char *module, const char *function)
{
    HMODULE there = GetModuleHandleA(module);

    return there ? (brood__any_fn *)GetProcAddress(there, function) : NULL;
}

DWORD brood__milliseconds(int64_t ns)
{
    if (ns < 0)
        return INFINITE;
    if (ns > INT32_MAX * MS)
        return INT32_MAX;
    return (DWORD)((ns + MS - 1) / MS);
}

static BOOL CALLBACK look(INIT_ONCE *once, void *unused, void **unused_too)
{
    (void)once;
    (void)unused;
    (void)unused_too;
    brood__cpu_init();
    return TRUE;
}
