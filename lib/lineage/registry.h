/* SPDX-License-Identifier: Apache-2.0 */

/*
 * registry.h: the one lock of the family tree and its managers. Private to this
 * floor.
 */

#ifndef BROOD_LINEAGE_REGISTRY_H
#define BROOD_LINEAGE_REGISTRY_H

#include "os/lock.h"

extern brood__lock_t brood__registry;

BROOD__INLINE void brood__registry_lock(void) BROOD__ACQUIRES(brood__registry)
{
    brood__lock(&brood__registry);
}

BROOD__INLINE void brood__registry_unlock(void) BROOD__RELEASES(brood__registry)
{
    brood__unlock(&brood__registry);
}

#endif /* BROOD_LINEAGE_REGISTRY_H */
