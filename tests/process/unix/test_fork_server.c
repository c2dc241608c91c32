/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_fork_server.c: a fork server that is stopped, slow or dead.
 *
 * The parent's side of it is compiled here once more, so that a request can be
 * held up until the server has ended; it comes before that of the core's archive.
 */

#include "process/server.h"

static apr_status_t send_in_time(brood__os_handle_t end,
                                 const brood__os_message_t *message,
                                 brood__os_handle_t handle);

#define BROOD_HELPER           "" /* no modules are loaded */
#define brood__os_channel_send send_in_time
#include "process/server.c"
#undef brood__os_channel_send

#include "process/tasks.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "process/tasks_platform.h"

#define FOR_EVER ((int64_t)3600 * 1000000000)
#define NOT_LONG ((int64_t)20 * 1000000)
#define SERVER   "BROOD_TEST_SERVER" /* what a server does, in its environment */

/* ---- in the worker ---------------------------------------------------------- */

static apr_status_t server(const void *in, size_t len, brood_buffer_t **out)
{
    (void)in;
    (void)len;
    return task_number(out, (long)brood__os_parent_pid());
}

/* Opens the door "in", and dies when "in.go" opens. */
static apr_status_t die_later(const void *in, size_t len, brood_buffer_t **out)
{
    (void)task_hold(in, len, out);
    (void)raise(SIGKILL);
    return APR_EGENERAL;
}

static const brood_process_entry_t table[] = {
    { "echo", task_echo },
    { "server", server },
    { "die_later", die_later },
    { NULL, NULL },
};

/* ---- in the server ---------------------------------------------------------- */

static void misbehave(const char *what)
{
    const brood__os_message_t message = { BROOD__WIRE_EXIT, 0, 0 };

    if (strcmp(what, "exit") == 0)
        _exit(5);
    if (strcmp(what, "die") == 0)
        (void)raise(SIGTERM);
    if (strcmp(what, "cannot fork once") == 0)
        brood__fault_at(BROOD__FAULT_PROCESS, 1);
    if (strcmp(what, "cannot fork") == 0)
        brood__fault_all(BROOD__FAULT_PROCESS);
    if (strcmp(what, "lack descriptors") == 0)
        brood__fault_all(BROOD__FAULT_DESCRIPTOR);
    if (strcmp(what, "babble") == 0) /* nobody has asked for that */
        (void)(brood__os_channel_send)(3, &message, BROOD__OS_NO_HANDLE);
}

/* ---- in the host ------------------------------------------------------------ */

static atomic_int g_impatient; /* how a worker ended is to be said soon */

static brood_process_manager_t *workers_until(int n, int crash_limit)
{
    brood_process_manager_options_t o = OPTIONS;

    o.max_workers = o.min_workers = n;
    o.start_method = BROOD_START_FORKSERVER;
    o.restart_backoff = 1;
    o.crash_limit = crash_limit;
    return process_manager(&o);
}

static brood_process_manager_t *workers(int n)
{
    return workers_until(n, 2);
}

static brood_future_t *begin_to_die(brood_process_manager_t *m,
                                    file_door_t *door)
{
    brood_future_t *future;

    file_door_init(door, "die");
    future = process_submit(m, "die_later", door->path);
    WAIT_UNTIL(file_door_is_open(door->path));
    return future;
}

static void die(const file_door_t *door)
{
    char go[220];

    (void)snprintf(go, sizeof(go), "%s.go", door->path);
    file_door_open(go);
}

static pid_t stop_the_server(brood_process_manager_t *m)
{
    const pid_t pid = (pid_t)process_number(m, "server", "");
    siginfo_t info;

    CU_ASSERT_NOT_EQUAL_FATAL(pid, getpid());
    CU_ASSERT_EQUAL_FATAL(kill(pid, SIGSTOP), 0);
    CU_ASSERT_EQUAL(
        waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT | WEXITED), 0);
    return pid;
}

/* How the first worker ended is known to the server only. */
static void a_stopped_server_keeps_nobody_waiting(void)
{
    brood_process_manager_t *m;
    brood_stats_t stats = BROOD_STATS_INIT;
    brood_future_t *future;
    file_door_t door;
    pid_t stopped;
    int i, code = 0, number = 0;

    m = workers(2);
    future = begin_to_die(m, &door);
    stopped = stop_the_server(m);
    die(&door);
    do { /* until its death is seen: it gets no more tasks */
        process_expect(m, "echo", "x", "x");
        ASSERT_STATUS(APR_SUCCESS, brood_process_manager_stats(m, &stats));
    } while (stats.idle > 1);
    for (i = 0; i < 200; i++)
        process_expect(m, "echo", "y", "y");
    ASSERT_STATUS(BROOD_EPENDING,
                  brood_future_worker_exit(future, &code, &number));
    CU_ASSERT_EQUAL(kill(stopped, SIGCONT), 0);
    ASSERT_STATUS(BROOD_EWORKERDIED, brood_future_get(future, NULL, -1));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_future_worker_exit(future, &code, &number));
    CU_ASSERT_EQUAL(number, SIGKILL);
    (void)brood_future_release(future);
    file_door_fini(&door);
    process_stop(m);
}

