/* SPDX-License-Identifier: Apache-2.0 */

/*
 * worker.c: a worker process: it takes requests, runs them, and answers.
 *
 * Two threads. The main thread runs the tasks, one at a time, in the order of
 * their positions; only it touches the rings. The watch thread waits on the
 * first channel: it raises tokens, and ends the process when the parent ends.
 * `lock` guards what both know: which task runs.
 */

#include "process/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <brood/errors.h>
#include <brood/init.h>

#include "os/lock.h"
#include "os/process.h"
#include "os/thread.h"
#include "process/cross.h"
#include "task/buffer.h"
#include "task/future.h"
#include "task/spin.h"

/* The codes that a worker exits with by itself. */
enum { EXIT_NOT_A_WORKER = 64, EXIT_NO_START = 70, EXIT_NO_INITIALIZER = 71 };

#define SLOT(position) ((position) & (BROOD__WIRE_SLOTS - 1))

typedef struct call_t {
    brood_process_fn *fn;
    const void *in;
    size_t size;
    brood_buffer_t *out;
} call_t;

static struct {
    brood__os_block_t down_block, up_block;
    brood__down_t *down;
    brood__up_t *up;
    uint64_t next;        /* position to be taken */
    uint64_t freed;       /* results known to be read */
    unsigned rung;        /* the last `need` that we rang for */
    brood__arena_t arena; /* of results */
    uint64_t arena_end[BROOD__WIRE_SLOTS]; /* head, after each result */
    brood_buffer_t *placed;                /* of the running task, in there */
    brood__arena_t before;                 /* `arena`, before `placed` */
    brood__lock_t lock;
    brood_future_t *current; /* under `lock`; and its position */
    uint64_t position;
} g = { .lock = BROOD__LOCK_INIT(BROOD__RANK_LEAF) };

/* The main thread, while it runs a task. */
static BROOD__THREAD_LOCAL int tl_runs;

static const brood__home_ops_t home_ops = { .noun = "worker process" };
static brood__home_t g_home = { &home_ops };

static void begin(void);
static void hello(void);
static void initialize(void);
static void watch(void *unused);
static void await_request(const brood__request_t *request);
static int is_ready(void *baton);
static BROOD__NORETURN void quit(brood__response_t *response);
static void run_one(brood__request_t *request, brood__response_t *response);
static void drop_payload(const brood__request_t *request);
static apr_status_t find_payload(const brood__request_t *request,
                                 const unsigned char **bytes,
                                 brood__os_block_t *block);
static apr_status_t run(brood__request_t *request, const unsigned char *bytes,
                        call_t *call);
static apr_status_t call_function(void *baton, void **result);
static brood_buffer_t *place(size_t size);
static void unplace(brood_buffer_t *buffer);
static void reclaim(void);
static void answer(brood__response_t *response, apr_status_t status,
                   brood_buffer_t *out);
static apr_status_t put_result(brood__response_t *response,
                               brood_buffer_t *out);
static apr_status_t send_block(brood__response_t *response,
                               const brood_buffer_t *out);
static void publish(brood__response_t *response);

void brood__process_worker(void)
{
    brood__request_t *request;
    brood__response_t *response;

    begin();
    hello();
    for (;; g.next++) {
        unsigned long long open = brood__wire_claim(g.next, BROOD__WIRE_OPEN);

        request = &g.down->request[SLOT(g.next)];
        response = &g.up->response[SLOT(g.next)];
        await_request(request);
        if (!brood__cas(&response->claim, &open,
                        brood__wire_claim(g.next, BROOD__WIRE_TAKEN),
                        acq_rel)) {
            drop_payload(request);
            response->place = BROOD__WIRE_NOTHING;
            publish(response);
        } else if (request->what == BROOD__WIRE_QUIT) {
            quit(response);
        } else {
            run_one(request, response);
        }
    }
}

/* ---- the beginning ------------------------------------------------------- */

static BROOD__NORETURN void give_up(int code, const char *why)
{
    fprintf(stderr, "brood: worker process %lld: %s\n",
            (long long)brood__os_pid(), why);
    fflush(stderr);
    brood__os_worker_exit(code);
}

