/* SPDX-License-Identifier: Apache-2.0 */

/*
 * os_process.c: start, end and death of a worker process.
 *
 * It is made suspended, put into a Job object that ends with us and takes with
 * it whatever it starts, given its handles, and only then let run. It inherits
 * three handles and no others: its standard output and error, and, as its
 * standard input, a pipe in which it finds the values of the rest.
 */

#include "os/win32/os_internal.h"

#define PSAPI_VERSION 2
#include <psapi.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "os/process.h"

/* What a process ends with that is killed: "terminated unexpectedly". */
#define KILLED ERROR_PROCESS_ABORTED

typedef struct start_t {
    HANDLE standard[3]; /* inheritable: input, output, error */
    HANDLE in;          /* our end of the input */
    LPPROC_THREAD_ATTRIBUTE_LIST list;
    wchar_t *exe, *line;
    PROCESS_INFORMATION made;
} start_t;

static apr_status_t prepare(start_t *start, const char *exe,
                            const char *const *argv);
static apr_status_t make_standard(start_t *start);
static apr_status_t make_list(start_t *start);
static apr_status_t make_job(HANDLE *job);
static apr_status_t create(start_t *start);
static apr_status_t hand_over(start_t *start, const brood__os_handle_t *handles,
                              size_t n);
static void clean_up(start_t *start);
static wchar_t *widen(const char *text);
static wchar_t *make_line(const char *const *argv);
static char *quote(char *to, const char *word);

apr_status_t brood__os_process_start(brood__os_process_t *process,
                                     const char *exe, const char *const *argv,
                                     const brood__os_handle_t *handles,
                                     size_t n)
{
    start_t start = { 0 };
    apr_status_t rv;

    memset(process, 0, sizeof(*process));
    if (brood__fault(BROOD__FAULT_PROCESS))
        return APR_EAGAIN;
    rv = prepare(&start, exe, argv);
    if (rv == APR_SUCCESS)
        rv = make_job(&process->job);
    if (rv == APR_SUCCESS)
        rv = create(&start);
    if (rv == APR_SUCCESS
        && !AssignProcessToJobObject(process->job, start.made.hProcess))
        rv = brood__last_error();
    if (rv == APR_SUCCESS)
        rv = hand_over(&start, handles, n);
    if (start.made.hProcess && rv != APR_SUCCESS)
        (void)TerminateProcess(start.made.hProcess, KILLED);
    if (start.made.hProcess) {
        process->pid = start.made.dwProcessId;
        process->watch = brood__object_make(start.made.hProcess);
        if (!process->watch) /* it goes with its job */
            rv = rv == APR_SUCCESS ? APR_ENOMEM : rv;
    }
    if (rv == APR_SUCCESS)
        (void)ResumeThread(start.made.hThread);
    else
        brood__os_process_free(process);
    clean_up(&start);
    return rv;
}

static apr_status_t prepare(start_t *start, const char *exe,
                            const char *const *argv)
{
    apr_status_t rv;

    start->exe = widen(exe);
    start->line = make_line(argv);
    if (!start->exe || !start->line)
        return APR_ENOMEM;
    rv = make_standard(start);
    return rv == APR_SUCCESS ? make_list(start) : rv;
}

static void clean_up(start_t *start)
{
    int i;

    for (i = 0; i < 3; i++)
        if (start->standard[i])
            (void)CloseHandle(start->standard[i]);
    if (start->in)
        (void)CloseHandle(start->in);
    if (start->list)
        DeleteProcThreadAttributeList(start->list);
    if (start->made.hThread)
        (void)CloseHandle(start->made.hThread);
    brood__free(start->list);
    brood__free(start->exe);
    brood__free(start->line);
}

