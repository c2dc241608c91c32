/* SPDX-License-Identifier: Apache-2.0 */

/* test_worker_win32.c: worker processes on Windows: what they are given, how
 * they end, and how many there may be. */

#include "process/attack.h"

#include <winsock2.h>
#include <windows.h>

#include <shellapi.h>
#include <stdio.h>

#include "os/process.h"
#include "process/core.h"
#include "process/server.h"
#include "process/tasks_platform.h"
#include "support/platform.h"

typedef LONG WINAPI resume_fn(HANDLE process);

/* What must arrive as it was sent; the first word is a name only. */
static const char *const words[] = {
    "name",   "--arguments", "",          "two words", "\"",
    "a\"b c", "\\",          "c:\\x y\\", "\\\\\"",    "tab\there",
    "-",      "\"quoted\"",  "%PATH%",    "^&|<>",     "\xc3\xa4\xe5\xad\x90",
    NULL,
};

static void expect_exit(brood_future_t *future, apr_status_t status, int code)
{
    int c = -9, s = -9;

    ASSERT_STATUS(status, brood_future_get(future, NULL, -1));
    ASSERT_STATUS(APR_SUCCESS, brood_future_worker_exit(future, &c, &s));
    CU_ASSERT_EQUAL(c, code);
    CU_ASSERT_EQUAL(s, 0);
    (void)brood_future_release(future);
}

static void an_exit_code_may_be_any_number(void)
{
    brood_process_manager_t *m = workers(1);

    expect_exit(process_submit(m, "exit", "-1"), BROOD_EWORKERDIED, -1);
    expect_exit(process_submit(m, "exit", "65536"), BROOD_EWORKERDIED, 65536);
    process_expect(m, "echo", "still here", "still here");
    process_stop(m);
}

static void who_is_killed_was_aborted(void)
{
    brood_process_manager_t *m = workers(1);
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;
    brood_future_t *future;
    file_door_t door;

    file_door_init(&door, "killed");
    future = process_submit(m, "hold", door.path);
    WAIT_UNTIL(file_door_is_open(door.path));
    ASSERT_STATUS(APR_SUCCESS, brood_process_task_kill(future));
    expect_exit(future, BROOD_ECANCELED, ERROR_PROCESS_ABORTED);
    options.run_timeout = 1000;
    expect_exit(process_submit_with(m, "hold", door.path, &options),
                BROOD_EOVERRUN, ERROR_PROCESS_ABORTED);
    process_expect(m, "echo", "next", "next");
    file_door_fini(&door);
    process_stop(m);
}

/* Also not those that the program has made to be inherited. */
static void no_other_handle_is_inherited(void)
{
    enum { N = 100 };
    SECURITY_ATTRIBUTES inherited = { sizeof(inherited), NULL, TRUE };
    brood_process_manager_t *m = workers(1);
    long before = process_number(m, "descriptors", NULL);
    HANDLE events[N];
    int i;

    process_stop(m);
    for (i = 0; i < N; i++)
        events[i] = CreateEventW(&inherited, FALSE, FALSE, NULL);
    m = workers(1);
    CU_ASSERT_TRUE(process_number(m, "descriptors", NULL) < before + N / 2);
    process_stop(m);
    for (i = 0; i < N; i++)
        (void)CloseHandle(events[i]);
}

/* The worker's own is only lent to the parent, who says when he has the block. */
static void a_large_result_leaves_no_handle_in_its_worker(void)
{
    enum { N = 20 };
    brood_process_manager_t *m = workers(1);
    long before;
    int i;

    expect_large(m);
    before = process_number(m, "descriptors", NULL);
    CU_ASSERT_TRUE(before > 0);
    for (i = 0; i < N; i++)
        expect_large(m);
    WAIT_UNTIL(process_number(m, "descriptors", NULL) < before + N / 2);
    process_stop(m);
}

/* And give it the time in which, if it did not wait, it would end. */
static void resume(long pid)
{
    HANDLE process = OpenProcess(SYNCHRONIZE | PROCESS_SUSPEND_RESUME, FALSE,
                                 (DWORD)pid);
    resume_fn *go = (resume_fn *)(void (*)(void))GetProcAddress(
        GetModuleHandleW(L"ntdll.dll"), "NtResumeProcess");

    CU_ASSERT_PTR_NOT_NULL_FATAL(process);
    CU_ASSERT_TRUE_FATAL(go && go(process) >= 0);
    (void)WaitForSingleObject(process, 500);
    (void)CloseHandle(process);
}