static void begin(void)
{
    brood__os_message_t go;
    brood__os_handle_t none;
    size_t i;

    if (brood__os_worker_begin(BROOD__HANDLES) != APR_SUCCESS
        || brood__os_block_map(&g.down_block,
                               brood__os_worker_handle(BROOD__HANDLE_DOWN),
                               sizeof(*g.down), 0)
               != APR_SUCCESS
        || brood__os_block_map(&g.up_block,
                               brood__os_worker_handle(BROOD__HANDLE_UP),
                               sizeof(*g.up), 1)
               != APR_SUCCESS)
        give_up(EXIT_NOT_A_WORKER, "not started by brood");
    g.down = g.down_block.base;
    g.up = g.up_block.base;
    if (g.down->magic != BROOD__WIRE_MAGIC)
        give_up(EXIT_NOT_A_WORKER, "not started by brood");

    /* Only then does the parent have a process descriptor of us. */
    if (brood__os_channel_receive(brood__os_worker_handle(BROOD__HANDLE_WATCH),
                                  &go, &none, 1)
            != APR_SUCCESS
        || go.what != BROOD__WIRE_GO)
        brood__os_worker_exit(0); /* the parent has ended */
    if (g.down->abi == BROOD__WIRE_ABI && g.down->size == sizeof(*g.down)) {
        brood__os_worker_die_with(g.down->parent_pid);
        brood__os_thread_name(g.down->name);
        brood__n_chain = g.down->n_chain + 1;
        for (i = 0; i < g.down->n_chain; i++)
            brood__chain[i + 1] = g.down->chain[i];
        brood__chain[0].pid = (uint64_t)brood__os_pid();
        brood__chain[0].serial = g.down->serial;
    }
}

/* The parent compares, and ends us if anything differs. */
static void hello(void)
{
    brood__thread_t *watcher;

    if (brood_initialize() != APR_SUCCESS || brood__self_ready() != APR_SUCCESS
        || brood__thread_start(&watcher, watch, NULL, "brood-watch", 0)
               != APR_SUCCESS)
        give_up(EXIT_NO_START, "cannot start brood");
    brood__buffer_place = place;
    g.up->magic = BROOD__WIRE_MAGIC;
    g.up->abi = BROOD__WIRE_ABI;
    g.up->sizes = BROOD__WIRE_SIZES;
    g.up->hash = brood__table.hash;
    g.up->pid = brood__os_pid();
    initialize();
    brood__store(&g.up->hello, 1, release);
    brood__os_bell_ring(brood__os_worker_handle(BROOD__HANDLE_BELL));
}

static void initialize(void)
{
    brood_process_fn *fn;
    brood_buffer_t *out = NULL;

    if (!g.down->initializer)
        return;
    fn = brood__table_find(g.down->initializer);
    if (!fn)
        give_up(EXIT_NO_INITIALIZER, "knows no function for its initializer");
    if (fn(g.down->initializer_data, g.down->initializer_size, &out)
        != APR_SUCCESS)
        give_up(EXIT_NO_INITIALIZER, "its initializer failed");
    (void)brood_buffer_release(out);
}

/* The watch thread. */
static void watch(void *unused)
{
    brood__os_message_t message;
    brood__os_handle_t handle;

    (void)unused;
    brood__self_library(NULL);
    while (
        brood__os_channel_receive(brood__os_worker_handle(BROOD__HANDLE_WATCH),
                                  &message, &handle, 1)
        == APR_SUCCESS) {
        brood_future_t *task = NULL;

        brood__os_handle_close(handle);
        if (message.what != BROOD__WIRE_TOKEN)
            continue;
        brood__lock(&g.lock);
        if (g.current && g.position == message.where)
            task = brood_future_retain(g.current);
        brood__unlock(&g.lock);
        if (task)
            (void)brood__future_end(task, BROOD_ECANCELED, 0);
        (void)brood_future_release(task);
    }
    brood__os_worker_exit(0); /* the parent has ended */
}

/* ---- requests ------------------------------------------------------------ */

static int is_ready(void *baton)
{
    const brood__request_t *request = baton;

    return brood__load(&request->ready, acquire) == g.next + 1; /* (A) */
}

static void await_request(const brood__request_t *request)
{
    brood__request_t *r = (brood__request_t *)(uintptr_t)request;

    if (is_ready(r)
        || (brood__load(&g.down->spin, relaxed) && brood__spin(is_ready, r)))
        return;
    brood__self_rest();
    for (;;) {
        brood__store(&g.up->asleep, 1, relaxed);
        brood__fence(seq_cst); /* (C) */
        if (is_ready(r))
            break;
        brood__os_doorbell_wait(brood__os_worker_handle(BROOD__HANDLE_DOORBELL),
                                &g.up->asleep, 1);
        if (is_ready(r))
            break;
    }
    brood__store(&g.up->asleep, 0, relaxed);
}

