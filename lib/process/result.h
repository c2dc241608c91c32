/* SPDX-License-Identifier: Apache-2.0 */

/* result.h: what a worker said of a result, copied, to be checked. */

#ifndef BROOD_PROCESS_RESULT_H
#define BROOD_PROCESS_RESULT_H

#include <stddef.h>
#include <stdint.h>

typedef struct brood__result_t {
    uint64_t position; /* ours */
    uint64_t where;
    uint64_t run_time;
    uint32_t size;
    int32_t status;
    uint16_t place;
} brood__result_t;

/* Can it be used as it is? `due`: a task is out there, else the request was
 * recalled. What says too much of the time is cut. */
int brood__result_check(brood__result_t *result, size_t limit, int due);

#endif /* BROOD_PROCESS_RESULT_H */