static unsigned n_out(brood_process_manager_t *m)
{
    unsigned n;

    brood__lock(&m->lock);
    n = BROOD__CONTAINER(m->children.next, brood__child_t, link)->n_out;
    brood__unlock(&m->lock);
    return n;
}

/* Nobody can read the result until both tasks would have run. */
static void a_large_result_outlives_the_next_tasks_crash(void)
{
    brood_process_manager_t *m = workers(1);
    const long pid = process_number(m, "pid", NULL);
    brood_future_t *large, *crash;
    void *value = NULL;

    process_suspend(pid);
    large = process_submit(m, "flood", "2000000");
    crash = process_submit(m, "exit", "7");
    WAIT_UNTIL(n_out(m) == 2);
    brood__lock(&m->lock);
    resume(pid);
    brood__unlock(&m->lock);
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_future_get(large, &value, -1));
    CU_ASSERT_EQUAL(brood_buffer_size(value), 2000000);
    (void)brood_future_release(large);
    expect_exit(crash, BROOD_EWORKERDIED, 7);
    process_stop(m);
}

/* All run at once: each is heard, and each is found dead. */
static void there_may_be_more_than_64(void)
{
    enum { N = 70 };
    brood_process_manager_t *m = workers(N);
    brood_future_t *futures[N];
    file_door_t doors[N];
    char name[16];
    int i;

    for (i = 0; i < N; i++) {
        (void)snprintf(name, sizeof(name), "many-%d", i);
        file_door_init(&doors[i], name);
        futures[i] = process_submit(m, "hold", doors[i].path);
    }
    for (i = 0; i < N; i++)
        WAIT_UNTIL(file_door_is_open(doors[i].path));
    for (i = 0; i < N; i++) {
        char go[220];

        (void)snprintf(go, sizeof(go), "%s.go", doors[i].path);
        if (i % 2)
            ASSERT_STATUS(APR_SUCCESS, brood_process_task_kill(futures[i]));
        else
            file_door_open(go);
    }
    for (i = 0; i < N; i++) {
        ASSERT_STATUS(i % 2 ? BROOD_ECANCELED : APR_SUCCESS,
                      process_end(futures[i]));
        file_door_fini(&doors[i]);
    }
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_kill(m));
    process_stop(m);
}

/* ---- arguments and paths ----------------------------------------------------- */

#define PARENT "BROOD_TEST_PARENT" /* a number, in the environment */

/* In the new process: 0: they are what was sent, by whom it should be. */
static int compare_arguments(void)
{
    const char *parent = getenv(PARENT);
    char narrow[200];
    wchar_t **wide;
    int n, i;

    if (!parent || brood__os_parent_pid() != strtoll(parent, NULL, 10))
        return 100;
    wide = CommandLineToArgvW(GetCommandLineW(), &n);
    if (!wide || n != sizeof(words) / sizeof(words[0]) - 1)
        return 1;
    for (i = 0; i < n; i++)
        if (!WideCharToMultiByte(CP_UTF8, 0, wide[i], -1, narrow,
                                 sizeof(narrow), NULL, NULL)
            || strcmp(narrow, words[i]) != 0)
            return 2 + i;
    return 0;
}

static void expect_success(const char *exe)
{
    brood__os_process_t process;
    brood__os_exit_t how = { 0, -1, -1 };
    char self[24];

    (void)snprintf(self, sizeof(self), "%lld", (long long)brood__os_pid());
    platform_setenv(PARENT, self);
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood__os_process_start(&process, exe, words, NULL, 0));
    WAIT_UNTIL(brood__os_process_ended(&process, &how));
    CU_ASSERT(how.known == 1 && how.code == 0 && how.signal == 0);
    brood__os_process_free(&process);
    platform_setenv(PARENT, NULL);
}

static void arguments_arrive_as_they_were_sent(void)
{
    char exe[1024];

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_exe(exe, sizeof(exe)));
    expect_success(exe);
    ASSERT_STATUS(APR_ENAMETOOLONG, brood__os_exe(exe, 3));
}

/* This program under another name, in a folder without its DLLs. */
static void copy_program(const wchar_t *name, wchar_t there[MAX_PATH + 40],
                         char exe[1024])
{
    wchar_t here[1024];

    CU_ASSERT_FATAL(GetModuleFileNameW(NULL, here, 1024) < 1024
                    && GetTempPathW(MAX_PATH, there) < MAX_PATH);
    (void)wcscat(there, name);
    CU_ASSERT_TRUE_FATAL(CopyFileW(here, there, FALSE));
    CU_ASSERT_TRUE_FATAL(
        WideCharToMultiByte(CP_UTF8, 0, there, -1, exe, 1024, NULL, NULL));
}

