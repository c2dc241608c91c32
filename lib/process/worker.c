/* SPDX-License-Identifier: Apache-2.0 */

/*
 * worker.c: a worker process: it takes requests, runs them, and answers.
 *
 * Two threads. The main thread runs the tasks, one at a time, in the order of
 * their positions; only it touches the rings. The watch thread waits on the
 * first channel: it raises tokens, closes what was only lent, and ends the process
 * when the parent ends. `lock` guards what both know: which task runs, and what
 * is lent.
 */

#include "process/worker.h"

#include <stdlib.h>

#include <brood/errors.h>
#include <brood/init.h>

#include "os/lock.h"
#include "os/process.h"
#include "os/thread.h"
#include "process/cross.h"
#include "task/future.h"
#include "task/spin.h"

typedef struct call_t {
    brood_process_fn *fn;
    const void *in;
    size_t size;
    brood_buffer_t *out;
} call_t;

brood__worker_t brood__worker = { .lock = BROOD__LOCK_INIT(BROOD__RANK_LEAF),
                                  .fetched = BROOD__COND_INIT };

static const brood__home_ops_t home_ops = { .noun = "worker process" };
static brood__home_t g_home = { &home_ops };

static void begin(void);
static apr_status_t take_blocks(void);
static void note_line(void);
static void hello(void);
static apr_status_t start_brood(void);
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

void brood__process_worker(void)
{
    brood__request_t *request;
    brood__response_t *response;

    begin();
    hello();
    for (;; brood__worker.next++) {
        unsigned long long open = brood__wire_claim(brood__worker.next,
                                                    BROOD__WIRE_OPEN);

        request =
            &brood__worker.down->request[BROOD__WIRE_SLOT(brood__worker.next)];
        response =
            &brood__worker.up->response[BROOD__WIRE_SLOT(brood__worker.next)];
        await_request(request);
        brood__worker_await_fetched();
        if (!brood__cas(
                &response->claim, &open,
                brood__wire_claim(brood__worker.next, BROOD__WIRE_TAKEN),
                acq_rel)) {
            drop_payload(request);
            response->place = BROOD__WIRE_NOTHING;
            brood__worker_publish(response);
        } else if (request->what == BROOD__WIRE_QUIT) {
            quit(response);
        } else {
            run_one(request, response);
        }
    }
}

/* ---- the beginning ------------------------------------------------------- */

static BROOD__NORETURN void give_up(int code, const char *what,
                                    apr_status_t why)
{
    brood__process_give_up("worker process", code, what, why);
}

static void begin(void)
{
    brood__os_message_t go;
    brood__os_handle_t none;
    apr_status_t rv = take_blocks();

    if (rv == APR_EINVAL)
        give_up(BROOD__EXIT_NOT_OURS, "not started by brood", rv);
    if (rv != APR_SUCCESS)
        give_up(BROOD__EXIT_REFUSED, "cannot take what its parent gave it", rv);
    /* Only then does the parent have a process descriptor of us. */
    if (brood__os_channel_receive(brood__os_worker_handle(BROOD__HANDLE_WATCH),
                                  &go, &none, 1)
            != APR_SUCCESS
        || go.what != BROOD__WIRE_GO)
        brood__os_worker_exit(0); /* the parent has ended */
    if (brood__worker.down->abi == BROOD__WIRE_ABI
        && brood__worker.down->size == sizeof(*brood__worker.down)) {
        brood__os_worker_die_with(brood__worker.down->parent_pid);
        brood__os_thread_name(brood__worker.down->name);
        note_line();
    }
}

/* APR_EINVAL: they are not brood's. */
static apr_status_t take_blocks(void)
{
    apr_status_t rv = brood__os_worker_begin(BROOD__HANDLES);

    if (rv == APR_SUCCESS)
        rv = brood__os_block_map(&brood__worker.down_block,
                                 brood__os_worker_handle(BROOD__HANDLE_DOWN),
                                 sizeof(*brood__worker.down), 0);
    if (rv == APR_SUCCESS)
        rv = brood__os_block_map(&brood__worker.up_block,
                                 brood__os_worker_handle(BROOD__HANDLE_UP),
                                 sizeof(*brood__worker.up), 1);
    if (rv != APR_SUCCESS)
        return rv;
    brood__worker.down = brood__worker.down_block.base;
    brood__worker.up = brood__worker.up_block.base;
    return brood__worker.down->magic == BROOD__WIRE_MAGIC ? APR_SUCCESS
                                                          : APR_EINVAL;
}

static void note_line(void)
{
    size_t i;

    brood__n_chain = brood__worker.down->n_chain + 1;
    for (i = 0; i < brood__worker.down->n_chain; i++)
        brood__chain[i + 1] = brood__worker.down->chain[i];
    brood__chain[0].pid = (uint64_t)brood__os_pid();
    brood__chain[0].serial = brood__worker.down->serial;
}