static void other_managers_do_not_notice(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m, *other;
    brood_future_t *future;
    file_door_t door;
    pid_t stopped;
    int i;

    o.max_workers = 1;
    o.max_tasks_per_worker = 1; /* the supervisor has work with each */
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_process_manager_get(&other, "other", 0));
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_process_manager_start(other, &o));
    m = workers(2);
    future = begin_to_die(m, &door);
    stopped = stop_the_server(m);
    die(&door);
    for (i = 0; i < 10; i++)
        process_expect(other, "echo", "x", "x");
    process_stop(other);
    CU_ASSERT_EQUAL(kill(stopped, SIGCONT), 0);
    ASSERT_STATUS(BROOD_EWORKERDIED, process_end(future));
    file_door_fini(&door);
    process_stop(m);
}

static void a_server_that_gives_no_answer_is_replaced(void)
{
    brood_process_manager_t *m;
    brood_future_t *future;
    file_door_t door;
    pid_t stopped;
    int code, number;

    m = workers(2);
    future = begin_to_die(m, &door);
    stopped = stop_the_server(m);
    brood__store(&g_impatient, 1, relaxed);
    die(&door);
    ASSERT_STATUS(BROOD_EWORKERDIED, brood_future_get(future, NULL, -1));
    ASSERT_STATUS(BROOD_ENOTFOUND,
                  brood_future_worker_exit(future, &code, &number));
    (void)brood_future_release(future);
    brood__store(&g_impatient, 0, relaxed);
    CU_ASSERT_NOT_EQUAL(process_number(m, "server", ""), (long)stopped);
    WAIT_UNTIL(process_is_gone(stopped));
    file_door_fini(&door);
    process_stop(m);
}

/* Its workers die with it: that is one death, and no crash loop of two. */
static void a_server_that_dies_is_replaced(void)
{
    brood_process_manager_t *m = workers(4);
    brood_stats_t stats = BROOD_STATS_INIT;
    const long first = process_number(m, "server", "");
    brood_future_t *future;
    file_door_t door;

    do
        (void)brood_process_manager_stats(m, &stats);
    while (stats.idle < 4);
    future = begin_to_die(m, &door);
    CU_ASSERT_EQUAL(kill((pid_t)first, SIGKILL), 0);
    ASSERT_STATUS(BROOD_EWORKERDIED, process_end(future));
    CU_ASSERT_NOT_EQUAL(process_number(m, "server", ""), first);
    CU_ASSERT_TRUE(brood_process_manager_is_running(m));
    file_door_fini(&door);
    process_stop(m);
}

/* In any state of the others: idle, busy, dead. */
static void a_stopped_server_can_be_stopped_and_killed(void)
{
    int how;

    for (how = 0; how < 6; how++) {
        brood_process_manager_t *m = workers(2);
        brood_stats_t stats = BROOD_STATS_INIT;
        brood_future_t *future = NULL;
        file_door_t door;

        do /* no other is to be made by a server that is stopped */
            (void)brood_process_manager_stats(m, &stats);
        while (stats.idle < 2);
        brood__store(&g_impatient, how < 4, relaxed);
        if (how & 1)
            future = begin_to_die(m, &door);
        (void)stop_the_server(m);
        if (how & 1)
            die(&door);
        if (how >= 4)
            ASSERT_STATUS(APR_SUCCESS, brood_process_manager_kill(m));
        ASSERT_STATUS(
            APR_SUCCESS,
            brood_process_manager_stop(
                m, how & 2 ? BROOD_STOP_CANCEL : BROOD_STOP_DRAIN, -1));
        if (how & 1) {
            const apr_status_t rv = process_end(future);

            CU_ASSERT_TRUE(rv == BROOD_EWORKERDIED || rv == BROOD_ECANCELED);
            file_door_fini(&door);
        }
    }
}

/* The server, started by us, fails its first fork. */
static void a_server_that_cannot_fork_is_asked_again(void)
{
    brood_process_manager_t *m;
    brood_stats_t stats = BROOD_STATS_INIT;

    platform_setenv(SERVER, "cannot fork once");
    m = workers(1);
    platform_setenv(SERVER, NULL);
    process_expect(m, "echo", "x", "x");
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_stats(m, &stats));
    CU_ASSERT_EQUAL(stats.workers, 1);
    process_stop(m);
}

