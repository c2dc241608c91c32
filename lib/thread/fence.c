/* SPDX-License-Identifier: Apache-2.0 */

/* fence.c: the side of a handshake that sleeps. */

#include "thread/fence.h"

void brood__fences_init(brood__fences_t *fences)
{
    atomic_init(&fences->kind,
                brood__os_has_barrier ? BROOD__FENCE_LIGHT : BROOD__FENCE_FULL);
}

void brood__heavy_fence(brood__fences_t *fences)
{
    unsigned kind;
    int turns;

    brood__fence(seq_cst);
    kind = brood__load(&fences->kind, acquire);
    if (kind == BROOD__FENCE_FULL)
        return;
    turns = kind == BROOD__FENCE_LIGHT
            && brood__cas(&fences->kind, &kind, BROOD__FENCE_TURNING,
                          seq_cst); /* (1) */
    brood__os_barrier();
    if (turns)
        brood__store(&fences->kind, BROOD__FENCE_FULL, release); /* (2) */
}

void brood__fences_relax(brood__fences_t *fences)
{
    unsigned full = BROOD__FENCE_FULL;

    if (brood__os_has_barrier && BROOD__ALL_AT_ONCE)
        brood__cas(&fences->kind, &full, BROOD__FENCE_LIGHT, seq_cst); /* (3) */
}