static void quit(brood__response_t *response)
{
    response->place = BROOD__WIRE_NOTHING;
    publish(response);
    brood__buffer_place = NULL;
    brood_terminate();
    exit(EXIT_SUCCESS);
}

static void run_one(brood__request_t *request, brood__response_t *response)
{
    const unsigned char *bytes = NULL;
    brood__os_block_t block = { 0 };
    call_t call = { NULL, NULL, 0, NULL };
    int64_t begun = brood__os_now();
    apr_status_t rv;

    rv = find_payload(request, &bytes, &block);
    if (rv == APR_SUCCESS)
        rv = run(request, bytes, &call);
    response->run_time = (uint64_t)(brood__os_now() - begun);
    answer(response, rv, call.out);
    brood__os_block_free(&block);
}

/* Of a request that was recalled: a block is in the channel all the same, one
 * for each such position, in their order. */
static void drop_payload(const brood__request_t *request)
{
    brood__os_message_t message;
    brood__os_handle_t handle;

    if (request->place == BROOD__WIRE_IN_BLOCK
        && brood__os_channel_receive(
               brood__os_worker_handle(BROOD__HANDLE_BLOCKS), &message, &handle,
               1)
               == APR_SUCCESS)
        brood__os_handle_close(handle);
}

static apr_status_t find_payload(const brood__request_t *request,
                                 const unsigned char **bytes,
                                 brood__os_block_t *block)
{
    brood__os_message_t message;
    brood__os_handle_t handle;
    int safe;
    apr_status_t rv;

    if (request->place == BROOD__WIRE_HERE) {
        *bytes = request->bytes;
        return APR_SUCCESS;
    }
    if (request->place == BROOD__WIRE_IN_ARENA) {
        *bytes = g.down->arena + request->where;
        return APR_SUCCESS;
    }
    rv = brood__os_channel_receive(
        brood__os_worker_handle(BROOD__HANDLE_BLOCKS), &message, &handle, 1);
    if (rv != APR_SUCCESS)
        return rv;
    rv = brood__os_block_open(block, handle, request->size, &safe);
    *bytes = block->base;
    return rv;
}

/* As a task of this process: it can be canceled, waits as others do, and what
 * it makes in the family tree goes when it ends. */
static apr_status_t run(brood__request_t *request, const unsigned char *bytes,
                        call_t *call)
{
    const uint32_t skip = brood__wire_pad(request->context);
    brood__scope_t *scope = brood__self.now.scope;
    brood_future_t *future;
    apr_status_t rv = APR_SUCCESS;

    call->fn = brood__table_find(request->function);
    if (!call->fn)
        return BROOD_ENOFUNC;
    call->in = bytes + skip;
    call->size = request->size - skip;
    if (request->context)
        rv = brood__cross_decode(&scope, bytes, request->context);
    if (rv != APR_SUCCESS)
        return rv;
    future = brood__future_make(&g_home, call_function, call, NULL);
    if (!future) {
        if (request->context)
            brood__scope_release(scope, 1);
        return APR_ENOMEM;
    }
    future->scope = scope;
    (void)brood__future_claim(future, BROOD__READ); /* the parent reports */
    brood__lock(&g.lock);
    g.current = future;
    g.position = g.next;
    brood__unlock(&g.lock);
    if (brood__load(&request->token, acquire))
        (void)brood__future_end(future, BROOD_ECANCELED, 0);
    tl_runs = 1;
    rv = brood__future_run(future, scope);
    tl_runs = 0;
    brood__lock(&g.lock);
    g.current = NULL;
    brood__unlock(&g.lock);
    (void)brood_future_release(future);
    if (request->context)
        brood__scope_release(scope, 1);
    return rv;
}

static apr_status_t call_function(void *baton, void **result)
{
    call_t *call = baton;

    (void)result;
    return call->fn(call->in, call->size, &call->out);
}

/* ---- results ------------------------------------------------------------- */

/* brood_buffer_make() in a task: the first one is put where the parent will
 * read it. */
