/* SPDX-License-Identifier: Apache-2.0 */

/* tasks.c: functions that run in worker processes; see tasks.h. */

#include "process/tasks.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/compiler.h"
#include "os/process.h"
#include "process/wire.h"

static brood_process_manager_t *g_manager; /* one for each program */

static apr_status_t number(brood_buffer_t **out, long value)
{
    char line[64];
    int n = snprintf(line, sizeof(line), "%ld", value);

    return brood_buffer_copy(out, line, (size_t)n);
}

/* The payload as text. */
static const char *words(const void *in, size_t len)
{
    static char copy[512];

    memcpy(copy, in, len < sizeof(copy) ? len : sizeof(copy) - 1);
    copy[len < sizeof(copy) ? len : sizeof(copy) - 1] = '\0';
    return copy;
}

static apr_status_t echo(const void *in, size_t len, brood_buffer_t **out)
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
    return (void)out, atoi(words(in, len));
}

static apr_status_t raise_signal(const void *in, size_t len,
                                 brood_buffer_t **out)
{
    const int which = atoi(words(in, len));

    (void)out;
    if (which != SIGINT)
        (void)signal(which, SIG_DFL); /* sanitizers catch some */
    (void)raise(which);
    return APR_SUCCESS;
}

static apr_status_t exit_with(const void *in, size_t len, brood_buffer_t **out)
{
    (void)out;
    if (BROOD__ASAN) /* which finds brood's threads, and makes it 23 */
        _exit(atoi(words(in, len)));
    exit(atoi(words(in, len)));
}

/* Opens the door "in", then waits until it is killed, or for "in.go". */
static apr_status_t hold(const void *in, size_t len, brood_buffer_t **out)
{
    char go[520];
    const char *door = words(in, len);

    (void)out;
    (void)snprintf(go, sizeof(go), "%s.go", door);
    file_door_open(door);
    while (!file_door_is_open(go))
        (void)usleep(1000);
    return APR_SUCCESS;
}

/* The same, until its end is asked for. */
static apr_status_t obey(const void *in, size_t len, brood_buffer_t **out)
{
    (void)out;
    if (len)
        file_door_open(words(in, len));
    while (!brood_task_canceled())
        (void)usleep(500);
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
        file_door_open(words(in, len));
    rv = brood_future_wait(future, -1);
    brood_promise_release(promise);
    (void)brood_future_release(future);
    return rv;
}

static apr_status_t ignore_term(const void *in, size_t len,
                                brood_buffer_t **out)
{
    (void)signal(SIGTERM, SIG_IGN);
    return hold(in, len, out);
}

static apr_status_t pid(const void *in, size_t len, brood_buffer_t **out)
{
    (void)in;
    (void)len;
    return number(out, (long)getpid());
}

/* Descriptors that are open, as "0 1 2 3 ". */
static apr_status_t descriptors(const void *in, size_t len,
                                brood_buffer_t **out)
{
    char line[400] = "";
    int fd;

    (void)in;
    (void)len;
    for (fd = 0; fd < 4096; fd++)
        if (fcntl(fd, F_GETFD) >= 0 && strlen(line) < 380)
            (void)snprintf(line + strlen(line), 20, "%d ", fd);
    return brood_buffer_copy(out, line, strlen(line));
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
    size_t size = (size_t)strtoul(words(in, len), NULL, 10);
    apr_status_t rv = brood_buffer_make(out, size);

    if (rv == APR_SUCCESS)
        memset(brood_buffer_data(*out), 'x', size);
    return rv;
}

/* Take so many MiB, and keep them. */
static apr_status_t leak(const void *in, size_t len, brood_buffer_t **out)
{
    size_t size = (size_t)strtoul(words(in, len), NULL, 10) << 20;
    char *kept = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)out;
    if (kept == MAP_FAILED)
        return APR_ENOMEM;
    memset(kept, 1, size);
    return APR_SUCCESS;
}

/* A manager of this process' own. */
static apr_status_t own_manager(const void *in, size_t len,
                                brood_buffer_t **out)
{
    brood_thread_manager_t *threads;
    brood_process_manager_t *processes;
    apr_status_t rv = brood_thread_manager_get(&threads, words(in, len),
                                               BROOD_GET_STRICT);

    (void)out;
    if (rv == BROOD_ENOTFOUND)
        rv = brood_process_manager_get(&processes, NULL, BROOD_GET_STRICT);
    return rv;
}

