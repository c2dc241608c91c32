/* SPDX-License-Identifier: Apache-2.0 */

/* tasks.c: functions that run in worker processes; see tasks.h. */

#include "process/tasks.h"

#include <stdio.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/fault.h"
#include "os/process.h"
#include "process/tasks_platform.h"
#include "process/wire.h"

static brood_process_manager_t *g_manager; /* one for each program */

apr_status_t task_number(brood_buffer_t **out, long value)
{
    char line[64];
    int n = snprintf(line, sizeof(line), "%ld", value);

    return brood_buffer_copy(out, line, (size_t)n);
}

/* The payload as text. */
const char *task_words(const void *in, size_t len)
{
    static char copy[512];

    memcpy(copy, in, len < sizeof(copy) ? len : sizeof(copy) - 1);
    copy[len < sizeof(copy) ? len : sizeof(copy) - 1] = '\0';
    return copy;
}

apr_status_t task_echo(const void *in, size_t len, brood_buffer_t **out)
{
    return brood_buffer_copy(out, in, len);
}

/* The same, from memory that brood did not place. */
static apr_status_t echo_twice(const void *in, size_t len, brood_buffer_t **out)
{
    brood_buffer_t *first;
    apr_status_t rv = brood_buffer_copy(&first, in, len);

    if (rv == APR_SUCCESS)
        rv = brood_buffer_copy(out, in, len);
    (void)brood_buffer_release(first);
    return rv;
}

static apr_status_t empty(const void *in, size_t len, brood_buffer_t **out)
{
    (void)in;
    (void)len;
    (void)out;
    return APR_SUCCESS;
}

static apr_status_t fail(const void *in, size_t len, brood_buffer_t **out)
{
    return (void)out, atoi(task_words(in, len));
}

static apr_status_t exit_with(const void *in, size_t len, brood_buffer_t **out)
{
    (void)out;
    if (BROOD__ASAN) /* which finds brood's threads, and makes it 23 */
        _exit(atoi(task_words(in, len)));
    exit(atoi(task_words(in, len)));
}

/* Opens the door "in", then waits until it is killed, or for "in.go". */
apr_status_t task_hold(const void *in, size_t len, brood_buffer_t **out)
{
    char go[520];
    const char *door = task_words(in, len);

    (void)out;
    (void)snprintf(go, sizeof(go), "%s.go", door);
    file_door_open(door);
    while (!file_door_is_open(go))
        platform_nap(1000);
    return APR_SUCCESS;
}

/* The same, until its end is asked for. */
static apr_status_t obey(const void *in, size_t len, brood_buffer_t **out)
{
    (void)out;
    if (len)
        file_door_open(task_words(in, len));
    while (!brood_task_canceled())
        platform_nap(500);
    return BROOD_ECANCELED;
}

/* It waits for something that never comes, in a call of brood. */
static apr_status_t await_never(const void *in, size_t len,
                                brood_buffer_t **out)
{
    brood_promise_t *promise;
    brood_future_t *future;
    apr_status_t rv = brood_promise_make(&promise, &future, NULL);

    (void)out;
    if (rv != APR_SUCCESS)
        return rv;
    if (len)
        file_door_open(task_words(in, len));
    rv = brood_future_wait(future, -1);
    brood_promise_release(promise);
    (void)brood_future_release(future);
    return rv;
}

apr_status_t task_pid(const void *in, size_t len, brood_buffer_t **out)
{
    (void)in;
    (void)len;
    return task_number(out, (long)brood__os_pid());
}

static apr_status_t lineage(const void *in, size_t len, brood_buffer_t **out)
{
    brood_process_id_t chain[16];
    apr_size_t n = brood_process_lineage(chain, 16);

    (void)in;
    (void)len;
    return brood_buffer_copy(out, chain, n * sizeof(chain[0]));
}

/* So many bytes. */
static apr_status_t flood(const void *in, size_t len, brood_buffer_t **out)
{
    size_t size = (size_t)strtoul(task_words(in, len), NULL, 10);
    apr_status_t rv = brood_buffer_make(out, size);

    if (rv == APR_SUCCESS)
        memset(brood_buffer_data(*out), 'x', size);
    return rv;
}

/* Take so many MiB, and keep them. */
static apr_status_t leak(const void *in, size_t len, brood_buffer_t **out)
{
    static void *kept; /* all of them, one by the other */
    size_t size = (size_t)strtoul(task_words(in, len), NULL, 10) << 20;
    char *more = malloc(size);

    (void)out;
    if (!more)
        return APR_ENOMEM;
    memset(more, 1, size);
    memcpy(more, &kept, sizeof(kept));
    kept = more;
    return APR_SUCCESS;
}

/* From now on no descriptor can be had in this process. */
static apr_status_t no_descriptors(const void *in, size_t len,
                                   brood_buffer_t **out)
{
    (void)in;
    (void)len;
    (void)out;
    brood__fault_all(BROOD__FAULT_DESCRIPTOR);
    return APR_SUCCESS;
}

