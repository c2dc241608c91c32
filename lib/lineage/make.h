/* SPDX-License-Identifier: Apache-2.0 */

/* make.h: how a manager is born. Private to this floor. */

#ifndef BROOD_LINEAGE_MAKE_H
#define BROOD_LINEAGE_MAKE_H

#include "lineage/manager.h"
#include "lineage/registry.h"

/* A manager that nobody can find yet, with the reference that will be its
 * owner's. The owner must be living. */
apr_status_t brood__manager_make(brood__manager_t **manager,
                                 const brood__kind_t *kind, const char *id,
                                 uint64_t hash, brood__node_t *owner);

/* The undo of it, while nobody could find it. */
void brood__manager_unmake(brood__manager_t *manager);

/* Give it to its owner. */
void brood__manager_own(brood__manager_t *manager)
    BROOD__REQUIRES(brood__registry);

#endif /* BROOD_LINEAGE_MAKE_H */
