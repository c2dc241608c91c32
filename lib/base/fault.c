/* SPDX-License-Identifier: Apache-2.0 */

/* fault.c: count requests down to the one that has to fail. */

#include "base/fault.h"

#include <limits.h>

atomic_uint brood__fault_armed[BROOD__FAULT_KINDS];

int brood__fault_due(brood__fault_e kind)
{
    unsigned left = brood__load(&brood__fault_armed[kind], relaxed);

    /* Relaxed: only the count matters, and each step of it is taken once. */
    while (left && left != UINT_MAX
           && !brood__cas_weak(&brood__fault_armed[kind], &left, left - 1,
                               relaxed))
        ;
    return left == 1 || left == UINT_MAX;
}

void brood__fault_at(brood__fault_e kind, unsigned n)
{
    brood__store(&brood__fault_armed[kind], n, relaxed);
}

void brood__fault_all(brood__fault_e kind)
{
    brood__store(&brood__fault_armed[kind], UINT_MAX, relaxed);
}

int brood__fault_pending(brood__fault_e kind)
{
    return brood__load(&brood__fault_armed[kind], relaxed) != 0;
}
