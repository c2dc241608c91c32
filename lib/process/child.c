/* SPDX-License-Identifier: Apache-2.0 */

/*
 * child.c: one worker's making and its end, seen from the parent.
 *
 * The worker waits for GO before it says hello. GO is sent when we hold its
 * process descriptor, so a hello proves that the descriptor is that of our
 * worker, and not of a process that got its number after it had died unseen.
 *
 * A fork server is asked for a worker, and answers later: until then there is
 * no process, and whoever kills it then kills it as soon as there is one.
 */

#include "process/core.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "process/server.h"

static apr_status_t make_parts(brood__child_t *child,
                               brood__os_handle_t theirs[BROOD__HANDLES]);
static void fill_down(brood__child_t *child);
static void open_slots(brood__child_t *child);
static apr_status_t watch_ends(brood__child_t *child);
static void unwatch_ends(brood__child_t *child);
static apr_status_t start(brood__child_t *child,
                          const brood__os_handle_t *theirs);
static void send_go(brood__child_t *child);

static atomic_ullong g_serial; /* the last one given out */

apr_status_t brood__child_start(brood__child_t **child,
                                brood_process_manager_t *m, unsigned number)
{
    brood__os_handle_t theirs[BROOD__HANDLES];
    brood__child_t *c = brood__alloc(sizeof(*c));
    apr_status_t rv;
    size_t i;

    *child = NULL;
    if (!c)
        return APR_ENOMEM;
    c->manager = m;
    c->refs = 1;
    c->number = number;
    c->serial = brood__add(&g_serial, 1, relaxed) + 1;
    c->bell = c->watch = c->blocks = c->doorbell = BROOD__OS_NO_HANDLE;
    for (i = 0; i < BROOD__HANDLES; i++)
        theirs[i] = BROOD__OS_NO_HANDLE;
    brood__list_init(&c->link);
    rv = make_parts(c, theirs);
    if (rv == APR_SUCCESS)
        rv = watch_ends(c);
    if (rv == APR_SUCCESS) {
        fill_down(c);
        rv = start(c, theirs);
        if (rv != APR_SUCCESS)
            unwatch_ends(c);
    }
    for (i = BROOD__HANDLE_BELL; i < BROOD__HANDLES; i++)
        brood__os_handle_close(theirs[i]);
    if (rv != APR_SUCCESS) {
        brood__child_close(c);
        return rv;
    }
    if (c->started)
        send_go(c);
    *child = c;
    return APR_SUCCESS;
}

void brood__child_close(brood__child_t *child)
{
    if (child->started)
        brood__os_process_free(&child->process);
    brood__os_handle_close(child->bell);
    brood__os_handle_close(child->watch);
    brood__os_handle_close(child->blocks);
    brood__os_handle_close(child->doorbell);
    brood__os_block_free(&child->down_block);
    brood__os_block_free(&child->up_block);
    brood__free(child);
}

/* One that is dead already is found to be so. */
static void send_go(brood__child_t *child)
{
    const brood__os_message_t go = { BROOD__WIRE_GO, 0, 0 };

    (void)brood__os_channel_send(child->watch, &go, BROOD__OS_NO_HANDLE);
}

static apr_status_t watch_ends(brood__child_t *child)
{
    apr_status_t rv = brood__os_watcher_add(brood__watcher, child->bell,
                                            &child->bell_ready);

    if (rv == APR_SUCCESS)
        rv = brood__os_watcher_add(brood__watcher, child->watch,
                                   &child->watch_ready);
    if (rv != APR_SUCCESS)
        unwatch_ends(child);
    return rv;
}

static void unwatch_ends(brood__child_t *child)
{
    brood__os_watcher_remove(brood__watcher, child->bell);
    brood__os_watcher_remove(brood__watcher, child->watch);
}

/* On failure it is dead and freed. */
apr_status_t brood__child_watch(brood__child_t *child)
{
    brood__os_handle_t process = BROOD__OS_NO_HANDLE;
    brood__os_exit_t how;
    apr_status_t rv = APR_SUCCESS;

    if (child->started)
        process = brood__os_process_watch(&child->process);
    if (process != BROOD__OS_NO_HANDLE)
        rv = brood__os_watcher_add(brood__watcher, process,
                                   &child->process_ready);
    if (rv == APR_SUCCESS)
        return rv;
    unwatch_ends(child);
    brood__os_process_kill(&child->process);
    while (!brood__os_process_ended(&child->process, &how))
        brood__os_yield();
    brood__child_close(child);
    return rv;
}

