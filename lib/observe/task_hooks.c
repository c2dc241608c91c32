/* SPDX-License-Identifier: Apache-2.0 */

/* task_hooks.c: the program's functions around each task. */

#include "observe/task_hooks.h"

#include "observe/hook.h"

#define LISTENERS 8

typedef void changed_fn(int on);

static brood__hook_t g_hooks = BROOD__HOOK_INIT;
static atomic_int g_on; /* written under g_lock */

static brood__lock_t g_lock = BROOD__LOCK_INIT(BROOD__RANK_CONTROL);
static changed_fn *g_listeners[LISTENERS]; /* under g_lock */

static void tell_listeners(void);
static int is_set(void);

void brood_task_hooks_set(brood_task_hook_fn *before, brood_task_hook_fn *after,
                          void *baton)
{
    if (brood__os_forked())
        return;
    brood__hook_set(&g_hooks, (brood__hook_fn *)before, (brood__hook_fn *)after,
                    baton);
    tell_listeners();
}

int brood__task_hooks_on(void)
{
    /* Relaxed: who needs to know exactly is told. */
    return brood__load(&g_on, relaxed);
}

void brood__task_hooks_listen(void (*changed)(int on))
{
    int i;

    brood__lock(&g_lock);
    for (i = 0; i < LISTENERS && g_listeners[i] != changed; i++)
        if (!g_listeners[i]) {
            g_listeners[i] = changed;
            break;
        }
    brood__unlock(&g_lock);
}

void brood__task_hook_before(const char *name)
{
    brood__hook_call_t call;

    brood__hook_enter(&g_hooks, &call);
    if (call.first)
        ((brood_task_hook_fn *)call.first)(name, call.baton);
    brood__hook_leave(&call);
}

void brood__task_hook_after(const char *name)
{
    brood__hook_call_t call;

    brood__hook_enter(&g_hooks, &call);
    if (call.second)
        ((brood_task_hook_fn *)call.second)(name, call.baton);
    brood__hook_leave(&call);
}

/* Under no lock: listeners take theirs. Two setters may come here in another
 * order than they published in, and overtake each other on the way; whoever has
 * told something that is no longer true tells again. */
static void tell_listeners(void)
{
    changed_fn *listeners[LISTENERS];
    int on;
    int i;

    do {
        brood__lock(&g_lock);
        on = is_set();
        brood__store(&g_on, on, relaxed);
        for (i = 0; i < LISTENERS; i++)
            listeners[i] = g_listeners[i];
        brood__unlock(&g_lock);
        for (i = 0; i < LISTENERS && listeners[i]; i++)
            listeners[i](on);
    } while (is_set() != on);
}

static int is_set(void)
{
    return brood__load(&g_hooks.first, acquire)
           || brood__load(&g_hooks.second, acquire);
}
