/* SPDX-License-Identifier: Apache-2.0 */

/*
 * task_hooks.h: the program's functions around each task.
 *
 * A task with a future has them around its function wherever it is run, because
 * brood__future_run() calls them, before it settles: the name is still good then.
 * Whoever runs other tasks keeps a flag of its own, set on
 * brood__task_hooks_on() when it starts and when it is told of a change, and
 * calls them itself.
 *
 * They come in pairs: `after` is called with what `before` returned, and does
 * nothing when others have been set meanwhile.
 */

#ifndef BROOD_OBSERVE_TASK_HOOKS_H
#define BROOD_OBSERVE_TASK_HOOKS_H

#include <brood/observe.h>
#include <brood/task.h>

#include "base/atomic.h"

extern atomic_int brood__task_hooks_flag;

/* Is there any? Relaxed: who needs to know exactly is told. */
BROOD__INLINE int brood__task_hooks_on(void)
{
    return brood__load(&brood__task_hooks_flag, relaxed);
}

/* Call changed(on) at every change, one at a time; the last call tells how it
 * is. Under a lock of rank CONTROL, so `changed` may take the registry's.
 * Registered once, and for ever; registering the same again does nothing. */
void brood__task_hooks_listen(void (*changed)(int on));

/* Around a task, on its worker; `name` may be NULL. Does nothing when there is
 * none; `after` nothing for 0. */
unsigned brood__task_hook_before(const char *name);
void brood__task_hook_after(unsigned before, const char *name);

/* `fn` serves tasks, and is none for the program: no hooks around it. For ever;
 * one of the library. */
void brood__task_hooks_hide(brood_task_fn *fn);
int brood__task_hooks_hides(brood_task_fn *fn);

#endif /* BROOD_OBSERVE_TASK_HOOKS_H */
