/* SPDX-License-Identifier: Apache-2.0 */

/* thread_manager.h: an executor with an owner and an id. */

#ifndef BROOD_THREAD_THREAD_MANAGER_H
#define BROOD_THREAD_THREAD_MANAGER_H

#include <brood/thread_manager.h>

#include "lineage/manager.h"
#include "thread/executor.h"
#include "thread/worker.h"

struct brood_thread_manager_t {
    brood__manager_t base;
    atomic_int retiring; /* kind->retire() was called */
    atomic_int retired;  /* brood__manager_retired() was called */
    brood__executor_t executor BROOD__ALIGNED(BROOD__LINE);
};

/* The default number of workers: max(8, min(4 x usable CPUs, 256)). */
int brood__default_workers(void);

#endif /* BROOD_THREAD_THREAD_MANAGER_H */
