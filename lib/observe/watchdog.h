/* SPDX-License-Identifier: Apache-2.0 */

/* watchdog.h: when the watchdog speaks; those who watch ask here. */

#ifndef BROOD_OBSERVE_WATCHDOG_H
#define BROOD_OBSERVE_WATCHDOG_H

#include <stdint.h>

/* Nanoseconds; negative: never. */
int64_t brood__watchdog_task_warning(void);
int64_t brood__watchdog_wait_warning(void);

#endif /* BROOD_OBSERVE_WATCHDOG_H */
