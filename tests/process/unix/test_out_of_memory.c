/* SPDX-License-Identifier: Apache-2.0 */

/* test_out_of_memory.c: a worker that the system kills since there is no memory
 * for it. It is in a control group of its own, so that nobody else lacks any. */

#include "process/tasks.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/tasks_platform.h"

#define LIMIT "67108864"
#define MORE  ((size_t)1 << 20)

/* ---- the group --------------------------------------------------------------- */

/* The files of both versions. With swap there would be no end of memory. */
static const struct {
    const char *root, *limit, *swap, *no_swap, *kills;
} kinds[] = {
    { "/sys/fs/cgroup", "memory.max", "memory.swap.max", "0", "memory.events" },
    { "/sys/fs/cgroup/memory", "memory.limit_in_bytes",
      "memory.memsw.limit_in_bytes", LIMIT, "memory.oom_control" },
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static char g_group[200];

static int put(const char *group, const char *name, const char *text)
{
    char path[300];
    FILE *file;
    int right;

    (void)snprintf(path, sizeof(path), "%s/%s", group, name);
    if (access(path, W_OK) != 0)
        return 0;
    file = fopen(path, "we");
    right = file && fputs(text, file) >= 0;
    return file && fclose(file) == 0 && right;
}

/* Beside all others, which takes a right to it. -1: none can be made. */
static int make_group(void)
{
    int kind;

    for (kind = 0; kind < KINDS; kind++) {
        (void)snprintf(g_group, sizeof(g_group), "%s/brood-test-%ld",
                       kinds[kind].root, (long)getpid());
        if (mkdir(g_group, 0755) != 0)
            continue;
        if (put(g_group, kinds[kind].limit, LIMIT)) {
            (void)put(g_group, kinds[kind].swap, kinds[kind].no_swap);
            return kind;
        }
        (void)rmdir(g_group);
    }
    return -1;
}

/* How many were killed in it. */
static long killed_in_group(int kind)
{
    char path[300], line[100];
    long n = -1;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", g_group, kinds[kind].kills);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, "oom_kill ", 9) == 0)
            n = strtol(line + 9, NULL, 10);
    if (file)
        (void)fclose(file);
    return n;
}

/* ---- in the worker ----------------------------------------------------------- */

/* Into the group "in", and then on and on. */
static apr_status_t eat(const void *in, size_t len, brood_buffer_t **out)
{
    static void *volatile last; /* so that none of it is left out */
    char self[24];
    void **more;

    (void)out;
    (void)snprintf(self, sizeof(self), "%ld", (long)getpid());
    if (!put(task_words(in, len), "cgroup.procs", self))
        return APR_EACCES;
    while ((more = malloc(MORE)) != NULL) {
        memset(more, 1, MORE);
        *more = last;
        last = more;
    }
    return APR_ENOMEM;
}

static const brood_process_entry_t table[] = {
    { "echo", task_echo },
    { "hold", task_hold },
    { "eat", eat },
    { NULL, NULL },
};

/* ---- in the host ------------------------------------------------------------- */

static void expect_killed(brood_future_t *future)
{
    int code = 0, number = 0;

    ASSERT_STATUS(BROOD_EWORKERDIED, brood_future_get(future, NULL, -1));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_future_worker_exit(future, &code, &number));
    CU_ASSERT_EQUAL(code, -1);
    CU_ASSERT_EQUAL(number, SIGKILL);
    (void)brood_future_release(future);
}

/* Another task is running meanwhile, and others come after it. */
static void who_is_killed_for_memory_loses_its_task_only(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;
    brood_future_t *other, *eater, *later[20];
    char go[220];
    file_door_t door;
    int i, kind = make_group();

    if (kind < 0)
        TEST_SKIP("no control group for memory can be made: are we root, and "
                  "is it writable?");
    o.max_workers = o.min_workers = 2;
    o.restart_backoff = 1;
    m = process_manager(&o);
    file_door_init(&door, "other");
    (void)snprintf(go, sizeof(go), "%s.go", door.path);
    other = process_submit(m, "hold", door.path);
    WAIT_UNTIL(file_door_is_open(door.path));
    eater = process_submit(m, "eat", g_group);
    for (i = 0; i < 20; i++)
        later[i] = process_submit(m, "echo", "x");
    expect_killed(eater);
    CU_ASSERT_EQUAL(killed_in_group(kind), 1);
    for (i = 0; i < 20; i++)
        ASSERT_STATUS(APR_SUCCESS, process_end(later[i]));
    ASSERT_STATUS(BROOD_EPENDING, brood_future_result(other, NULL));
    file_door_open(go);
    ASSERT_STATUS(APR_SUCCESS, process_end(other));
    file_door_fini(&door);
    process_stop(m);
    WAIT_UNTIL(rmdir(g_group) == 0 || errno != EBUSY);
}

static const test_t tests[] = {
    TEST_KEEPS(who_is_killed_for_memory_loses_its_task_only, KEEPS_MEMORY),
};

PROCESS_MAIN_TABLE("out_of_memory", tests, table)
