/* SPDX-License-Identifier: Apache-2.0 */

/* tasks_platform.c: what the tests of worker processes want of Windows. */

#include "process/tasks_platform.h"

#include <winsock2.h>
#include <windows.h>

#include <tlhelp32.h>
#include <winternl.h>

#include "os/win32/os_internal.h"

#include "os/process.h"
#include "process/tasks.h"
#include "process/wire.h"

const char process_helper[] = ".libs/brood-worker.exe";
const char process_module[] = "tests/process/.libs/module.dll";

static long start_idle(void);

apr_status_t task_raise(const void *in, size_t len, brood_buffer_t **out)
{
    (void)out;
    RaiseException((DWORD)strtoul(task_words(in, len), NULL, 0),
                   EXCEPTION_NONCONTINUABLE, 0, NULL);
    return APR_SUCCESS;
}

/* Nobody is asked here. */
apr_status_t task_ignore_term(const void *in, size_t len, brood_buffer_t **out)
{
    return task_hold(in, len, out);
}

apr_status_t task_descriptors(const void *in, size_t len, brood_buffer_t **out)
{
    (void)in;
    (void)len;
    return task_number(out, platform_descriptors());
}

/* Not by its handle, nor by one that is made of it, nor where it is mapped. */
apr_status_t task_truncate(const void *in, size_t len, brood_buffer_t **out)
{
    const HANDLE self = GetCurrentProcess();
    const HANDLE down = brood__os_worker_handle(BROOD__HANDLE_DOWN)->handle;
    HANDLE more;
    DWORD before;
    void *base;

    (void)in;
    (void)len;
    (void)out;
    if (MapViewOfFile(down, FILE_MAP_WRITE, 0, 0, 4096)
        || DuplicateHandle(self, down, self, &more, FILE_MAP_WRITE, FALSE, 0))
        return APR_EGENERAL;
    base = MapViewOfFile(down, FILE_MAP_READ, 0, 0, 4096);
    return base && !VirtualProtect(base, 4096, PAGE_READWRITE, &before)
               ? APR_SUCCESS
               : APR_EGENERAL;
}

apr_status_t task_close_all(const void *in, size_t len, brood_buffer_t **out)
{
    size_t i;

    for (i = 0; i < BROOD__HANDLES; i++)
        (void)CloseHandle(brood__os_worker_handle(i)->handle);
    return task_hold(in, len, out);
}

apr_status_t task_fork_many(const void *in, size_t len, brood_buffer_t **out)
{
    int i;

    for (i = 0; i < 8; i++)
        if (!start_idle())
            return APR_EGENERAL;
    return task_hold(in, len, out);
}

apr_status_t task_fork_some(const void *in, size_t len, brood_buffer_t **out)
{
    (void)in;
    (void)len;
    return task_number(out, start_idle());
}

/* A process that is there, and is never let run. 0: it cannot be made. */
static long start_idle(void)
{
    STARTUPINFOW how = { .cb = sizeof(how) };
    PROCESS_INFORMATION made;
    wchar_t program[1024];

    if (!GetModuleFileNameW(NULL, program, 1024)
        || !CreateProcessW(program, NULL, NULL, NULL, FALSE, CREATE_SUSPENDED,
                           NULL, NULL, &how, &made))
        return 0;
    (void)CloseHandle(made.hThread);
    (void)CloseHandle(made.hProcess);
    return (long)made.dwProcessId;
}

apr_status_t task_spoil(const void *in, size_t len, brood_buffer_t **out)
{
    const HANDLE self = GetCurrentProcess();

    process_close_standard();
    SetErrorMode(0);
    if (!SetCurrentDirectoryW(L"c:\\") || !SetEnvironmentVariableW(L"PATH", L"")
        || !SetEnvironmentVariableW(L"SystemRoot", NULL)
        || !SetPriorityClass(self, IDLE_PRIORITY_CLASS)
        || !SetProcessAffinityMask(self, 1))
        return APR_EGENERAL;
    return brood_buffer_copy(out, in, len);
}

apr_status_t task_end_thread(const void *in, size_t len, brood_buffer_t **out)
{
    (void)in;
    (void)len;
    (void)out;
    ExitThread(0);
}

apr_status_t task_stop(const void *in, size_t len, brood_buffer_t **out)
{
    process_suspend((long)GetCurrentProcessId());
    return task_hold(in, len, out); /* if nobody has stopped us */
}

/* With what every other thread needs to do or to end anything. */
apr_status_t task_deafen(const void *in, size_t len, brood_buffer_t **out)
{
    (void)in;
    (void)len;
    (void)out;
    (void)SetConsoleCtrlHandler(NULL, TRUE);
    (void)HeapLock(GetProcessHeap());
    Sleep(INFINITE);
    return APR_SUCCESS;
}

