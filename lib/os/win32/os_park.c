/* SPDX-License-Identifier: Apache-2.0 */

/*
 * os_park.c: sleep on a word, by WaitOnAddress(). Where it is missing (before
 * Windows 8): os_park_table.c.
 *
 * The system compares the word and queues the thread as one step, with regard
 * to a waker of the same word; that is the whole of "no wake-up is lost". It
 * looks sleepers up by address, so waking reads nothing there.
 *
 * Times are in milliseconds here, and are rounded up.
 */

#include "os/win32/os_internal.h"

typedef BOOL WINAPI wait_fn(volatile VOID *address, PVOID seen, SIZE_T size,
                            DWORD milliseconds);
typedef VOID WINAPI wake_fn(PVOID address);

/* Written once, before `g_known`. */
static wait_fn *g_wait;
static wake_fn *g_wake_one;
static wake_fn *g_wake_all;
static atomic_int g_known; /* (A) 0: not asked; 1: there; -1: not there */

static int there(void);
static int ask(void);

/* The system counts from its last tick, so it may come back up to a tick too
 * early; then sleep for the rest. */
apr_status_t brood__os_park(atomic_uint *word, unsigned seen, int64_t timeout)
{
    const int64_t start = timeout > 0 ? brood__os_now() : 0;
    int64_t left = timeout;

    if (!there())
        return brood__table_park(word, seen, timeout);
    for (;;) {
        if (g_wait(word, &seen, sizeof(seen), brood__milliseconds(left))
            || GetLastError() != ERROR_TIMEOUT)
            return APR_SUCCESS;
        if (timeout > 0)
            left = timeout - (brood__os_now() - start);
        if (left <= 0)
            return APR_TIMEUP;
    }
}

void brood__os_unpark_one(atomic_uint *word)
{
    if (there())
        g_wake_one(word);
    else
        brood__table_unpark(word, 1);
}

void brood__os_unpark_all(atomic_uint *word)
{
    if (there())
        g_wake_all(word);
    else
        brood__table_unpark(word, ~0u);
}

static int there(void)
{
    const int is = brood__load(&g_known, acquire); /* (A) */

    return (BROOD__LIKELY(is != 0) ? is : ask()) > 0;
}

/* By several threads at once, with the same answer. */
static int ask(void)
{
    static const char module[] = "kernelbase.dll";
    int is;

    g_wait = (wait_fn *)brood__optional(module, "WaitOnAddress");
    g_wake_one = (wake_fn *)brood__optional(module, "WakeByAddressSingle");
    g_wake_all = (wake_fn *)brood__optional(module, "WakeByAddressAll");
    is = g_wait && g_wake_one && g_wake_all ? 1 : -1;
#ifdef BROOD_PARK_TABLE
    is = -1;
#endif
    brood__store(&g_known, is, release); /* (A) */
    return is;
}