static void a_path_may_have_any_letters(void)
{
    wchar_t there[MAX_PATH + 40];
    char exe[1024];

    copy_program(L"br\u00f6od \u5b50 's.exe", there, exe);
    expect_success(exe);
    CU_ASSERT_TRUE(DeleteFileW(there));
}

static void a_missing_dll_is_an_exit_code(void)
{
    static wchar_t before[8192];
    brood__os_process_t process;
    brood__os_exit_t how = { 0, -1, -1 };
    wchar_t there[MAX_PATH + 40];
    char exe[1024];

    CU_ASSERT_FATAL(GetEnvironmentVariableW(L"PATH", before, 8192) < 8192);
    copy_program(L"brood alone.exe", there, exe);
    CU_ASSERT_TRUE(SetEnvironmentVariableW(L"PATH", L"c:\\windows"));
    ASSERT_STATUS(APR_SUCCESS,
                  brood__os_process_start(&process, exe, words, NULL, 0));
    CU_ASSERT_TRUE(SetEnvironmentVariableW(L"PATH", before));
    WAIT_UNTIL(brood__os_process_ended(&process, &how));
    CU_ASSERT_TRUE(how.known);
    CU_ASSERT_EQUAL((unsigned)how.code, 0xc0000135u);
    brood__os_process_free(&process);
    CU_ASSERT_TRUE(DeleteFileW(there));
}

static void of_workers_without_a_dll_the_log_tells_the_code(void)
{
    static wchar_t before[8192];
    brood_process_manager_options_t o = OPTIONS;
    const char *helper = brood__helper_path;
    brood_process_manager_t *m;
    wchar_t there[MAX_PATH + 40];
    char exe[1024];

    CU_ASSERT_FATAL(GetEnvironmentVariableW(L"PATH", before, 8192) < 8192);
    copy_program(L"brood helper.exe", there, exe);
    CU_ASSERT_TRUE(SetEnvironmentVariableW(L"PATH", L"c:\\windows"));
    brood__helper_path = exe;
    o.module = "any";
    o.max_workers = o.min_workers = 1;
    o.restart_backoff = 1;
    o.crash_limit = 2;
    process_listen();
    m = process_manager(&o);
    process_heard("; the last one exited with 0xc0000135; ");
    process_stop(m);
    CU_ASSERT_TRUE(SetEnvironmentVariableW(L"PATH", before));
    brood__helper_path = helper;
    CU_ASSERT_TRUE(DeleteFileW(there));
}

static void what_is_no_program_is_an_error(void)
{
    brood__os_process_t process;

    CU_ASSERT_NOT_EQUAL(
        brood__os_process_start(&process, "c:\\no such.exe", words, NULL, 0),
        APR_SUCCESS);
    CU_ASSERT_EQUAL(process.watch, BROOD__OS_NO_HANDLE);
}

static void who_was_not_started_by_brood_is_no_worker(void)
{
    ASSERT_STATUS(APR_EINVAL, brood__os_worker_begin(1));
}

static const test_t tests[] = {
    TEST_KEEPS(an_exit_code_may_be_any_number, KEEPS_MEMORY),
    TEST_KEEPS(who_is_killed_was_aborted, KEEPS_MEMORY),
    TEST_KEEPS(a_large_result_leaves_no_handle_in_its_worker, KEEPS_MEMORY),
    TEST_KEEPS(a_large_result_outlives_the_next_tasks_crash, KEEPS_MEMORY),
    TEST_KEEPS(no_other_handle_is_inherited, KEEPS_MEMORY),
    /* Room to watch them, and threads of the system's, which stay a while. */
    TEST_KEEPS(there_may_be_more_than_64, KEEPS_ALL),
    TEST(arguments_arrive_as_they_were_sent),
    TEST(a_path_may_have_any_letters),
    TEST(a_missing_dll_is_an_exit_code),
    /* The module's name stays until the next start. */
    TEST_KEEPS(of_workers_without_a_dll_the_log_tells_the_code, KEEPS_MEMORY),
    TEST(what_is_no_program_is_an_error),
    TEST(who_was_not_started_by_brood_is_no_worker),
};

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--arguments") == 0)
        return compare_arguments();
    brood_process_main(argc, (const char *const *)argv, process_tasks);
    return process_tests("worker_win32", tests,
                         sizeof(tests) / sizeof(tests[0]), process_warm_up,
                         argc, argv);
}
