/* SPDX-License-Identifier: Apache-2.0 */

/* histogram.h: counts of durations, in powers of two of a microsecond. */

#ifndef BROOD_OBSERVE_HISTOGRAM_H
#define BROOD_OBSERVE_HISTOGRAM_H

#include <brood/manager.h>

#include "base/atomic.h"

/* Relaxed throughout: each count is a number of its own. */
typedef struct brood__histogram_t {
    atomic_ullong bucket[BROOD_HISTOGRAM_BUCKETS];
    atomic_ullong sum; /* ns */
} brood__histogram_t;

/* Negative counts as 0: clocks of two CPUs may differ a little. */
void brood__histogram_add(brood__histogram_t *histogram, int64_t ns);

/* Add what was counted to `bucket` and `sum` (us). */
void brood__histogram_read(brood__histogram_t *histogram,
                           uint64_t bucket[BROOD_HISTOGRAM_BUCKETS],
                           uint64_t *sum);

#endif /* BROOD_OBSERVE_HISTOGRAM_H */
