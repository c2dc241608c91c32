/* SPDX-License-Identifier: Apache-2.0 */

/* test_attack.c: tasks that do to their worker what tasks should not. */

#include "process/attack.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- in the worker ---------------------------------------------------------- */

/* Both come back. */
static apr_status_t fork_twice(const void *in, size_t len, brood_buffer_t **out)
{
    return fork() < 0 ? APR_EGENERAL : brood_buffer_copy(out, in, len);
}

static apr_status_t become_another(const void *in, size_t len,
                                   brood_buffer_t **out)
{
    (void)in;
    (void)len;
    (void)out;
    (void)execl("/bin/sleep", "sleep", "1000", (char *)NULL);
    return APR_EGENERAL;
}

/* The process goes on without its main thread. */
static apr_status_t end_thread(const void *in, size_t len, brood_buffer_t **out)
{
    (void)in;
    (void)len;
    (void)out;
    pthread_exit(NULL);
    return APR_SUCCESS; /* never */
}

static apr_status_t stop_itself(const void *in, size_t len,
                                brood_buffer_t **out)
{
    (void)in;
    (void)len;
    (void)out;
    (void)raise(SIGSTOP);
    return APR_SUCCESS;
}

static apr_status_t block_signals(const void *in, size_t len,
                                  brood_buffer_t **out)
{
    sigset_t all;

    (void)in;
    (void)len;
    (void)out;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
    (void)signal(SIGTERM, SIG_IGN);
    while (pause() < 0)
        ;
    return APR_SUCCESS;
}

/* What belongs to a process and not to a task. */
static apr_status_t spoil_process(const void *in, size_t len,
                                  brood_buffer_t **out)
{
    const struct rlimit none = { 0, 0 };

    (void)umask(0777);
    (void)close(0);
    (void)close(1);
    (void)close(2);
    if (chdir("/") != 0 || setenv("PATH", "", 1) != 0
        || setrlimit(RLIMIT_NOFILE, &none) != 0
        || setrlimit(RLIMIT_FSIZE, &none) != 0
        || setrlimit(RLIMIT_CORE, &none) != 0)
        return APR_EGENERAL;
    return brood_buffer_copy(out, in, len);
}

/* The library's end, in the middle of its work. */
static apr_status_t terminate(const void *in, size_t len, brood_buffer_t **out)
{
    brood_terminate();
    brood_terminate();
    return brood_buffer_copy(out, in, len);
}

static apr_status_t use_up_descriptors(const void *in, size_t len,
                                       brood_buffer_t **out)
{
    while (dup(0) >= 0)
        ;
    return brood_buffer_copy(out, in, len);
}

static apr_status_t pid(const void *in, size_t len, brood_buffer_t **out)
{
    char text[24];

    (void)in;
    (void)len;
    (void)snprintf(text, sizeof(text), "%ld", (long)getpid());
    return brood_buffer_copy(out, text, strlen(text));
}

static apr_status_t die(const void *in, size_t len, brood_buffer_t **out)
{
    (void)in;
    (void)len;
    (void)out;
    _exit(9);
}

static const brood_process_entry_t table[] = {
    { "echo", echo },
    { "fork_twice", fork_twice },
    { "become_another", become_another },
    { "end_thread", end_thread },
    { "stop_itself", stop_itself },
    { "block_signals", block_signals },
    { "spoil_process", spoil_process },
    { "terminate", terminate },
    { "use_up_descriptors", use_up_descriptors },
    { "pid", pid },
    { "die", die },
    { NULL, NULL },
};

/* ---- in the host ------------------------------------------------------------ */

/* The forked one is none of ours, and must not answer for the other. */
static void who_forks_and_returns_twice_answers_once(void)
{
    brood_process_manager_t *m = workers(1);
    int i;

    for (i = 0; i < 20; i++) {
        process_expect(m, "fork_twice", "x", "x");
        process_expect(m, "echo", "y", "y");
    }
    expect_all(m);
    process_stop(m);
}

static void who_becomes_another_program_has_died(void)
{
    brood_process_manager_t *m = workers(1);

    ASSERT_STATUS(BROOD_EWORKERDIED,
                  process_end(process_submit(m, "become_another", "")));
    expect_all(m);
    process_stop(m);
}

/* It was given a task and did not even begin it: another does. */
static void who_is_stopped_while_idle_loses_nothing(void)
{
    brood_task_options_t timed = BROOD_TASK_OPTIONS_INIT;
    brood_process_manager_t *m = workers(2);
    int i, j;

    timed.run_timeout = 200000;
    for (i = 0; i < 3; i++) {
        const pid_t victim = (pid_t)process_number(m, "pid", "");

        CU_ASSERT_FATAL(victim > 1);
        (void)kill(victim, SIGSTOP);
        for (j = 0; j < 4; j++)
            ASSERT_STATUS(APR_SUCCESS, process_end(process_submit_with(
                                           m, "echo", "x", &timed)));
    }
    kill_and_stop(m);
}

