/* SPDX-License-Identifier: Apache-2.0 */

/* log.h: lines for the operator. */

#ifndef BROOD_OBSERVE_LOG_H
#define BROOD_OBSERVE_LOG_H

#include <brood/observe.h>

#include "base/compiler.h"

/* One line to the log hook, or to standard error; cut to fit, control
 * characters shown as '?'. Under no lock. */
void brood__log(int level, const char *format, ...) BROOD__PRINTF(2, 3);

/* A failure that nobody read: to its hook, or to the log, where only some a
 * second have a line of their own. Under no lock. */
void brood__unobserved(apr_status_t status, const char *name);

/* Log how many had none, if any; the next one that has does it too. */
void brood__unobserved_rest(void);

#endif /* BROOD_OBSERVE_LOG_H */
