/* SPDX-License-Identifier: Apache-2.0 */

/* os_random.c: bytes nobody can guess. */

#include "os/win32/os_internal.h"

#include <bcrypt.h>
#include <ntsecapi.h>

#include "base/fault.h"

static int ask_cng(unsigned char *bytes, ULONG n);
static int ask_rtl(unsigned char *bytes, ULONG n);

apr_status_t brood__os_random(void *bytes, size_t n)
{
    unsigned char *next = bytes;

    while (n) {
        const ULONG some = n < INT32_MAX ? (ULONG)n : INT32_MAX;

        if (!ask_cng(next, some) && !ask_rtl(next, some))
            return APR_EGENERAL;
        next += some;
        n -= some;
    }
    return APR_SUCCESS;
}

static int ask_cng(unsigned char *bytes, ULONG n)
{
    return !brood__fault(BROOD__FAULT_DESCRIPTOR)
           && BCryptGenRandom(NULL, bytes, n, BCRYPT_USE_SYSTEM_PREFERRED_RNG)
                  == 0;
}

/* The older way, for a process that may not open what the newer one needs. */
static int ask_rtl(unsigned char *bytes, ULONG n)
{
    return !brood__fault(BROOD__FAULT_DESCRIPTOR) && RtlGenRandom(bytes, n);
}
