/* SPDX-License-Identifier: Apache-2.0 */

/* tasks_platform.c: what the tests of worker processes want of Windows. */

#include "process/tasks_platform.h"

#include <winsock2.h>
#include <windows.h>

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
    DWORD n = 0;

    (void)in;
    (void)len;
    (void)GetProcessHandleCount(GetCurrentProcess(), &n);
    return task_number(out, (long)n);
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
