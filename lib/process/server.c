/* SPDX-License-Identifier: Apache-2.0 */

/* server.c: fork servers, from both sides. */

#include "process/server.h"

#include "base/alloc.h"
#include "os/place.h"

#define PATIENCE ((int64_t)10 * 1000000000)
#define LOADING  ((int64_t)60 * 1000000000) /* for its first answer */
#define HURRY    ((int64_t)1000000000)
#define SOON     ((int64_t)1000000) /* between looks at one that was killed */

struct brood__server_t {
    brood__os_process_t process;
    brood__os_handle_t channel;
    brood__child_t *asked; /* whose request is out; NULL: none */
    int64_t deadline;      /* of its answer; 0: none is due */
    int ready;             /* of the watcher */
    int loaded;            /* it has answered before */
    apr_status_t broken;   /* why it was killed, if it was; see server.h */
    int ended;             /* that was seen */
    brood__os_exit_t how;
};

const char *brood__helper_path = BROOD_HELPER;
int64_t brood__server_patience = PATIENCE;

static void expect_answer(brood__server_t *server, brood__child_t *child);
static apr_status_t take_answer(brood__server_t *server);
static void see_end(brood__server_t *server, int64_t now);
static void ask_how(brood__server_t *server, brood__child_t *child);
static apr_status_t serve(brood__os_handle_t channel,
                          brood__os_handle_t handles[BROOD__HANDLES]);

apr_status_t brood__process_exe(char *path, size_t size, const char *module)
{
    if (!module)
        return brood__os_exe(path, size);
    return brood__os_place(path, size, brood__helper_path, "");
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
    rv = brood__os_watcher_add(brood__watcher, s->channel, &s->ready);
    if (rv == APR_SUCCESS)
        *server = s;
    else
        brood__server_stop(s);
    return rv;
}

void brood__server_stop(brood__server_t *server)
{
    if (!server)
        return;
    brood__os_watcher_remove(brood__watcher, server->channel);
    brood__os_handle_close(server->channel);
    if (!server->ended)
        brood__os_process_kill(&server->process);
    while (!server->ended)
        if (!(server->ended = brood__os_process_ended(&server->process,
                                                      &server->how)))
            brood__os_yield();
    brood__os_process_free(&server->process);
    brood__free(server);
}

/* What was sent of a request that failed is overwritten by the next one. One to
 * a server that has ended is out, as if it had ended a moment later: the look at
 * its channel, which is due, finds that. */
apr_status_t brood__server_fork(brood__server_t *server, brood__child_t *child,
                                const brood__os_handle_t *theirs)
{
    brood__os_message_t message = { BROOD__WIRE_FORK, 0, 0 };
    apr_status_t rv = APR_SUCCESS;

    child->down->parent_pid = brood__os_process_id(&server->process);
    for (; rv == APR_SUCCESS && message.size < BROOD__HANDLES; message.size++)
        rv = brood__os_channel_send(server->channel, &message,
                                    theirs[message.size]);
    if (rv != APR_SUCCESS)
        server->ready = 1; /* it may be dead: look */
    if (rv != APR_SUCCESS && rv != APR_EOF)
        return rv;
    child->forking = 1;
    expect_answer(server, child);
    return APR_SUCCESS;
}

int brood__server_has_ended(brood__server_t *server, brood__child_t *child,
                            brood__os_exit_t *how)
{
    int unseen; /* nothing but the server tells of its end */

    memset(how, 0, sizeof(*how));
    if (child->told) {
        *how = child->how;
        return 1;
    }
    if (child->forking)
        return server->broken != APR_SUCCESS;
    unseen = brood__os_process_watch(&child->process) == BROOD__OS_NO_HANDLE;
    if (!child->gone && !unseen)
        child->gone = brood__os_process_ended(&child->process, how);
    if (server->broken)
        return child->gone || unseen;
    child->look = (child->gone || unseen) && server->asked;
    if ((child->gone || unseen) && !server->asked)
        ask_how(server, child);
    return 0;
}

static void ask_how(brood__server_t *server, brood__child_t *child)
{
    const brood__os_message_t message = {
        BROOD__WIRE_EXIT, 0, (uint64_t)brood__os_process_id(&child->process)
    };

    /* If that fails the server is dead, which its channel tells. */
    if (brood__os_channel_send(server->channel, &message, BROOD__OS_NO_HANDLE)
        == APR_SUCCESS)
        expect_answer(server, child);
}

static void expect_answer(brood__server_t *server, brood__child_t *child)
{
    server->asked = child;
    server->deadline = brood__os_now()
                       + (server->loaded ? brood__server_patience : LOADING);
}

int brood__server_tend(brood__server_t *server, int64_t now, int thorough)
{
    apr_status_t rv = APR_EAGAIN;

    if (server->broken) {
        see_end(server, now);
        return 0;
    }
    if (server->ready || thorough)
        rv = take_answer(server);
    server->ready = 0;
    if (rv == APR_SUCCESS
        || (rv == APR_EAGAIN && (!server->deadline || now < server->deadline)))
        return 0;
    server->broken = rv == APR_EAGAIN ? APR_TIMEUP : rv;
    brood__os_watcher_remove(brood__watcher, server->channel);
    brood__os_process_kill(&server->process);
    see_end(server, now);
    return 1;
}