/* Ours, or nothing where we have none, as in a service. */
static apr_status_t make_standard(start_t *start)
{
    static const DWORD which[3] = { STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
                                    STD_ERROR_HANDLE };
    SECURITY_ATTRIBUTES inherited = { sizeof(inherited), NULL, TRUE };
    const HANDLE self = GetCurrentProcess();
    int i;

    if (brood__table_full()
        || !CreatePipe(&start->standard[0], &start->in, &inherited,
                       2 * sizeof(brood__gift_t))
        || !SetHandleInformation(start->in, HANDLE_FLAG_INHERIT, 0))
        return brood__handle_error();
    for (i = 1; i < 3; i++) {
        const HANDLE ours = GetStdHandle(which[i]);

        if (ours && ours != INVALID_HANDLE_VALUE
            && DuplicateHandle(self, ours, self, &start->standard[i], 0, TRUE,
                               DUPLICATE_SAME_ACCESS))
            continue;
        start->standard[i] = NULL;
        start->standard[i] = CreateFileW(L"NUL", GENERIC_WRITE,
                                         FILE_SHARE_READ | FILE_SHARE_WRITE,
                                         &inherited, OPEN_EXISTING, 0, NULL);
        if (start->standard[i] == INVALID_HANDLE_VALUE) {
            start->standard[i] = NULL;
            return brood__handle_error();
        }
    }
    return APR_SUCCESS;
}

static apr_status_t make_list(start_t *start)
{
    LPPROC_THREAD_ATTRIBUTE_LIST list;
    SIZE_T size = 0;
    apr_status_t rv;

    (void)InitializeProcThreadAttributeList(NULL, 1, 0, &size);
    list = brood__alloc(size);
    if (!list)
        return APR_ENOMEM;
    if (!InitializeProcThreadAttributeList(list, 1, 0, &size)) {
        rv = brood__last_error();
        brood__free(list);
        return rv;
    }
    start->list = list;
    return UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
                                     start->standard, sizeof(start->standard),
                                     NULL, NULL)
               ? APR_SUCCESS
               : brood__last_error();
}

static apr_status_t make_job(HANDLE *job)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = { 0 };

    *job = brood__table_full() ? NULL : CreateJobObjectW(NULL, NULL);
    if (!*job)
        return brood__handle_error();
    limits.BasicLimitInformation.LimitFlags =
        JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
        | JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION;
    return SetInformationJobObject(*job, JobObjectExtendedLimitInformation,
                                   &limits, sizeof(limits))
               ? APR_SUCCESS
               : brood__last_error();
}

/* A group of its own: Ctrl-C is the parent's business. */
static apr_status_t create(start_t *start)
{
    STARTUPINFOEXW how = { .StartupInfo = { .cb = sizeof(how) } };

    how.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    how.StartupInfo.hStdInput = start->standard[0];
    how.StartupInfo.hStdOutput = start->standard[1];
    how.StartupInfo.hStdError = start->standard[2];
    how.lpAttributeList = start->list;
    return !brood__table_full()
                   && CreateProcessW(start->exe, start->line, NULL, NULL, TRUE,
                                     CREATE_SUSPENDED | CREATE_NEW_PROCESS_GROUP
                                         | EXTENDED_STARTUPINFO_PRESENT,
                                     NULL, NULL, &how.StartupInfo, &start->made)
               ? APR_SUCCESS
               : brood__handle_error();
}

static apr_status_t hand_over(start_t *start, const brood__os_handle_t *handles,
                              size_t n)
{
    const HANDLE theirs = start->made.hProcess;
    brood__gift_t gift = { BROOD__GIFT_MAGIC, n, { { 0 } } };
    apr_status_t rv = n <= BROOD__GIFT_MOST ? APR_SUCCESS : APR_EINVAL;
    HANDLE value;
    DWORD written;
    size_t i;

    for (i = 0; rv == APR_SUCCESS && i < n; i++) {
        if (!handles[i])
            continue;
        if (brood__table_full()
            || !DuplicateHandle(GetCurrentProcess(), handles[i]->handle, theirs,
                                &value, 0, FALSE, DUPLICATE_SAME_ACCESS))
            return brood__handle_error();
        gift.item[i].handle = (uint64_t)(uintptr_t)value;
        gift.item[i].is_end = handles[i]->end != NULL;
        rv = brood__object_given(handles[i], theirs);
    }
    if (rv == APR_SUCCESS
        && !WriteFile(start->in, &gift, sizeof(gift), &written, NULL))
        rv = brood__last_error();
    return rv;
}

