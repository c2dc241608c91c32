/* SPDX-License-Identifier: Apache-2.0 */

/* os_worker.c: a worker process, seen from within. */

#include "os/win32/os_internal.h"

#include <string.h>
#include <tlhelp32.h>

#include "os/process.h"

static brood__os_handle_t g_handles[BROOD__GIFT_MOST];

static int read_all(HANDLE from, void *bytes, DWORD size);

/* UTF-8, as APR has it. */
apr_status_t brood__os_exe(char *path, size_t size)
{
    wchar_t wide[1024];
    const DWORD n = GetModuleFileNameW(NULL, wide, 1024);

    if (n == 0)
        return brood__last_error();
    if (n == 1024
        || !WideCharToMultiByte(CP_UTF8, 0, wide, -1, path, (int)size, NULL,
                                NULL))
        return APR_ENAMETOOLONG;
    return APR_SUCCESS;
}

int brood__os_path_kind(const char *path)
{
    const char *rest = path;

    if (((*path >= 'a' && *path <= 'z') || (*path >= 'A' && *path <= 'Z'))
        && path[1] == ':')
        rest = path + 2;
    if (*rest == '/' || *rest == '\\')
        return 1;
    return strpbrk(path, "/\\:") ? -1 : 0;
}

/* What is written to the standard input of a worker fits into the pipe, and was
 * there before it began; then the pipe is at its end. */
apr_status_t brood__os_worker_begin(size_t n)
{
    const HANDLE in = GetStdHandle(STD_INPUT_HANDLE);
    apr_status_t rv = APR_SUCCESS;
    brood__gift_t gift;
    HANDLE handle;
    size_t i;

    if (!in || GetFileType(in) != FILE_TYPE_PIPE
        || !read_all(in, &gift, sizeof(gift)) || gift.magic != BROOD__GIFT_MAGIC
        || gift.n != n)
        return APR_EINVAL;
    for (i = 0; i < n; i++) {
        handle = (HANDLE)(uintptr_t)gift.item[i].handle;
        if (!handle)
            continue;
        if (gift.item[i].is_end)
            rv = brood__object_make_end(&g_handles[i], handle);
        else if (!(g_handles[i] = brood__object_make(handle)))
            rv = APR_ENOMEM;
        if (rv != APR_SUCCESS)
            return rv;
        g_handles[i]->given = 1;
    }
    return APR_SUCCESS;
}

static int read_all(HANDLE from, void *bytes, DWORD size)
{
    char *next = bytes;
    DWORD n;

    for (; size; next += n, size -= n)
        if (!ReadFile(from, next, size, &n, NULL) || n == 0)
            return 0;
    return 1;
}

brood__os_handle_t brood__os_worker_handle(size_t index)
{
    return g_handles[index];
}

/* The parent's Job object goes with the parent, and we with that. */
void brood__os_worker_die_with(int64_t pid)
{
    (void)pid;
}

void brood__os_worker_exit(int code)
{
    (void)TerminateProcess(GetCurrentProcess(), (UINT)code);
    for (;;)
        Sleep(INFINITE); /* it has been ended */
}

int64_t brood__os_pid(void)
{
    return GetCurrentProcessId();
}

int64_t brood__os_parent_pid(void)
{
    const HANDLE all = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    const DWORD self = GetCurrentProcessId();
    PROCESSENTRY32W one = { .dwSize = sizeof(one) };
    int64_t parent = 0;
    BOOL more;

    if (all == INVALID_HANDLE_VALUE)
        return 0;
    for (more = Process32FirstW(all, &one); more && !parent;
         more = Process32NextW(all, &one))
        if (one.th32ProcessID == self)
            parent = one.th32ParentProcessID;
    (void)CloseHandle(all);
    return parent;
}

/* ---- fork servers: a process cannot be copied ------------------------------ */

int brood__os_can_fork(void)
{
    return 0;
}

apr_status_t brood__os_fork_worker(int64_t *pid, brood__os_handle_t *watch,
                                   const brood__os_handle_t *handles, size_t n)
{
    (void)handles;
    (void)n;
    *pid = -1;
    *watch = BROOD__OS_NO_HANDLE;
    return APR_ENOTIMPL;
}

int brood__os_reap(int64_t pid, brood__os_exit_t *how)
{
    (void)pid;
    memset(how, 0, sizeof(*how));
    return 0;
}