static void see_end(brood__server_t *server, int64_t now)
{
    if (!server->ended)
        server->ended = brood__os_process_ended(&server->process, &server->how);
    server->deadline = server->ended ? 0 : now + SOON;
}

/* EMFILE: there was no room for the descriptor, but the worker is there. */
static apr_status_t take_answer(brood__server_t *server)
{
    brood__child_t *child = server->asked;
    brood__os_message_t message;
    brood__os_handle_t handle;
    apr_status_t rv = brood__os_channel_receive(server->channel, &message,
                                                &handle, 0);

    if (rv != APR_SUCCESS && rv != APR_EMFILE)
        return rv;
    if (child && child->forking && message.what == BROOD__WIRE_FORKED
        && message.where) {
        brood__child_forked(child, (int64_t)message.where, handle);
        handle = BROOD__OS_NO_HANDLE;
    } else if (child && child->forking && message.what == BROOD__WIRE_FORKED) {
        child->told = 1; /* it could not fork */
        child->unmade = (apr_status_t)message.size;
    } else if (child && !child->forking && message.what == BROOD__WIRE_EXIT) {
        const int number = (int)(message.size >> 8);

        child->how.known = message.size & 1;
        child->how.signal = message.size & 2 ? number : 0;
        child->how.code = message.size & 2 ? -1 : number;
        child->told = child->gone || child->how.known;
    } else {
        child = NULL; /* nobody has asked for that */
    }
    brood__os_handle_close(handle);
    if (!child)
        return APR_EGENERAL;
    child->forking = 0;
    server->asked = NULL;
    server->deadline = 0;
    server->loaded = 1;
    return APR_SUCCESS;
}

int64_t brood__server_deadline(const brood__server_t *server)
{
    return server->deadline;
}

void brood__server_hurry(brood__server_t *server, int64_t now)
{
    if (server->deadline > now + HURRY)
        server->deadline = now + HURRY;
}

int brood__server_is_free(const brood__server_t *server)
{
    return !server->asked && !server->broken;
}

apr_status_t brood__server_broken(const brood__server_t *server)
{
    return server->broken;
}

int brood__server_is_dying(const brood__server_t *server)
{
    return server->broken && !server->ended;
}

const brood__os_exit_t *brood__server_exit(const brood__server_t *server)
{
    return &server->how;
}

/* ---- the server's side ------------------------------------------------------ */

void brood__process_server(void)
{
    brood__os_handle_t handles[BROOD__HANDLES];
    brood__os_handle_t channel;
    apr_status_t rv = brood__os_worker_begin(1);
    size_t i;

    if (rv != APR_SUCCESS)
        brood__process_give_up("fork server", BROOD__EXIT_NOT_OURS,
                               "not started by brood", rv);
    channel = brood__os_worker_handle(0);
    brood__os_worker_die_with(brood__os_parent_pid());
    for (i = 0; i < BROOD__HANDLES; i++)
        handles[i] = BROOD__OS_NO_HANDLE;
    while (rv == APR_SUCCESS)
        rv = serve(channel, handles);
    if (rv != APR_EOF)
        brood__process_give_up("fork server", BROOD__EXIT_REFUSED,
                               "cannot serve", rv);
    brood__os_worker_exit(0); /* the parent has ended; workers follow */
}

static apr_status_t fork_one(brood__os_handle_t channel,
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
    return rv;
}

/* APR_EOF: the parent has ended. */
static apr_status_t serve(brood__os_handle_t channel,
                          brood__os_handle_t handles[BROOD__HANDLES])
{
    brood__os_message_t message;
    brood__os_exit_t how;
    brood__os_handle_t handle;
    apr_status_t rv = brood__os_channel_receive(channel, &message, &handle, 1);
    size_t i;

    if (rv != APR_SUCCESS)
        return rv;
    if (message.what == BROOD__WIRE_EXIT) {
        message.size = 0;
        if (brood__os_reap((int64_t)message.where, &how))
            message.size = how.signal ? (uint32_t)how.signal << 8 | 3
                                      : (uint32_t)how.code << 8 | 1;
        return brood__os_channel_send(channel, &message, BROOD__OS_NO_HANDLE);
    }
    if (message.what != BROOD__WIRE_FORK || message.size >= BROOD__HANDLES)
        return APR_EINVAL;
    brood__os_handle_close(handles[message.size]); /* of half a request */
    handles[message.size] = handle;
    if (message.size == BROOD__HANDLES - 1) {
        rv = fork_one(channel, handles);
        for (i = 0; i < BROOD__HANDLES; i++) {
            brood__os_handle_close(handles[i]);
            handles[i] = BROOD__OS_NO_HANDLE;
        }
    }
    return rv;
}