/* One descriptor of its own, which stays. */
static apr_status_t keep(const void *in, size_t len, brood_buffer_t **out)
{
    brood__os_block_t block;

    return (void)in, (void)len, (void)out, brood__os_block_make(&block, 1);
}

/* So many bytes, and the n-th request for memory after that fails. */
static apr_status_t flood_without(const void *in, size_t len,
                                  brood_buffer_t **out)
{
    unsigned n = (unsigned)atoi(task_words(in, len));
    apr_status_t rv = brood_buffer_make(out, 2000000);

    brood__fault_at(BROOD__FAULT_MEMORY, n);
    return rv;
}

/* A manager of this process' own. */
static apr_status_t own_manager(const void *in, size_t len,
                                brood_buffer_t **out)
{
    brood_thread_manager_t *threads;
    brood_process_manager_t *processes;
    apr_status_t rv = brood_thread_manager_get(&threads, task_words(in, len),
                                               BROOD_GET_STRICT);

    (void)out;
    if (rv == BROOD_ENOTFOUND)
        rv = brood_process_manager_get(&processes, NULL, BROOD_GET_STRICT);
    return rv;
}

/* What "lineage" tells in a worker of this worker, started as the number in `in`
 * says. */
static apr_status_t nested(const void *in, size_t len, brood_buffer_t **out)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;
    brood_future_t *future = NULL;
    void *value = NULL;
    apr_status_t rv;

    o.max_workers = 1;
    o.start_method = atoi(task_words(in, len));
    rv = brood_process_manager_get(&m, "mine", 0);
    if (rv == APR_SUCCESS)
        rv = brood_process_manager_start(m, &o);
    if (rv == APR_SUCCESS)
        rv = brood_process_manager_submit(&future, m, "lineage", NULL, 0, NULL);
    if (rv == APR_SUCCESS)
        rv = brood_future_get(future, &value, -1);
    if (rv == APR_SUCCESS)
        rv = brood_buffer_copy(out, brood_buffer_data(value),
                               brood_buffer_size(value));
    (void)brood_future_release(future);
    (void)brood_process_manager_stop(m, BROOD_STOP_DRAIN, -1);
    return rv;
}

/* ---- hostile ones ----------------------------------------------------------- */

brood__up_t *task_up(void)
{
    brood__os_block_t block = { 0 };

    return brood__os_block_map(&block,
                               brood__os_worker_handle(BROOD__HANDLE_UP),
                               sizeof(brood__up_t), 1)
                   == APR_SUCCESS
               ? block.base
               : NULL;
}

apr_status_t task_linger(void)
{
    do
        platform_nap(1000000);
    while (brood__os_pid());
    return APR_SUCCESS;
}

/* Rubbish over everything that it can write, a seed in `in`; never returns. */
static apr_status_t scribble(const void *in, size_t len, brood_buffer_t **out)
{
    unsigned char *at = (unsigned char *)task_up();
    uint64_t x = strtoul(task_words(in, len), NULL, 10) * 2654435769u + 1;
    size_t i, size = offsetof(brood__up_t, arena) + 4096;

    (void)out;
    for (i = 0; at && i < size; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        at[i] = (unsigned char)(x >> 56);
    }
    brood__os_bell_ring(brood__os_worker_handle(BROOD__HANDLE_BELL));
    return task_linger();
}

/* An answer to everything at once, with sizes and places from nowhere. */
static apr_status_t lie(const void *in, size_t len, brood_buffer_t **out)
{
    brood__up_t *all = task_up();
    uint64_t base = strtoul(task_words(in, len), NULL, 10);
    uint64_t i;

    (void)out;
    for (i = 0; all && i < BROOD__WIRE_SLOTS; i++) {
        brood__response_t *response = &all->response[i];

        response->status = 0;
        response->place = (uint16_t)(base % 5);
        response->size = 0xfffffff0u;
        response->where = ~(uint64_t)0 - 5;
        brood__store(&response->full, i + 1, release);
    }
    brood__os_bell_ring(brood__os_worker_handle(BROOD__HANDLE_BELL));
    return task_linger();
}

const brood_process_entry_t process_tasks[] = {
    { "echo", task_echo },
    { "echo_twice", echo_twice },
    { "empty", empty },
    { "fail", fail },
    { "raise", task_raise },
    { "exit", exit_with },
    { "hold", task_hold },
    { "obey", obey },
    { "await_never", await_never },
    { "ignore_term", task_ignore_term },
    { "pid", task_pid },
    { "descriptors", task_descriptors },
    { "lineage", lineage },
    { "flood", flood },
    { "leak", leak },
    { "no_descriptors", no_descriptors },
    { "keep", keep },
    { "flood_without", flood_without },
    { "own_manager", own_manager },
    { "nested", nested },
    { "scribble", scribble },
    { "lie", lie },
    { "truncate", task_truncate },
    { "close_all", task_close_all },
    { "fork_many", task_fork_many },
    { "fork_some", task_fork_some },
    { NULL, NULL },
};

/* ---- in the test ------------------------------------------------------------ */

