/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_worker_start.c: a worker, or a fork server, that cannot start says why: on
 * its standard error, and in the log of the program that has started it.
 */

#include "process/tasks.h"

#include <stdio.h>

#include "base/fault.h"
#include "os/process.h"
#include "process/tasks_platform.h"

#define FAULT "BROOD_TEST_FAULT" /* "<kind> <n>": what fails in each worker */

/* ---- in the host ------------------------------------------------------------ */

static brood_process_manager_options_t g_options;
static const char *g_logged; /* what a crash loop is to log */
static apr_status_t g_status;

/* One worker, of which one death is enough. */
static void run_one_task(void)
{
    brood_process_manager_t *m;
    brood_future_t *future = NULL;

    process_listen();
    m = process_manager(&g_options);
    g_status = brood_process_manager_submit(&future, m, "echo", "x", 1, NULL);
    if (g_status == APR_SUCCESS)
        g_status = process_end(future);
    process_stop(m);
    if (g_status == BROOD_ECRASHLOOP)
        process_heard(g_logged);
    else
        brood_log_hook_set(NULL, NULL);
}

/* What its worker has said; until it has ended. */
static const char *said_by_worker(const char *logged)
{
    g_logged = logged;
    return platform_standard_error(run_one_task);
}

/* Where a process that ends by itself can still be killed, which whoever has
 * closed its ends is, that may be its code. */
static const char *exited_with(const char *code)
{
    static char text[60];

    (void)snprintf(text, sizeof(text), "; the last one exited with %s",
                   platform_forks() ? code : "");
    return text;
}

static int has_words(const char *said, const char *what, apr_status_t why)
{
    char whole[200], text[120];

    (void)snprintf(whole, sizeof(whole), "%s: %s (%d)", what,
                   brood_strerror(why, text, sizeof(text)), (int)why);
    return strstr(said, whole) != NULL;
}

static void one_death_is_enough(void)
{
    g_options = OPTIONS;
    g_options.max_workers = 1;
    g_options.crash_limit = 1;
}

/* With the first, the second ... of a kind refused, until it starts. */
static void a_worker_that_cannot_start_says_why(void)
{
    static const char *const words[] = { "cannot take what its parent gave it",
                                         "cannot start brood" };
    static const struct {
        brood__fault_e kind;
        apr_status_t why;
        int first; /* of the above, then the other ones */
    } rows[] = {
        { BROOD__FAULT_MEMORY, APR_ENOMEM, 0 },
        { BROOD__FAULT_THREAD, APR_EAGAIN, 1 },
    };
    char fault[32];
    size_t i;

    one_death_is_enough();
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int at = rows[i].first;
        unsigned n = 0;

        do {
            const char *said;

            (void)snprintf(fault, sizeof(fault), "%d %u", (int)rows[i].kind,
                           ++n);
            platform_setenv(FAULT, fault);
            said = said_by_worker(exited_with("70"));
            platform_setenv(FAULT, NULL);
            if (g_status != BROOD_ECRASHLOOP)
                break;
            if (!platform_forks() && !*said)
                continue; /* it has lost an end, and was killed for that */
            at += at == 0 && n > 1 && !has_words(said, words[0], rows[i].why);
            CU_ASSERT_TRUE(has_words(said, words[at], rows[i].why));
        } while (n < 50);
        CU_ASSERT(n > 1 && n < 50 && at == 1);
        CU_ASSERT(g_status == APR_SUCCESS || g_status == rows[i].why);
    }
}

static void a_failed_initializer_is_told_with_its_status(void)
{
    const char *said;

    one_death_is_enough();
    g_options.initializer = "fail";
    g_options.initializer_data = "70002";
    g_options.initializer_size = 5;
    said = said_by_worker(exited_with("71"));
    ASSERT_STATUS(BROOD_ECRASHLOOP, g_status);
    CU_ASSERT_TRUE(has_words(said, "its initializer failed", 70002));
}

/* ---- by hand ---------------------------------------------------------------- */

static const char *g_arg;
static size_t g_n;                        /* how many handles it is given */
static const brood__os_message_t *g_says; /* what it is told, or NULL */
static brood__os_exit_t g_how;

static void start_by_hand(void)
{
    const char *const argv[] = { "by hand", g_arg, NULL };
    brood__os_handle_t handles[BROOD__HANDLES], ends[2];
    brood__os_process_t process;
    char exe[1024];
    size_t i;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_exe(exe, sizeof(exe)));
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_channel_make(ends));
    for (i = 0; i < g_n; i++)
        handles[i] = ends[1];
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_process_start(
                                         &process, exe, argv, handles, g_n));
    brood__os_handle_close(ends[1]);
    if (g_says)
        (void)brood__os_channel_send(ends[0], g_says, BROOD__OS_NO_HANDLE);
    WAIT_UNTIL(brood__os_process_ended(&process, &g_how));
    brood__os_process_free(&process);
    brood__os_handle_close(ends[0]);
}

/* With nothing, and with something that is no block. */
static void who_is_not_started_by_brood_says_so(void)
{
    static const struct {
        const char *arg;
        size_t n;
    } rows[] = {
        { BROOD__WORKER_ARG, 0 },
        { BROOD__WORKER_ARG, BROOD__HANDLES },
        { BROOD__SERVER_ARG, 0 },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *said;

        g_arg = rows[i].arg;
        g_n = rows[i].n;
        said = platform_standard_error(start_by_hand);
        CU_ASSERT(g_how.known && g_how.code == BROOD__EXIT_NOT_OURS);
        CU_ASSERT_TRUE(has_words(said, "not started by brood", APR_EINVAL));
    }
}

/* It has a channel, but at the other end there is none who knows the language. */
static void a_server_serves_only_brood(void)
{
    static const brood__os_message_t rows[] = {
        { BROOD__WIRE_TOKEN, 0, 0 },
        { BROOD__WIRE_FORK, BROOD__HANDLES, 0 }, /* there is no such handle */
    };
    size_t i;

    if (!test_variant)
        TEST_SKIP("there is no fork server");
    g_arg = BROOD__SERVER_ARG;
    g_n = 1;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *said;

        g_says = &rows[i];
        said = platform_standard_error(start_by_hand);
        CU_ASSERT(g_how.known && g_how.code == BROOD__EXIT_REFUSED);
        CU_ASSERT_TRUE(has_words(said, "cannot serve", APR_EINVAL));
    }
    g_says = NULL;
}

static const test_t tests[] = {
    TEST_KEEPS(a_worker_that_cannot_start_says_why, KEEPS_MEMORY),
    TEST_KEEPS(a_failed_initializer_is_told_with_its_status, KEEPS_MEMORY),
    TEST_KEEPS(who_is_not_started_by_brood_says_so, KEEPS_MEMORY),
    TEST_KEEPS(a_server_serves_only_brood, KEEPS_MEMORY),
};

/* ---- in the worker ---------------------------------------------------------- */

/* A fork server hands it on to its workers. */
static void fail_as_told(void)
{
    const char *fault = getenv(FAULT);
    unsigned kind, n;

    if (fault && sscanf(fault, "%u %u", &kind, &n) == 2)
        brood__fault_at((brood__fault_e)kind, n);
}

int main(int argc, char **argv)
{
    fail_as_told();
    brood_process_main(argc, (const char *const *)argv, process_tasks);
    return process_tests("worker_start", tests,
                         sizeof(tests) / sizeof(tests[0]), process_warm_up,
                         argc, argv);
}