/* ---- hostile ones ----------------------------------------------------------- */

static brood__up_t *up(void)
{
    void *base = mmap(NULL, sizeof(brood__up_t), PROT_READ | PROT_WRITE,
                      MAP_SHARED, brood__os_worker_handle(BROOD__HANDLE_UP), 0);

    return base == MAP_FAILED ? NULL : base;
}

/* Rubbish over everything that it can write, a seed in `in`; never returns. */
static apr_status_t scribble(const void *in, size_t len, brood_buffer_t **out)
{
    unsigned char *at = (unsigned char *)up();
    unsigned long x = strtoul(words(in, len), NULL, 10) * 2654435769u + 1;
    size_t i, size = offsetof(brood__up_t, arena) + 4096;

    (void)out;
    for (i = 0; at && i < size; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        at[i] = (unsigned char)(x >> 56);
    }
    brood__os_bell_ring(brood__os_worker_handle(BROOD__HANDLE_BELL));
    while (pause() < 0)
        ;
    return APR_SUCCESS;
}

/* An answer to everything at once, with sizes and places from nowhere. */
static apr_status_t lie(const void *in, size_t len, brood_buffer_t **out)
{
    brood__up_t *all = up();
    uint64_t base = strtoul(words(in, len), NULL, 10);
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
    while (pause() < 0)
        ;
    return APR_SUCCESS;
}

/* 0: what it must not be able to do, it was not. */
static apr_status_t truncate_block(const void *in, size_t len,
                                   brood_buffer_t **out)
{
    const int down = brood__os_worker_handle(BROOD__HANDLE_DOWN);

    (void)in;
    (void)len;
    (void)out;
    if (ftruncate(down, 0) == 0
        || ftruncate(brood__os_worker_handle(BROOD__HANDLE_UP), 0) == 0)
        return APR_EGENERAL;
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, down, 0)
                   == MAP_FAILED
               ? APR_SUCCESS
               : APR_EGENERAL;
}

static apr_status_t close_all(const void *in, size_t len, brood_buffer_t **out)
{
    int fd;

    for (fd = 3; fd < 64; fd++)
        (void)close(fd);
    return hold(in, len, out);
}

/* A family that outlives it, if it is let. Opens the door when they are there. */
static apr_status_t fork_many(const void *in, size_t len, brood_buffer_t **out)
{
    int i;

    for (i = 0; i < 8; i++)
        if (fork() == 0)
            for (;;)
                (void)pause();
    return hold(in, len, out);
}

static apr_status_t fork_some(const void *in, size_t len, brood_buffer_t **out)
{
    long child = fork();

    (void)in;
    (void)len;
    if (child == 0)
        for (;;)
            (void)pause();
    return number(out, child);
}

const brood_process_entry_t process_tasks[] = {
    { "echo", echo },
    { "echo_twice", echo_twice },
    { "empty", empty },
    { "fail", fail },
    { "raise", raise_signal },
    { "exit", exit_with },
    { "hold", hold },
    { "obey", obey },
    { "await_never", await_never },
    { "ignore_term", ignore_term },
    { "pid", pid },
    { "descriptors", descriptors },
    { "lineage", lineage },
    { "flood", flood },
    { "leak", leak },
    { "own_manager", own_manager },
    { "scribble", scribble },
    { "lie", lie },
    { "truncate", truncate_block },
    { "close_all", close_all },
    { "fork_many", fork_many },
    { "fork_some", fork_some },
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

brood_process_manager_t *process_manager(
    const brood_process_manager_options_t *options)
{
    brood_process_manager_options_t two = OPTIONS;

    two.max_workers = 2;
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_process_manager_start(
                                         g_manager, options ? options : &two));
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

int process_is_gone(long pid)
{
    char path[64], state = '?';
    FILE *file;

    if (kill((pid_t)pid, 0) != 0)
        return 1;
    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    file = fopen(path, "re");
    if (file) {
        if (fscanf(file, "%*d %*s %c", &state) != 1)
            state = '?';
        (void)fclose(file);
    }
    return state == 'Z';
}

void file_door_init(file_door_t *door, const char *name)
{
    const char *folder = getenv("TMPDIR");

    (void)snprintf(door->path, sizeof(door->path), "%s/brood-%ld-%s",
                   folder ? folder : "/tmp", (long)getpid(), name);
    file_door_fini(door);
}

void file_door_open(const char *path)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    if (fd >= 0)
        (void)close(fd);
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
