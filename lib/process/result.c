/* SPDX-License-Identifier: Apache-2.0 */

/* result.c: the decoder of what a worker wrote. It has no other inputs. */

#include "process/result.h"

#include "process/wire.h"

#define LONGEST ((uint64_t)3600 * 1000000000) /* that is believed, ns */

int brood__result_check(brood__result_t *result, size_t limit, int due)
{
    if (!due)
        return 1; /* nobody wants it */
    if (result->run_time > LONGEST)
        result->run_time = LONGEST;
    if (result->status != 0)
        result->size = 0;
    if (result->size > limit)
        return 0;
    switch (result->place) {
    case BROOD__WIRE_HERE:
        return result->size <= BROOD__WIRE_INLINE;
    case BROOD__WIRE_IN_ARENA:
        return result->where <= BROOD__WIRE_ARENA
               && result->size <= BROOD__WIRE_ARENA - result->where;
    case BROOD__WIRE_IN_BLOCK:
        return 1;
    default:
        return 0;
    }
}