/* ---- the command line ------------------------------------------------------- */

static wchar_t *widen(const char *text)
{
    const int n = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);
    wchar_t *wide = n > 0 ? brood__alloc((size_t)n * sizeof(*wide)) : NULL;

    if (wide)
        (void)MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, n);
    return wide;
}

static wchar_t *make_line(const char *const *argv)
{
    wchar_t *wide;
    size_t size = 1;
    char *line, *at;
    size_t i;

    for (i = 0; argv[i]; i++)
        size += 2 * strlen(argv[i]) + 3;
    at = line = brood__alloc(size);
    if (!line)
        return NULL;
    for (i = 0; argv[i]; i++) {
        if (i)
            *at++ = ' ';
        at = quote(at, argv[i]);
        /* The first word knows no escapes. It is a name, no more. */
        for (char *c = line + 1; i == 0 && c < at - 1; c++)
            if (*c == '"' || *c == '\\')
                *c = '\'';
    }
    *at = '\0';
    wide = widen(line);
    brood__free(line);
    return wide;
}

/* As the C runtime and CommandLineToArgvW() take it apart: backslashes count
 * twice before a quotation mark, and only there. */
static char *quote(char *to, const char *word)
{
    size_t slashes = 0;

    *to++ = '"';
    for (; *word; word++) {
        if (*word == '"')
            for (slashes++; slashes; slashes--)
                *to++ = '\\';
        slashes = *word == '\\' ? slashes + 1 : 0;
        *to++ = *word;
    }
    for (; slashes; slashes--)
        *to++ = '\\';
    *to++ = '"';
    return to;
}

/* ---- its life and its end --------------------------------------------------- */

void brood__os_process_adopt(brood__os_process_t *process, int64_t pid,
                             brood__os_handle_t watch)
{
    memset(process, 0, sizeof(*process));
    process->pid = (unsigned long)pid;
    process->watch = watch;
}

int64_t brood__os_process_id(const brood__os_process_t *process)
{
    return process->pid;
}

brood__os_handle_t brood__os_process_watch(const brood__os_process_t *process)
{
    return process->watch;
}

/* There is nothing that a process can be asked by. */
void brood__os_process_terminate(brood__os_process_t *process)
{
    (void)process;
}

void brood__os_process_kill(brood__os_process_t *process)
{
    (void)TerminateJobObject(process->job, KILLED);
}

int brood__os_process_ended(brood__os_process_t *process, brood__os_exit_t *how)
{
    const HANDLE handle = process->watch->handle;
    DWORD code = 0;

    memset(how, 0, sizeof(*how));
    if (WaitForSingleObject(handle, 0) != WAIT_OBJECT_0)
        return 0;
    brood__os_process_kill(process); /* what it has started */
    how->known = GetExitCodeProcess(handle, &code) != 0;
    how->code = (int)code;
    return 1;
}

uint64_t brood__os_process_rss(const brood__os_process_t *process)
{
    PROCESS_MEMORY_COUNTERS use = { .cb = sizeof(use) };

    return K32GetProcessMemoryInfo(process->watch->handle, &use, sizeof(use))
               ? use.WorkingSetSize
               : 0;
}

void brood__os_process_free(brood__os_process_t *process)
{
    if (process->job)
        (void)CloseHandle(process->job);
    brood__os_handle_close(process->watch);
    process->job = NULL;
    process->watch = BROOD__OS_NO_HANDLE;
}
