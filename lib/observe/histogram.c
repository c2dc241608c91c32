/* SPDX-License-Identifier: Apache-2.0 */

/* histogram.c: counts of durations, in powers of two of a microsecond. */

#include "observe/histogram.h"

void brood__histogram_add(brood__histogram_t *histogram, int64_t ns)
{
    const uint64_t length = ns > 0 ? (uint64_t)ns : 0;
    uint64_t us = length / 1000;
    unsigned i = 0;

    while (us && i < BROOD_HISTOGRAM_BUCKETS - 1) {
        us >>= 1;
        i++;
    }
    brood__add(&histogram->bucket[i], 1, relaxed);
    brood__add(&histogram->sum, length, relaxed);
}

void brood__histogram_read(brood__histogram_t *histogram,
                           uint64_t bucket[BROOD_HISTOGRAM_BUCKETS],
                           uint64_t *sum)
{
    unsigned i;

    for (i = 0; i < BROOD_HISTOGRAM_BUCKETS; i++)
        bucket[i] += brood__load(&histogram->bucket[i], relaxed);
    *sum += brood__load(&histogram->sum, relaxed) / 1000;
}
