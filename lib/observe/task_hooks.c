/* SPDX-License-Identifier: Apache-2.0 */

/* task_hooks.c: the program's functions around each task. */

#include "observe/task_hooks.h"

#include "observe/hook.h"

#define LISTENERS 8

typedef void changed_fn(int on);

atomic_int brood__task_hooks_flag; /* written under g_lock */

static brood__hook_t g_hooks = BROOD__HOOK_INIT;
static _Atomic(brood_task_fn *) g_hidden;

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

unsigned brood__task_hook_before(const char *name)
{
    brood__hook_call_t call;

    brood__hook_enter(&g_hooks, &call);
    if (call.first)
        ((brood_task_hook_fn *)call.first)(name, call.baton);
    brood__hook_leave(&call);
    return call.version;
}

void brood__task_hook_after(unsigned before, const char *name)
{
    brood__hook_call_t call;

    if (!before)
        return;
    brood__hook_enter(&g_hooks, &call);
    if (call.second && call.version == before)
        ((brood_task_hook_fn *)call.second)(name, call.baton);
    brood__hook_leave(&call);
}

void brood__task_hooks_hide(brood_task_fn *fn)
{
    brood__store(&g_hidden, fn, relaxed);
}

int brood__task_hooks_hides(brood_task_fn *fn)
{
    return brood__load(&g_hidden, relaxed) == fn;
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
        brood__store(&brood__task_hooks_flag, on, relaxed);
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
