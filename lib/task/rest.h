/* SPDX-License-Identifier: Apache-2.0 */

/*
 * rest.h: tasks that wait until a manager rests, and circles of them.
 *
 * A manager rests, or is idle, only when every task of it has ended. So when a
 * task of A waits without a limit until B rests, and a task of B until A does,
 * neither ever will. Waits of this kind are few: they stand in one list.
 */

#ifndef BROOD_TASK_REST_H
#define BROOD_TASK_REST_H

#include "base/list.h"
#include "task/sleep.h"

typedef struct brood__rest_t {
    brood__link_t link;
    const void *of; /* the manager whose task waits */
    const void *on; /* the manager that it waits for */
    brood__sleep_t *sleep;
    struct brood__rest_t *via; /* while a circle is looked for */
} brood__rest_t;

/* The caller is about to sleep, without a limit, until `on` rests or is idle;
 * whoever does that may already fire the sleep. False: that can never be; the
 * sleep was ended. Else brood__rest_leave() afterwards. */
int brood__rest_enter(brood__rest_t *rest, const void *on,
                      brood__sleep_t *sleep);
void brood__rest_leave(brood__rest_t *rest);

#endif /* BROOD_TASK_REST_H */