/* Without a descriptor it is asked after now and then. */
void brood__child_forked(brood__child_t *child, int64_t pid,
                         brood__os_handle_t watch)
{
    brood__os_process_adopt(&child->process, pid, watch);
    watch = brood__os_process_watch(&child->process);
    if (watch != BROOD__OS_NO_HANDLE
        && brood__os_watcher_add(brood__watcher, watch, &child->process_ready)
               != APR_SUCCESS)
        brood__os_process_free(&child->process); /* of the descriptor only */
    child->started = 1;
    if (child->state == BROOD__CHILD_ENDING)
        brood__os_process_kill(&child->process);
    send_go(child);
}

/* What was made is found in the child, or in `theirs`, also on failure. */
static apr_status_t make_parts(brood__child_t *child,
                               brood__os_handle_t theirs[BROOD__HANDLES])
{
    brood__os_handle_t ends[2];
    apr_status_t rv = brood__os_block_make(&child->down_block,
                                           sizeof(*child->down));

    if (rv == APR_SUCCESS)
        rv = brood__os_block_make(&child->up_block, sizeof(*child->up));
    if (rv == APR_SUCCESS)
        rv = brood__os_bell_make(ends);
    if (rv != APR_SUCCESS)
        return rv;
    child->down = child->down_block.base;
    child->up = child->up_block.base;
    child->sealed = brood__os_block_read_only(&child->down_block)
                    == APR_SUCCESS;
    theirs[BROOD__HANDLE_DOWN] = child->down_block.handle;
    theirs[BROOD__HANDLE_UP] = child->up_block.handle;
    child->bell = ends[0];
    theirs[BROOD__HANDLE_BELL] = ends[1];
    rv = brood__os_channel_make(ends);
    if (rv != APR_SUCCESS)
        return rv;
    child->watch = ends[0];
    theirs[BROOD__HANDLE_WATCH] = ends[1];
    rv = brood__os_channel_make(ends);
    if (rv != APR_SUCCESS)
        return rv;
    child->blocks = ends[0];
    theirs[BROOD__HANDLE_BLOCKS] = ends[1];
    rv = brood__os_doorbell_make(ends);
    if (rv != APR_SUCCESS)
        return rv;
    theirs[BROOD__HANDLE_DOORBELL] = ends[0];
    child->doorbell = ends[1];
    return APR_SUCCESS;
}

static void fill_down(brood__child_t *child)
{
    const brood__process_settings_t *set = &child->manager->set;
    brood__down_t *down = child->down;
    size_t n = brood_process_lineage(down->chain, BROOD__WIRE_CHAIN - 1);

    if (n > BROOD__WIRE_CHAIN - 1) { /* keep the root */
        n = BROOD__WIRE_CHAIN - 1;
        down->chain[n - 1] = brood__chain[brood__n_chain - 1];
    }
    down->magic = BROOD__WIRE_MAGIC;
    down->abi = BROOD__WIRE_ABI;
    down->n_chain = (uint32_t)n;
    down->size = sizeof(*down);
    down->up_size = sizeof(*child->up);
    down->serial = child->serial;
    down->limit = set->limit;
    down->parent_pid = brood__os_pid();
    (void)snprintf(down->name, sizeof(down->name), "%s-%u", set->prefix,
                   child->number);
    if (set->initializer) {
        down->initializer = brood__name_hash(set->initializer);
        down->initializer_size = set->initializer_size;
        if (set->initializer_size)
            memcpy(down->initializer_data, set->initializer_data,
                   set->initializer_size);
    }
    brood__store(&down->spin, 1, relaxed);
    open_slots(child);
}

static void open_slots(brood__child_t *child)
{
    unsigned i;

    for (i = 0; i < BROOD__WIRE_SLOTS; i++)
        brood__store(&child->up->response[i].claim,
                     brood__wire_claim(i, BROOD__WIRE_OPEN), relaxed);
}

/* argv[0] is what ps(1) shows. Of a fork server it is asked for only. */
static apr_status_t start(brood__child_t *child,
                          const brood__os_handle_t *theirs)
{
    const brood__process_settings_t *set = &child->manager->set;
    const char *argv[4] = { child->down->name, BROOD__WORKER_ARG, set->module,
                            NULL };
    char exe[1024];
    apr_status_t rv;

    if (child->manager->server)
        return brood__server_fork(child->manager->server, child, theirs);
    rv = brood__process_exe(exe, sizeof(exe), set->module);
    if (rv == APR_SUCCESS)
        rv = brood__os_process_start(&child->process, exe, argv, theirs,
                                     BROOD__HANDLES);
    child->started = rv == APR_SUCCESS;
    return rv;
}