static atomic_int g_too_late; /* nothing is sent before the server has ended */

/* With little patience nobody is asked for a worker: to make one, a server that
 * is not stopped takes as long as it needs. */
static apr_status_t send_in_time(brood__os_handle_t end,
                                 const brood__os_message_t *message,
                                 brood__os_handle_t handle)
{
    if (brood__load(&g_too_late, relaxed))
        (void)brood__os_channel_wait(end, -1);
    brood__server_patience = message->what == BROOD__WIRE_EXIT
                                     && brood__load(&g_impatient, relaxed)
                                 ? NOT_LONG
                                 : FOR_EVER;
    return brood__os_channel_send(end, message, handle);
}

/* A crash loop, with a server that behaves as `SERVER` says. */
static void loop(void)
{
    brood_process_manager_t *m = workers(1);
    brood_future_t *future = NULL;

    if (brood_process_manager_submit(&future, m, "echo", "x", 1, NULL)
        == APR_SUCCESS)
        ASSERT_STATUS(BROOD_ECRASHLOOP, process_end(future));
    WAIT_UNTIL(!brood_process_manager_is_running(m));
    ASSERT_STATUS(BROOD_ECRASHLOOP, brood_process_manager_submit(
                                        &future, m, "echo", "x", 1, NULL));
    process_stop(m);
}

/* However early it does, and whatever it does instead; the log says what. */
static void a_server_that_serves_nobody_is_a_crash_loop(void)
{
    static const struct {
        const char *what;
        int late;
        const char *logged, *said;
    } rows[] = {
        { "exit", 0, "; their fork server exited with 5;", "" },
        { "exit", 1, "; their fork server exited with 5;", "" },
        { "die", 0, "; their fork server was killed by signal 15;", "" },
        { "die", 1, "; their fork server was killed by signal 15;", "" },
        { "babble", 0, "; their fork server gave a wrong answer;", "" },
        { "cannot fork", 0, "; the last one could not be started: ", "" },
        { "lack descriptors", 0, "; their fork server exited with 70;",
          "cannot serve: " },
    };
    brood_process_manager_t *m;
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        platform_setenv(SERVER, rows[i].what);
        brood__store(&g_too_late, rows[i].late, relaxed);
        process_listen();
        CU_ASSERT_PTR_NOT_NULL(
            strstr(platform_standard_error(loop), rows[i].said));
        process_heard(rows[i].logged);
        platform_setenv(SERVER, NULL);
        brood__store(&g_too_late, 0, relaxed);
        m = workers(1);
        process_expect(m, "echo", "x", "x");
        process_stop(m);
    }
}

static void a_server_that_gave_no_answer_is_told_of(void)
{
    brood_process_manager_t *m;
    brood_future_t *future;
    file_door_t door;

    m = workers_until(2, 1);
    future = begin_to_die(m, &door);
    (void)stop_the_server(m);
    process_listen();
    brood__store(&g_impatient, 1, relaxed);
    die(&door);
    ASSERT_STATUS(BROOD_EWORKERDIED, process_end(future));
    process_heard("; their fork server did not answer;");
    brood__store(&g_impatient, 0, relaxed);
    file_door_fini(&door);
    process_stop(m);
}

static const test_t tests[] = {
    TEST_KEEPS(a_stopped_server_keeps_nobody_waiting, KEEPS_MEMORY),
    TEST_KEEPS(other_managers_do_not_notice, KEEPS_MEMORY),
    TEST_KEEPS(a_server_that_gives_no_answer_is_replaced, KEEPS_MEMORY),
    TEST_KEEPS(a_server_that_dies_is_replaced, KEEPS_MEMORY),
    TEST_KEEPS(a_stopped_server_can_be_stopped_and_killed, KEEPS_MEMORY),
    TEST_KEEPS(a_server_that_cannot_fork_is_asked_again, KEEPS_MEMORY),
    TEST_KEEPS(a_server_that_serves_nobody_is_a_crash_loop, KEEPS_MEMORY),
    TEST_KEEPS(a_server_that_gave_no_answer_is_told_of, KEEPS_MEMORY),
};

int main(int argc, char **argv)
{
    static const harness_t harness = { "fork_server",
                                       tests,
                                       sizeof(tests) / sizeof(tests[0]),
                                       brood_initialize,
                                       brood_terminate,
                                       process_warm_up,
                                       NULL };

    if (getenv(SERVER) && argc > 1 && strcmp(argv[1], BROOD__SERVER_ARG) == 0)
        misbehave(getenv(SERVER));
    brood_process_main(argc, (const char *const *)argv, table);
    return harness_main(&harness, argc, (const char *const *)argv);
}
