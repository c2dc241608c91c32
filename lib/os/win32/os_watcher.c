/* SPDX-License-Identifier: Apache-2.0 */

/*
 * os_watcher.c: one thread waits for many handles.
 *
 * The system waits for 64 at a time. The first ones are waited for by the
 * calling thread itself. Those beyond are registered with the system's pool of
 * waiting threads, each for one signal; when that comes, it is noted in the
 * slot and the calling thread is woken, which registers the handle anew when it
 * waits again. So a handle that stays signaled costs no more than a round.
 *
 * `fired` is stored before the bell is set and read after it was heard, both
 * seq_cst by way of the system's call, so no signal is overlooked.
 */

#include "os/win32/os_internal.h"

#include <string.h>

#include "base/alloc.h"
#include "os/process.h"

#define DIRECT (MAXIMUM_WAIT_OBJECTS - 1) /* beside the bell */
#define RETRY  INT64_C(10000000)          /* when a registration was refused */

typedef struct slot_t {
    brood__os_handle_t handle;
    int *ready;
    HANDLE bell;       /* of the watcher */
    HANDLE registered; /* NULL: it is waited for directly, or has fired */
    atomic_int fired;
} slot_t;

struct brood__os_watcher_t {
    brood__os_handle_t bell[2]; /* of wake() */
    slot_t **slots;
    size_t n, room;
};

static apr_status_t grow(brood__os_watcher_t *watcher);
static int enlist(slot_t *slot);
static void delist(slot_t *slot);
static void CALLBACK fire(void *baton, BOOLEAN timed_out);
static int prepare(brood__os_watcher_t *watcher);
static void look_at_direct(brood__os_watcher_t *watcher, DWORD timeout);
static void look_at_rest(brood__os_watcher_t *watcher);

apr_status_t brood__os_watcher_make(brood__os_watcher_t **watcher)
{
    brood__os_watcher_t *w = brood__alloc(sizeof(*w));
    apr_status_t rv;

    *watcher = NULL;
    if (!w)
        return APR_ENOMEM;
    rv = brood__os_bell_make(w->bell);
    if (rv != APR_SUCCESS)
        brood__free(w);
    else
        *watcher = w;
    return rv;
}

void brood__os_watcher_free(brood__os_watcher_t *watcher)
{
    if (!watcher)
        return;
    while (watcher->n)
        brood__os_watcher_remove(watcher, watcher->slots[0]->handle);
    brood__os_handle_close(watcher->bell[0]);
    brood__os_handle_close(watcher->bell[1]);
    brood__free(watcher->slots);
    brood__free(watcher);
}

apr_status_t brood__os_watcher_add(brood__os_watcher_t *watcher,
                                   brood__os_handle_t handle, int *ready)
{
    apr_status_t rv = watcher->n == watcher->room ? grow(watcher) : APR_SUCCESS;
    slot_t *slot;

    if (rv != APR_SUCCESS)
        return rv;
    slot = brood__alloc(sizeof(*slot));
    if (!slot)
        return APR_ENOMEM;
    slot->handle = handle;
    slot->ready = ready;
    slot->bell = watcher->bell[1]->handle;
    brood__object_watch(handle, 1);
    if (watcher->n >= DIRECT && !enlist(slot)) {
        brood__object_watch(handle, 0);
        brood__free(slot);
        return APR_ENOMEM;
    }
    watcher->slots[watcher->n++] = slot;
    return APR_SUCCESS;
}

static apr_status_t grow(brood__os_watcher_t *watcher)
{
    const size_t room = watcher->room ? 2 * watcher->room : 16;
    slot_t **slots = brood__alloc(room * sizeof(*slots));

    if (!slots)
        return APR_ENOMEM;
    if (watcher->n)
        memcpy(slots, watcher->slots, watcher->n * sizeof(slots[0]));
    brood__free(watcher->slots);
    watcher->slots = slots;
    watcher->room = room;
    return APR_SUCCESS;
}

static int enlist(slot_t *slot)
{
    return RegisterWaitForSingleObject(
               &slot->registered, slot->handle->wait, fire, slot, INFINITE,
               WT_EXECUTEINWAITTHREAD | WT_EXECUTEONLYONCE)
           != 0;
}

/* When this returns, fire() is not running and will not. */
static void delist(slot_t *slot)
{
    if (slot->registered)
        (void)UnregisterWaitEx(slot->registered, INVALID_HANDLE_VALUE);
    slot->registered = NULL;
}

static void CALLBACK fire(void *baton, BOOLEAN timed_out)
{
    slot_t *slot = baton;

    (void)timed_out;
    brood__store(&slot->fired, 1, seq_cst);
    (void)SetEvent(slot->bell);
}

/* The last one moves into the gap, perhaps among those that are waited for
 * directly; what it has noted by then stays noted. */
void brood__os_watcher_remove(brood__os_watcher_t *watcher,
                              brood__os_handle_t handle)
{
    slot_t *slot;
    size_t i;

    for (i = 0; i < watcher->n; i++)
        if (watcher->slots[i]->handle == handle)
            break;
    if (i == watcher->n)
        return;
    slot = watcher->slots[i];
    delist(slot);
    brood__object_watch(handle, 0);
    brood__free(slot);
    watcher->slots[i] = watcher->slots[--watcher->n];
    if (i < DIRECT && i < watcher->n)
        delist(watcher->slots[i]);
}

void brood__os_watcher_wait(brood__os_watcher_t *watcher, int64_t timeout)
{
    if (!prepare(watcher) && (timeout < 0 || timeout > RETRY))
        timeout = RETRY;
    look_at_direct(watcher, brood__milliseconds(timeout));
    look_at_rest(watcher);
}

/* 0: some are not waited for, and are asked now and then. */
static int prepare(brood__os_watcher_t *watcher)
{
    int all = 1;
    size_t i;

    for (i = DIRECT; i < watcher->n; i++) {
        slot_t *slot = watcher->slots[i];

        if (!slot->registered && !enlist(slot)) {
            slot->registered = NULL;
            all = 0;
            if (WaitForSingleObject(slot->handle->wait, 0) == WAIT_OBJECT_0)
                *slot->ready = 1;
        }
    }
    return all;
}

/* A wait tells of the first one only, so those behind it are asked as well. */
static void look_at_direct(brood__os_watcher_t *watcher, DWORD timeout)
{
    HANDLE all[MAXIMUM_WAIT_OBJECTS];
    const DWORD n = watcher->n < DIRECT ? (DWORD)watcher->n : DIRECT;
    DWORD next = 0, found, i;

    all[n] = watcher->bell[0]->handle;
    for (i = 0; i < n; i++)
        all[i] = watcher->slots[i]->handle->wait;
    while (next <= n) {
        found = WaitForMultipleObjects(n + 1 - next, all + next, FALSE,
                                       timeout);
        if (found > n - next) /* none, in time */
            return;
        if (next + found < n)
            *watcher->slots[next + found]->ready = 1;
        next += found + 1;
        timeout = 0;
    }
}

/* All slots: one that has fired may have moved to the front since. */
static void look_at_rest(brood__os_watcher_t *watcher)
{
    size_t i;

    for (i = 0; i < watcher->n; i++) {
        slot_t *slot = watcher->slots[i];

        if (!brood__swap(&slot->fired, 0, seq_cst))
            continue;
        *slot->ready = 1;
        delist(slot);
    }
}

void brood__os_watcher_wake(brood__os_watcher_t *watcher)
{
    brood__os_bell_ring(watcher->bell[1]);
}