static brood_buffer_t *place(size_t size)
{
    uint64_t at;

    if (!tl_runs || g.placed || size <= BROOD__WIRE_INLINE
        || size > BROOD__WIRE_LARGE || size > g.down->limit)
        return NULL;
    reclaim();
    g.before = g.arena;
    at = brood__arena_take(&g.arena, size);
    if (at == (uint64_t)-1)
        return NULL;
    g.placed = brood__buffer_around(g.up->arena + at, size, unplace, NULL);
    if (!g.placed)
        g.arena = g.before;
    return g.placed;
}

/* The task gave it up, or answer() did. On any thread, but only the main one
 * gives the memory back, at the end of the task. */
static void unplace(brood_buffer_t *buffer)
{
    if (tl_runs && buffer == g.placed) {
        g.placed = NULL;
        g.arena = g.before;
    }
}

/* What the parent has read is free. */
static void reclaim(void)
{
    const uint64_t done = brood__load(&g.down->done, acquire);

    if (done > g.freed) {
        g.arena.tail = g.arena_end[SLOT(done - 1)];
        g.freed = done;
    }
}

static void answer(brood__response_t *response, apr_status_t status,
                   brood_buffer_t *out)
{
    response->size = 0;
    response->where = 0;
    response->place = BROOD__WIRE_HERE;
    if (status == APR_SUCCESS && out)
        status = put_result(response, out);
    if (g.placed
        && (g.placed != out || response->place != BROOD__WIRE_IN_ARENA))
        g.arena = g.before;
    g.placed = NULL;
    response->status = status;
    if (status != APR_SUCCESS) {
        response->size = 0;
        response->place = BROOD__WIRE_HERE;
    }
    publish(response); /* the bytes are not ours to touch any more */
    (void)brood_buffer_release(out);
}

static apr_status_t put_result(brood__response_t *response, brood_buffer_t *out)
{
    const size_t size = out->size;
    uint64_t at = (uint64_t)-1;

    if (size > g.down->limit)
        return BROOD_ETOOBIG;
    response->size = (uint32_t)size;
    if (size <= BROOD__WIRE_INLINE) {
        if (size)
            memcpy(response->bytes, out->data, size);
        return APR_SUCCESS;
    }
    if (out == g.placed) {
        response->where = (uint64_t)((unsigned char *)out->data - g.up->arena);
        response->place = BROOD__WIRE_IN_ARENA;
        return APR_SUCCESS;
    }
    if (size <= BROOD__WIRE_LARGE) {
        if (g.placed)
            g.arena = g.before;
        g.placed = NULL;
        reclaim();
        at = brood__arena_take(&g.arena, size);
    }
    if (at == (uint64_t)-1)
        return send_block(response, out);
    memcpy(g.up->arena + at, out->data, size);
    response->where = at;
    response->place = BROOD__WIRE_IN_ARENA;
    return APR_SUCCESS;
}

static apr_status_t send_block(brood__response_t *response,
                               const brood_buffer_t *out)
{
    brood__os_message_t message = { BROOD__WIRE_BLOCK, (uint32_t)out->size,
                                    g.next };
    brood__os_block_t block;
    apr_status_t rv = brood__os_block_make(&block, out->size);

    if (rv != APR_SUCCESS)
        return rv;
    memcpy(block.base, out->data, out->size);
    rv = brood__os_block_freeze(&block);
    if (rv == APR_SUCCESS)
        rv = brood__os_channel_send(
            brood__os_worker_handle(BROOD__HANDLE_BLOCKS), &message,
            block.handle);
    brood__os_block_free(&block);
    response->place = BROOD__WIRE_IN_BLOCK;
    return rv;
}

/* The claim of the next lap first: whoever sees `full` may use the slot. */
static void publish(brood__response_t *response)
{
    unsigned need;

    g.arena_end[SLOT(g.next)] = g.arena.head;
    brood__store(
        &response->claim,
        brood__wire_claim(g.next + BROOD__WIRE_SLOTS, BROOD__WIRE_OPEN),
        relaxed);
    brood__store(&response->full, g.next + 1, release); /* (B) */
    brood__fence(seq_cst);                              /* (D) */
    need = brood__load(&g.down->need, relaxed);
    if ((need & 1) && need != g.rung) {
        g.rung = need;
        brood__os_bell_ring(brood__os_worker_handle(BROOD__HANDLE_BELL));
    }
}
