/* SPDX-License-Identifier: Apache-2.0 */

/* owner.h: what a node does for its managers. Private to this floor. */

#ifndef BROOD_LINEAGE_OWNER_H
#define BROOD_LINEAGE_OWNER_H

#include "lineage/node.h"
#include "lineage/registry.h"

/* The node has died: its managers begin to retire. */
void brood__owner_died(brood__node_t *node) BROOD__REQUIRES(brood__registry);

/* Its memory goes: drop the owner's references. Under no lock. */
void brood__owner_freed(brood__node_t *node);

#endif /* BROOD_LINEAGE_OWNER_H */
