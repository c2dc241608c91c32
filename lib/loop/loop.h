/* SPDX-License-Identifier: Apache-2.0 */

/* loop.h: what the floors above need of loops, beside the public headers. */

#ifndef BROOD_LOOP_LOOP_H
#define BROOD_LOOP_LOOP_H

#include <brood/loop_manager.h>

#include "lineage/manager.h"
#include "task/home.h"

extern const brood__kind_t brood__loop_kind;

/* The loop on whose thread the caller runs, in a coroutine or not; or NULL. */
brood_loop_manager_t *brood__loop_current(void);

/* Is the caller a coroutine? */
int brood__loop_in_coroutine(void);

/* As the target of futures and notices. */
BROOD__INLINE brood__home_t *brood__loop_home(brood_loop_manager_t *loop)
{
    return (brood__home_t *)(void *)loop;
}

/* The nearest loop manager of the default id that accepts tasks, walking up
 * from where the caller stands; NULL when there is none. Borrowed. */
brood_loop_manager_t *brood__loop_nearest(void);

/*
 * Run `fn` as a coroutine of a loop of its own, made for it, on the calling
 * thread, until it has ended; whatever else was submitted to that loop is then
 * canceled and runs to its end. Within it, that loop is the current one and the
 * nearest of the default id. For threads that may block: not on a loop's
 * thread, where it is BROOD_EDEADLK.
 *
 * The calling task's end interrupts the coroutine as its own would.
 *
 * The coroutine's status; or, with nothing run, APR_ENOMEM, APR_EGENERAL (no
 * descriptors), or as brood__manager_get().
 */
apr_status_t brood__loop_run_private(void **value, brood_task_fn *fn,
                                     void *baton,
                                     const brood_task_options_t *options);

#endif /* BROOD_LOOP_LOOP_H */