/* Nothing but time tells of these. */
static void what_never_answers_ends_at_its_timeout(void)
{
    static const char *const functions[] = { "end_thread", "stop_itself",
                                             "block_signals" };
    brood_task_options_t timed = BROOD_TASK_OPTIONS_INIT;
    brood_process_manager_t *m = workers(2);
    size_t i;

    timed.run_timeout = 20000;
    for (i = 0; i < 3; i++) {
        ASSERT_STATUS(BROOD_EOVERRUN, process_end(process_submit_with(
                                          m, functions[i], "", &timed)));
        expect_all(m);
    }
    process_stop(m);
}

static void they_can_be_killed_and_stopped(void)
{
    static const char *const functions[] = { "end_thread", "stop_itself",
                                             "block_signals" };
    brood_process_manager_t *m = workers(2);
    brood_future_t *future;
    size_t i;

    for (i = 0; i < 3; i++) {
        future = process_submit(m, functions[i], "");
        ASSERT_STATUS(APR_SUCCESS, brood_process_task_kill(future));
        ASSERT_STATUS(BROOD_ECANCELED, process_end(future));
    }
    expect_all(m);
    for (i = 0; i < 3; i++)
        (void)brood_future_release(process_submit(m, functions[i], ""));
    kill_and_stop(m);
}

static void a_spoiled_process_spoils_no_other(void)
{
    brood_process_manager_t *m = workers(1);
    brood_future_t *future;

    process_expect(m, "spoil_process", "x", "x");
    process_expect(m, "echo", "y", "y");
    future = process_submit(m, "die", "");
    ASSERT_STATUS(BROOD_EWORKERDIED, process_end(future));
    expect_all(m);
    process_stop(m);
}

static void the_librarys_end_in_a_task_is_not_the_parents(void)
{
    brood_process_manager_t *m = workers(1);

    (void)process_end(process_submit(m, "terminate", "x"));
    (void)brood_process_task_kill(NULL);
    ASSERT_STATUS(BROOD_EWORKERDIED, process_end(process_submit(m, "die", "")));
    expect_all(m);
    process_stop(m);
}

/* A large result needs a descriptor there; its failure is that task's. */
static void a_worker_without_descriptors_says_so(void)
{
    brood_process_manager_t *m = workers(1);
    brood_future_t *future = NULL;
    char *bytes = calloc(1, LARGE);

    process_expect(m, "use_up_descriptors", "x", "x");
    process_expect(m, "echo", "y", "y");
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_submit(
                                   &future, m, "echo", bytes, LARGE, NULL));
    CU_ASSERT_NOT_EQUAL(process_end(future), APR_SUCCESS);
    process_expect(m, "echo", "z", "z");
    ASSERT_STATUS(BROOD_EWORKERDIED, process_end(process_submit(m, "die", "")));
    expect_all(m);
    free(bytes);
    process_stop(m);
}

/* A worker that never gets as far as its first task. */
static void a_drain_ends_though_no_worker_begins(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;
    brood_future_t *future;

    o.max_workers = 1;
    o.min_workers = -1;
    o.restart_backoff = 1;
    o.initializer = "die";
    m = process_manager(&o);
    future = process_submit(m, "echo", "x");
    ASSERT_STATUS(APR_SUCCESS,
                  brood_process_manager_stop(m, BROOD_STOP_DRAIN, -1));
    ASSERT_STATUS(BROOD_ECRASHLOOP, process_end(future));
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_start(m, NULL));
    process_expect(m, "echo", "x", "x");
    process_stop(m);
}

static const test_t tests[] = {
    TEST_KEEPS(who_forks_and_returns_twice_answers_once, KEEPS_MEMORY),
    TEST_KEEPS(who_becomes_another_program_has_died, KEEPS_MEMORY),
    TEST_KEEPS(who_is_stopped_while_idle_loses_nothing, KEEPS_MEMORY),
    TEST_KEEPS(what_never_answers_ends_at_its_timeout, KEEPS_MEMORY),
    TEST_KEEPS(they_can_be_killed_and_stopped, KEEPS_MEMORY),
    TEST_KEEPS(a_spoiled_process_spoils_no_other, KEEPS_MEMORY),
    TEST_KEEPS(the_librarys_end_in_a_task_is_not_the_parents, KEEPS_MEMORY),
    TEST_KEEPS(a_worker_without_descriptors_says_so, KEEPS_MEMORY),
    TEST_KEEPS(a_drain_ends_though_no_worker_begins, KEEPS_MEMORY),
};

PROCESS_MAIN_TABLE("attack", tests, table)