void process_warm_up(void)
{
    brood_task_options_t timed = BROOD_TASK_OPTIONS_INIT;
    brood_process_manager_options_t four = OPTIONS;
    brood_future_t *future;
    int i;

    timed.queue_timeout = 1000000000;
    four.max_workers = four.min_workers = 4;
    if (brood_process_manager_get(&g_manager, NULL, 0) != APR_SUCCESS
        || brood_process_manager_start(g_manager, &four) != APR_SUCCESS
        || brood_process_manager_submit(&future, g_manager, "echo", "x", 1,
                                        &timed)
               != APR_SUCCESS
        || brood_future_wait(future, -1) != APR_SUCCESS
        || brood_future_release(future) != NULL)
        abort();
    for (i = 0; i < 3000; i++) /* every thread gets its magazine */
        (void)brood_process_manager_submit(NULL, g_manager, "echo", "x", 1,
                                           NULL);
    if (brood_process_manager_stop(g_manager, BROOD_STOP_DRAIN, -1)
        != APR_SUCCESS)
        abort();
}

int process_tests(const char *name, const test_t *tests, unsigned n,
                  void (*warm_up)(void), int argc, char **argv)
{
    harness_t harness = { name,    tests, n, brood_initialize, brood_terminate,
                          warm_up, NULL };

    if (brood__os_can_fork())
        harness.variant = "forked";
    return harness_main(&harness, argc, (const char *const *)argv);
}

brood_process_manager_t *process_manager(
    const brood_process_manager_options_t *options)
{
    brood_process_manager_options_t o = OPTIONS;

    if (options)
        o = *options;
    else
        o.max_workers = 2;
    if (test_variant)
        o.start_method = BROOD_START_FORKSERVER;
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_process_manager_start(g_manager, &o));
    return g_manager;
}

void process_stop(brood_process_manager_t *manager)
{
    ASSERT_STATUS(APR_SUCCESS,
                  brood_process_manager_stop(manager, BROOD_STOP_DRAIN, -1));
}

brood_future_t *process_submit_with(brood_process_manager_t *manager,
                                    const char *function, const char *in,
                                    const brood_task_options_t *options)
{
    brood_future_t *future = NULL;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_process_manager_submit(
                                         &future, manager, function, in,
                                         in ? strlen(in) : 0, options));
    return future;
}

brood_future_t *process_submit(brood_process_manager_t *manager,
                               const char *function, const char *in)
{
    return process_submit_with(manager, function, in, NULL);
}

apr_status_t process_end(brood_future_t *future)
{
    apr_status_t rv = brood_future_get(future, NULL, -1);

    (void)brood_future_release(future);
    return rv;
}

void process_expect(brood_process_manager_t *manager, const char *function,
                    const char *in, const char *out)
{
    brood_future_t *future = process_submit(manager, function, in);
    void *value = NULL;

    ASSERT_STATUS(APR_SUCCESS, brood_future_get(future, &value, -1));
    CU_ASSERT_EQUAL_FATAL(brood_buffer_size(value), strlen(out));
    if (value)
        CU_ASSERT_EQUAL(memcmp(brood_buffer_data(value), out, strlen(out)), 0);
    (void)brood_future_release(future);
}

long process_number(brood_process_manager_t *manager, const char *function,
                    const char *in)
{
    brood_future_t *future = process_submit(manager, function, in);
    void *value = NULL;
    char line[64] = "";

    ASSERT_STATUS(APR_SUCCESS, brood_future_get(future, &value, -1));
    if (value && brood_buffer_size(value) < sizeof(line))
        memcpy(line, brood_buffer_data(value), brood_buffer_size(value));
    (void)brood_future_release(future);
    return strtol(line, NULL, 10);
}

static struct {
    char line[600];
    atomic_int said, level;
} g_log;

static void listen_to(int level, const char *line, void *baton)
{
    (void)baton;
    if (level != brood__load(&g_log.level, relaxed)
        || brood__load(&g_log.said, acquire))
        return;
    (void)snprintf(g_log.line, sizeof(g_log.line), "%s", line);
    brood__store(&g_log.said, 1, release);
}

void process_listen_to(int level)
{
    brood__store(&g_log.level, level, relaxed);
    brood__store(&g_log.said, 0, release);
    brood_log_hook_set(listen_to, NULL);
}

void process_heard(const char *part)
{
    WAIT_UNTIL(brood__load(&g_log.said, acquire));
    brood_log_hook_set(NULL, NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(g_log.line, part));
}

void file_door_init(file_door_t *door, const char *name)
{
    const char *folder = getenv("TMPDIR");

    if (!folder)
        folder = getenv("TEMP");
    (void)snprintf(door->path, sizeof(door->path), "%s/brood-%ld-%s",
                   folder ? folder : "/tmp", (long)brood__os_pid(), name);
    file_door_fini(door);
}

void file_door_open(const char *path)
{
    FILE *file = fopen(path, "w");

    if (file)
        (void)fclose(file);
}

int file_door_is_open(const char *path)
{
    return access(path, F_OK) == 0;
}

void file_door_fini(file_door_t *door)
{
    char go[220];

    (void)snprintf(go, sizeof(go), "%s.go", door->path);
    (void)unlink(door->path);
    (void)unlink(go);
}
