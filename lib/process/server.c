/* SPDX-License-Identifier: Apache-2.0 */

/* server.c: fork servers, from both sides. */

#include "process/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define PATIENCE ((int64_t)10 * 1000000000) /* for an answer */

struct brood__server_t {
    brood__os_process_t process;
    brood__os_handle_t channel;
};

const char *brood__helper_path = BROOD_HELPER;

static apr_status_t answer_of(brood__server_t *server, uint32_t what,
                              brood__os_message_t *message,
                              brood__os_handle_t *handle);
static int serve(brood__os_handle_t channel,
                 brood__os_handle_t handles[BROOD__HANDLES]);

apr_status_t brood__process_exe(char *path, size_t size, const char *module)
{
    if (!module)
        return brood__os_exe(path, size);
    if (strlen(brood__helper_path) >= size)
        return APR_ENAMETOOLONG;
    memcpy(path, brood__helper_path, strlen(brood__helper_path) + 1);
    return APR_SUCCESS;
}

/* ---- the supervisor's side -------------------------------------------------- */

apr_status_t brood__server_start(brood__server_t **server, const char *name,
                                 const char *module)
{
    brood__server_t *s = brood__alloc(sizeof(*s));
    const char *argv[4] = { name, BROOD__SERVER_ARG, module, NULL };
    brood__os_handle_t ends[2];
    char exe[1024];
    apr_status_t rv;

    *server = NULL;
    if (!s)
        return APR_ENOMEM;
    rv = brood__process_exe(exe, sizeof(exe), module);
    if (rv == APR_SUCCESS)
        rv = brood__os_channel_make(ends);
    if (rv != APR_SUCCESS) {
        brood__free(s);
        return rv;
    }
    rv = brood__os_process_start(&s->process, exe, argv, &ends[1], 1);
    brood__os_handle_close(ends[1]);
    s->channel = ends[0];
    if (rv != APR_SUCCESS) {
        brood__os_handle_close(ends[0]);
        brood__free(s);
        return rv;
    }
    *server = s;
    return APR_SUCCESS;
}

void brood__server_stop(brood__server_t *server)
{
    brood__os_exit_t how;

    if (!server)
        return;
    brood__os_handle_close(server->channel);
    brood__os_process_kill(&server->process);
    while (!brood__os_process_ended(&server->process, &how))
        brood__os_yield();
    brood__os_process_free(&server->process);
    brood__free(server);
}

apr_status_t brood__server_fork(brood__server_t *server, brood__child_t *child,
                                const brood__os_handle_t *theirs)
{
    brood__os_message_t message = { BROOD__WIRE_FORK, 0, 0 };
    brood__os_handle_t watch;
    apr_status_t rv = APR_SUCCESS;

    child->down->parent_pid = brood__os_process_id(&server->process);
    for (; rv == APR_SUCCESS && message.size < BROOD__HANDLES; message.size++)
        rv = brood__os_channel_send(server->channel, &message,
                                    theirs[message.size]);
    if (rv == APR_SUCCESS)
        rv = answer_of(server, BROOD__WIRE_FORKED, &message, &watch);
    if (rv == APR_SUCCESS && !message.where) {
        brood__os_handle_close(watch);
        rv = APR_FROM_OS_ERROR((apr_status_t)message.size);
    }
    if (rv == APR_SUCCESS)
        brood__os_process_adopt(&child->process, (int64_t)message.where, watch);
    return rv;
}

int brood__server_exit(brood__server_t *server, int64_t pid,
                       brood__os_exit_t *how)
{
    brood__os_message_t message = { BROOD__WIRE_EXIT, 0, (uint64_t)pid };
    brood__os_handle_t none;

    if (brood__os_channel_send(server->channel, &message, BROOD__OS_NO_HANDLE)
            != APR_SUCCESS
        || answer_of(server, BROOD__WIRE_EXIT, &message, &none) != APR_SUCCESS)
        return 1; /* the server is dead, and so are its children */
    how->known = message.size & 1;
    how->signal = message.size & 2 ? (int)(message.size >> 8) : 0;
    how->code = message.size & 2 ? -1 : (int)(message.size >> 8);
    return how->known;
}

int brood__server_is_dead(brood__server_t *server)
{
    brood__os_exit_t how;

    return brood__os_process_ended(&server->process, &how);
}

static apr_status_t answer_of(brood__server_t *server, uint32_t what,
                              brood__os_message_t *message,
                              brood__os_handle_t *handle)
{
    apr_status_t rv = brood__os_channel_wait(server->channel, PATIENCE);

    if (rv == APR_SUCCESS)
        rv = brood__os_channel_receive(server->channel, message, handle, 0);
    if (rv == APR_SUCCESS && message->what != what)
        rv = APR_EGENERAL;
    return rv;
}

/* ---- the server's side ------------------------------------------------------ */

void brood__process_server(void)
{
    brood__os_handle_t handles[BROOD__HANDLES];
    brood__os_handle_t channel;
    size_t i;

    if (brood__os_worker_begin(1) != APR_SUCCESS) {
        fprintf(stderr, "brood: fork server: not started by brood\n");
        exit(64);
    }
    channel = brood__os_worker_handle(0);
    brood__os_worker_die_with(brood__os_parent_pid());
    for (i = 0; i < BROOD__HANDLES; i++)
        handles[i] = BROOD__OS_NO_HANDLE;
    while (serve(channel, handles))
        ;
    brood__os_worker_exit(0); /* the parent has ended; workers follow */
}

static int fork_one(brood__os_handle_t channel,
                    const brood__os_handle_t handles[BROOD__HANDLES])
{
    brood__os_message_t message = { BROOD__WIRE_FORKED, 0, 0 };
    brood__os_handle_t watch;
    int64_t pid;
    apr_status_t rv = brood__os_fork_worker(&pid, &watch, handles,
                                            BROOD__HANDLES);

    if (rv == APR_SUCCESS && pid == 0)
        brood__process_worker();
    message.size = (uint32_t)rv;
    message.where = rv == APR_SUCCESS ? (uint64_t)pid : 0;
    rv = brood__os_channel_send(channel, &message, watch);
    brood__os_handle_close(watch);
    return rv == APR_SUCCESS;
}

static int serve(brood__os_handle_t channel,
                 brood__os_handle_t handles[BROOD__HANDLES])
{
    brood__os_message_t message;
    brood__os_exit_t how;
    brood__os_handle_t handle;
    int go_on = 1;
    size_t i;

    if (brood__os_channel_receive(channel, &message, &handle, 1) != APR_SUCCESS)
        return 0;
    if (message.what == BROOD__WIRE_EXIT) {
        message.size = 0;
        if (brood__os_reap((int64_t)message.where, &how))
            message.size = how.signal ? (uint32_t)how.signal << 8 | 3
                                      : (uint32_t)how.code << 8 | 1;
        return brood__os_channel_send(channel, &message, BROOD__OS_NO_HANDLE)
               == APR_SUCCESS;
    }
    if (message.what != BROOD__WIRE_FORK || message.size >= BROOD__HANDLES)
        return 0;
    handles[message.size] = handle;
    if (message.size == BROOD__HANDLES - 1) {
        go_on = fork_one(channel, handles);
        for (i = 0; i < BROOD__HANDLES; i++) {
            brood__os_handle_close(handles[i]);
            handles[i] = BROOD__OS_NO_HANDLE;
        }
    }
    return go_on;
}
