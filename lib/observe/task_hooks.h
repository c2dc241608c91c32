/* SPDX-License-Identifier: Apache-2.0 */

/*
 * task_hooks.h: the program's functions around each task.
 *
 * Nobody asks before each task whether there are any: whoever runs tasks keeps
 * a flag of its own, set on brood__task_hooks_on() when it starts and when it
 * is told of a change.
 */

#ifndef BROOD_OBSERVE_TASK_HOOKS_H
#define BROOD_OBSERVE_TASK_HOOKS_H

#include <brood/observe.h>

/* Is there any? */
int brood__task_hooks_on(void);

/* Call changed(on) at every change, one at a time; the last call tells how it
 * is. Under a lock of rank CONTROL, so `changed` may take the registry's.
 * Registered once, and for ever; registering the same again does nothing. */
void brood__task_hooks_listen(void (*changed)(int on));

/* Around a task, on its worker; `name` may be NULL. Does nothing when there is
 * none. */
void brood__task_hook_before(const char *name);
void brood__task_hook_after(const char *name);

#endif /* BROOD_OBSERVE_TASK_HOOKS_H */
