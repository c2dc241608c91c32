/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_orphans.c: no worker outlives a parent that was killed, whatever the
 * worker does. The parent is this program, started anew. All of its family have
 * one pipe as their standard output, whose end says that none is left.
 */

#include "process/tasks.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 3 };

/* ---- in the worker: each says that it is there, and never comes back --------- */

static void tell(void)
{
    if (write(STDOUT_FILENO, "x", 1) != 1)
        abort();
}

static apr_status_t sleep_for_ever(const void *in, size_t len,
                                   brood_buffer_t **out)
{
    (void)in;
    (void)len;
    (void)out;
    tell();
    for (;;)
        (void)pause();
    return APR_SUCCESS; /* never */
}

static apr_status_t hang_deaf(const void *in, size_t len, brood_buffer_t **out)
{
    volatile unsigned n = 0;
    sigset_t all;

    (void)in;
    (void)len;
    (void)out;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
    (void)signal(SIGTERM, SIG_IGN);
    tell();
    for (;;)
        n++;
    return APR_SUCCESS; /* never */
}

static apr_status_t stop(const void *in, size_t len, brood_buffer_t **out)
{
    (void)in;
    (void)len;
    (void)out;
    tell();
    (void)raise(SIGSTOP);
    return APR_SUCCESS;
}

static apr_status_t stop_server(const void *in, size_t len,
                                brood_buffer_t **out)
{
    if (getppid() != 1)
        (void)kill(getppid(), SIGSTOP);
    return sleep_for_ever(in, len, out);
}

/* A worker of this worker tells. */
static apr_status_t breed(const void *in, size_t len, brood_buffer_t **out)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;

    (void)in;
    (void)len;
    (void)out;
    o.max_workers = 1;
    if (brood_process_manager_get(&m, NULL, 0) != APR_SUCCESS
        || brood_process_manager_start(m, &o) != APR_SUCCESS
        || brood_process_manager_submit(NULL, m, "hang_deaf", NULL, 0, NULL)
               != APR_SUCCESS)
        abort();
    for (;;)
        (void)pause();
    return APR_SUCCESS; /* never */
}

static const brood_process_entry_t table[] = {
    { "sleep_for_ever", sleep_for_ever },
    { "hang_deaf", hang_deaf },
    { "stop", stop },
    { "breed", breed },
    { "stop_server", stop_server },
    { NULL, NULL },
};

/* ---- the parent --------------------------------------------------------------- */

/* It ends even if nobody kills it. */
static int be_a_parent(int method, const char *function)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;
    int i;

    (void)alarm(50);
    o.max_workers = o.min_workers = WORKERS;
    o.start_method = method;
    if (brood_initialize() != APR_SUCCESS
        || brood_process_manager_get(&m, NULL, 0) != APR_SUCCESS
        || brood_process_manager_start(m, &o) != APR_SUCCESS)
        return 1;
    for (i = 0; i < WORKERS; i++)
        if (brood_process_manager_submit(NULL, m, function, NULL, 0, NULL)
            != APR_SUCCESS)
            return 2;
    for (;;)
        (void)pause();
}

/* ---- the tests ---------------------------------------------------------------- */

static pid_t start_parent(const char *function, int out)
{
    char exe[] = "/proc/self/exe", parent[] = "--parent", name[40];
    char method[2] = { (char)('0' + test_variant), '\0' };
    char *argv[] = { exe, parent, method, name, NULL };
    pid_t pid;

    (void)snprintf(name, sizeof(name), "%s", function);
    pid = fork();
    if (pid == 0) {
        (void)dup2(out, STDOUT_FILENO);
        (void)close(out);
        (void)execv(exe, argv);
        _exit(126);
    }
    return pid;
}

static void expect_none_left(const char *function)
{
    int ends[2], i;
    pid_t parent;
    char byte;

    if (access("/proc/self/exe", X_OK) != 0)
        TEST_SKIP("no way to start this program anew");
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    parent = start_parent(function, ends[1]);
    (void)close(ends[1]);
    for (i = 0; i < WORKERS; i++)
        CU_ASSERT_EQUAL(read(ends[0], &byte, 1), 1);
    CU_ASSERT_EQUAL(kill(parent, SIGKILL), 0);
    CU_ASSERT_EQUAL(read(ends[0], &byte, 1), 0); /* none has it open */
    CU_ASSERT_EQUAL(waitpid(parent, NULL, 0), parent);
    (void)close(ends[0]);
}

static void those_that_sleep(void)
{
    expect_none_left("sleep_for_ever");
}

static void those_that_run_with_all_signals_blocked(void)
{
    expect_none_left("hang_deaf");
}

static void those_that_are_stopped(void)
{
    expect_none_left("stop");
}

static void those_that_have_workers_themselves(void)
{
    expect_none_left("breed");
}

static void those_whose_fork_server_is_stopped(void)
{
    if (!test_variant)
        TEST_SKIP("there is none");
    expect_none_left("stop_server");
}

static const test_t tests[] = {
    TEST(those_that_sleep),
    TEST(those_that_run_with_all_signals_blocked),
    TEST(those_that_are_stopped),
    TEST(those_that_have_workers_themselves),
    TEST(those_whose_fork_server_is_stopped),
};

int main(int argc, char **argv)
{
    static const harness_t harness = {
        "orphans",      tests,         sizeof(tests) / sizeof(tests[0]),
        apr_initialize, apr_terminate, NULL,
        "forked"
    };

    brood_process_main(argc, (const char *const *)argv, table);
    if (argc == 4 && strcmp(argv[1], "--parent") == 0)
        return be_a_parent(atoi(argv[2]), argv[3]);
    return harness_main(&harness, argc, (const char *const *)argv);
}