/* The parent compares, and ends us if anything differs. */
static void hello(void)
{
    apr_status_t rv = start_brood();

    if (rv != APR_SUCCESS)
        give_up(BROOD__EXIT_REFUSED, "cannot start brood", rv);
    brood__buffer_place = brood__worker_place;
    brood__worker.up->magic = BROOD__WIRE_MAGIC;
    brood__worker.up->abi = BROOD__WIRE_ABI;
    brood__worker.up->sizes = BROOD__WIRE_SIZES;
    brood__worker.up->hash = brood__table.hash;
    brood__worker.up->pid = brood__os_pid();
    initialize();
    brood__store(&brood__worker.up->hello, 1, release);
    brood__os_bell_ring(brood__os_worker_handle(BROOD__HANDLE_BELL));
}

static apr_status_t start_brood(void)
{
    apr_status_t rv = brood_initialize();

    if (rv == APR_SUCCESS)
        rv = brood__self_ready();
    if (rv == APR_SUCCESS)
        rv = brood__thread_start(&brood__worker.watcher, watch, NULL,
                                 "brood-watch", 0);
    return rv;
}

static void initialize(void)
{
    brood_process_fn *fn;
    brood_buffer_t *out = NULL;
    apr_status_t rv = BROOD_ENOFUNC;

    if (!brood__worker.down->initializer)
        return;
    fn = brood__table_find(brood__worker.down->initializer);
    if (fn)
        rv = fn(brood__worker.down->initializer_data,
                brood__worker.down->initializer_size, &out);
    if (rv != APR_SUCCESS)
        give_up(BROOD__EXIT_INITIALIZER, "its initializer failed", rv);
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
        if (message.what == BROOD__WIRE_FETCHED)
            brood__worker_fetched(message.where);
        if (message.what != BROOD__WIRE_TOKEN)
            continue;
        brood__lock(&brood__worker.lock);
        if (brood__worker.current && brood__worker.position == message.where)
            task = brood_future_retain(brood__worker.current);
        brood__unlock(&brood__worker.lock);
        if (task)
            (void)brood__future_end(task, BROOD_ECANCELED, 0);
        (void)brood_future_release(task);
    }
    if (!brood__load(&brood__worker.quits, acquire))
        brood__os_worker_exit(0); /* the parent has ended */
    brood__self_exit();
}

/* ---- requests ------------------------------------------------------------ */

static int is_ready(void *baton)
{
    const brood__request_t *request = baton;

    return brood__load(&request->ready, acquire)
           == brood__worker.next + 1; /* (A) */
}

static void await_request(const brood__request_t *request)
{
    brood__request_t *r = (brood__request_t *)(uintptr_t)request;

    if (is_ready(r)
        || (brood__load(&brood__worker.down->spin, relaxed)
            && brood__spin(is_ready, r)))
        return;
    brood__self_rest();
    for (;;) {
        brood__store(&brood__worker.up->asleep, 1, relaxed);
        brood__fence(seq_cst); /* (C) */
        if (is_ready(r))
            break;
        brood__os_doorbell_wait(brood__os_worker_handle(BROOD__HANDLE_DOORBELL),
                                &brood__worker.up->asleep, 1);
        if (is_ready(r))
            break;
    }
    brood__store(&brood__worker.up->asleep, 0, relaxed);
}

static void quit(brood__response_t *response)
{
    response->place = BROOD__WIRE_NOTHING;
    brood__worker_publish(response);
    brood__buffer_place = NULL;
    brood__store(&brood__worker.quits, 1, release);
    brood__os_channel_end(brood__os_worker_handle(BROOD__HANDLE_WATCH));
    brood__thread_join(brood__worker.watcher);
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
    brood__worker_answer(response, rv, call.out);
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
        *bytes = brood__worker.down->arena + request->where;
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
    brood__lock(&brood__worker.lock);
    brood__worker.current = future;
    brood__worker.position = brood__worker.next;
    brood__unlock(&brood__worker.lock);
    if (brood__load(&request->token, acquire))
        (void)brood__future_end(future, BROOD_ECANCELED, 0);
    brood__worker_runs = 1;
    rv = brood__future_run(future, scope);
    brood__worker_runs = 0;
    brood__lock(&brood__worker.lock);
    brood__worker.current = NULL;
    brood__unlock(&brood__worker.lock);
    (void)brood_future_release(future);
    if (request->context)
        brood__scope_release(scope, 1);
    return rv;
}

static apr_status_t call_function(void *baton, void **result)
{
    call_t *call = baton;
    apr_status_t rv = call->fn(call->in, call->size, &call->out);

    (void)result;
    if (brood__os_forked()) /* it forked, and both came back: we are not asked */
        brood__os_worker_exit(0);
    return rv;
}