void process_spoil_handle(size_t index)
{
    (void)CloseHandle(brood__os_worker_handle(index)->handle);
}

void process_scrawl(size_t index, const void *bytes, size_t size)
{
    const HANDLE pipe = brood__os_worker_handle(index)->handle;
    OVERLAPPED write = { .hEvent = CreateEventW(NULL, TRUE, FALSE, NULL) };
    DWORD n;

    if (!WriteFile(pipe, bytes, (DWORD)size, NULL, &write)
        && GetLastError() == ERROR_IO_PENDING)
        (void)GetOverlappedResult(pipe, &write, &n, TRUE);
    (void)CloseHandle(write.hEvent);
}

/* ---- in the host -------------------------------------------------------------- */

#define DEATH(code)                                                            \
    {                                                                          \
#code, (int)code##u, 0                                                 \
    }

/* Memory that is not there, no instruction, a division by 0, no more stack, a
 * broken heap, and one of the program's own. */
const death_t process_deaths[] = {
    DEATH(0xc0000005), DEATH(0xc000001d), DEATH(0xc0000094), DEATH(0xc00000fd),
    DEATH(0xc0000374), DEATH(0xe0001234), { NULL, 0, 0 },
};
const death_t process_killed = { NULL, ERROR_PROCESS_ABORTED, 0 };
const death_t process_asked = { NULL, ERROR_PROCESS_ABORTED, 0 };

void process_kill(long pid)
{
    const HANDLE process = OpenProcess(PROCESS_TERMINATE, FALSE, (DWORD)pid);

    if (!process)
        return;
    (void)TerminateProcess(process, 9);
    (void)CloseHandle(process);
}

typedef LONG WINAPI suspend_fn(HANDLE process);

void process_suspend(long pid)
{
    suspend_fn *suspend = (suspend_fn *)brood__optional("ntdll.dll",
                                                        "NtSuspendProcess");
    const HANDLE process = OpenProcess(PROCESS_SUSPEND_RESUME, FALSE,
                                       (DWORD)pid);

    if (suspend && process)
        (void)suspend(process);
    if (process)
        (void)CloseHandle(process);
}

typedef NTSTATUS WINAPI query_fn(HANDLE process, PROCESSINFOCLASS what,
                                 void *to, ULONG size, ULONG *length);

/* CreateProcess() is done with it. Whoever is ended before takes Wine's server
 * with him, up to version 8 at least: receive_fd() in its server/request.c counts
 * on a process to have a thread. */
static int is_made(DWORD pid)
{
    query_fn *query = (query_fn *)brood__optional("ntdll.dll",
                                                  "NtQueryInformationProcess");
    const HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE,
                                       pid);
    PROCESS_BASIC_INFORMATION about = { 0 };

    if (query && process)
        (void)query(process, ProcessBasicInformation, &about, sizeof(about),
                    NULL);
    if (process)
        (void)CloseHandle(process);
    return about.PebBaseAddress != NULL;
}

size_t process_children(long *pids, size_t max)
{
    const HANDLE all = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    const DWORD self = GetCurrentProcessId();
    PROCESSENTRY32W one = { .dwSize = sizeof(one) };
    size_t n = 0;
    BOOL more;

    if (all == INVALID_HANDLE_VALUE)
        return 0;
    for (more = Process32FirstW(all, &one); more && n < max;
         more = Process32NextW(all, &one))
        if (one.th32ParentProcessID == self && is_made(one.th32ProcessID))
            pids[n++] = (long)one.th32ProcessID;
    (void)CloseHandle(all);
    return n;
}

void process_close_standard(void)
{
    static const DWORD all[3] = { STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
                                  STD_ERROR_HANDLE };
    HANDLE handle;
    int i;

    for (i = 0; i < 3; i++) {
        handle = GetStdHandle(all[i]);
        if (handle && handle != INVALID_HANDLE_VALUE)
            (void)CloseHandle(handle);
        (void)SetStdHandle(all[i], NULL);
    }
}

/* There are 16 million, and no way to have fewer. */
int process_most_descriptors(unsigned n)
{
    (void)n;
    return 0;
}

int process_least_descriptors(unsigned n)
{
    return n < 1u << 24;
}

int process_longest_file(unsigned bytes)
{
    (void)bytes;
    return 0;
}

int process_block_signals(void)
{
    return 0;
}

int process_is_gone(long pid)
{
    const HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, (DWORD)pid);
    int gone;

    if (!process)
        return 1;
    gone = WaitForSingleObject(process, 0) == WAIT_OBJECT_0;
    (void)CloseHandle(process);
    return gone;
}
