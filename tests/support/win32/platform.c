/* SPDX-License-Identifier: Apache-2.0 */

/*
 * platform.c: what the tests want of Windows.
 *
 * A child here is the same program once more. Its environment says which test
 * to run, which call of platform_child() in it is meant, and how the calls
 * before that one ended: so it goes the parent's way to the same place, and
 * there it calls the function.
 */

#include "support/platform.h"

#include <winsock2.h>
#include <windows.h>
#include <tlhelp32.h>

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHILD "BROOD_TEST_CHILD" /* <test> <call> <result>... */
#define CALLS 64

/* Results travel as exit codes that nothing else ends with. */
#define RESULT 0x1000u

#define ABORTED 3u /* what abort() of the C library ends with */

typedef HRESULT WINAPI description_fn(HANDLE thread, WCHAR **text);
typedef LONG WINAPI query_event_fn(HANDLE event, int what, void *answer,
                                   ULONG size, ULONG *got);

static int g_test = -1;
static int g_calls; /* of platform_child(), in the running test */
static int g_results[CALLS];

/* What this run is for, if it is a child. */
static struct {
    int is, test, call;
    int results[CALLS];
} g_child;

/* The watchman: a thread that waits for the limit to be changed. */
static CRITICAL_SECTION g_lock;
static CONDITION_VARIABLE g_changed;
static char g_hung[200]; /* under g_lock, as the next two */
static ULONGLONG g_due;  /* 0: no limit */
static unsigned g_seconds;

/* GCC's runtime makes a semaphore when the first such variable of a program is
 * used, and keeps it: that is no test's fault. */
static _Thread_local volatile int tl_first;

static int reset_by_hand(HANDLE handle);
static void read_child(void);
static DWORD WINAPI keep_watch(void *unused);
static LONG CALLBACK die_at_once(EXCEPTION_POINTERS *what);
static int start_child(PROCESS_INFORMATION *child, HANDLE said);
static void describe_child(char *text, size_t size);
static int outcome(DWORD code);
static HANDLE open_temporary(void);

int platform_forks(void)
{
    return 0;
}

int platform_begin(void)
{
    HANDLE thread;

    _setmode(_fileno(stdout), _O_BINARY); /* TAP has no carriage returns */
    _setmode(_fileno(stderr), _O_BINARY);
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
    tl_first = 1;
    read_child();
    InitializeCriticalSection(&g_lock);
    InitializeConditionVariable(&g_changed);
    thread = CreateThread(NULL, 0, keep_watch, NULL, 0, NULL);
    if (thread)
        CloseHandle(thread);
    return g_child.is ? g_child.test : -1;
}

void platform_test(int index)
{
    g_test = index;
    g_calls = 0;
}

void platform_limit(unsigned seconds, const char *what)
{
    EnterCriticalSection(&g_lock);
    snprintf(g_hung, sizeof(g_hung), "HUNG for %u s: %s\n", seconds, what);
    g_seconds = seconds;
    g_due = seconds ? GetTickCount64() + seconds * 1000ull : 0;
    WakeConditionVariable(&g_changed);
    LeaveCriticalSection(&g_lock);
}

static DWORD WINAPI keep_watch(void *unused)
{
    ULONGLONG now;

    (void)unused;
    EnterCriticalSection(&g_lock);
    for (;;) {
        now = GetTickCount64();
        if (g_due && now >= g_due)
            break;
        SleepConditionVariableCS(&g_changed, &g_lock,
                                 g_due ? (DWORD)(g_due - now) : INFINITE);
    }
    fputs(g_hung, stderr);
    fflush(NULL);
    abort();
}

int platform_child(int (*fn)(void *baton), void *baton, unsigned seconds,
                   char *said, size_t size)
{
    const int call = g_calls++;
    HANDLE file = said ? open_temporary() : NULL;
    PROCESS_INFORMATION child;
    DWORD code = 0, n = 0;

    if (g_child.is == 0)
        read_child(); /* called before the harness began */
    if (g_child.is && g_child.test == g_test) {
        if (call == g_child.call) {
            AddVectoredExceptionHandler(1, die_at_once);
            ExitProcess(RESULT + ((unsigned)fn(baton) & 127u));
        }
        return g_child.results[call];
    }
    if (call >= CALLS || (said && !file) || !start_child(&child, file))
        return CHILD_LOST;
    if (WaitForSingleObject(child.hProcess, seconds * 1000u) != WAIT_OBJECT_0)
        TerminateProcess(child.hProcess, ~0u);
    WaitForSingleObject(child.hProcess, INFINITE);
    GetExitCodeProcess(child.hProcess, &code);
    CloseHandle(child.hProcess);
    CloseHandle(child.hThread);
    if (said) {
        SetFilePointer(file, 0, NULL, FILE_BEGIN);
        memset(said, 0, size);
        ReadFile(file, said, (DWORD)size - 1, &n, NULL);
        CloseHandle(file);
    }
    return g_results[call] = outcome(code);
}

/* Without a debugger being looked for, and with hardly any stack. */
static LONG CALLBACK die_at_once(EXCEPTION_POINTERS *what)
{
    const DWORD code = what->ExceptionRecord->ExceptionCode;

    if (code == (DWORD)STATUS_ACCESS_VIOLATION
        || code == (DWORD)STATUS_STACK_OVERFLOW)
        TerminateProcess(GetCurrentProcess(), code);
    return EXCEPTION_CONTINUE_SEARCH;
}

long platform_threads(void)
{
    HANDLE all = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    const DWORD own = GetCurrentProcessId();
    THREADENTRY32 thread = { 0 };
    long n = 0;

    if (all == INVALID_HANDLE_VALUE)
        return -1;
    thread.dwSize = sizeof(thread);
    if (Thread32First(all, &thread))
        do
            n += thread.th32OwnerProcessID == own;
        while (Thread32Next(all, &thread));
    CloseHandle(all);
    return n;
}

/* One by one, since Wine 8 gives 0 for their number; a value that is free is used
 * again, so they lie close. Left out are threads, which are counted as such, and as
 * memory until they are joined; and events that are reset by hand, of which Winsock
 * keeps one for each thread that has used a socket. Those of brood come with a
 * pipe. */
long platform_descriptors(void)
{
    const uintptr_t stretch = 4096;
    uintptr_t value, last = 0;
    DWORD flags;
    long n = 0;

    for (value = 4; value < last + stretch; value += 4)
        if (GetHandleInformation((HANDLE)value, &flags)) {
            last = value;
            n += !GetThreadId((HANDLE)value) && !reset_by_hand((HANDLE)value);
        }
    return n;
}

static int reset_by_hand(HANDLE handle)
{
    static query_event_fn *query;
    struct {
        LONG automatic;
        LONG state;
    } event;

    if (!query)
        query = (query_event_fn *)(void (*)(void))GetProcAddress(
            GetModuleHandleW(L"ntdll.dll"), "NtQueryEvent");
    return query && query(handle, 0, &event, sizeof(event), NULL) >= 0
           && !event.automatic;
}

void platform_nap(unsigned microseconds)
{
    Sleep((microseconds + 999) / 1000);
}

void platform_yield(void)
{
    SwitchToThread();
}

void platform_setenv(const char *name, const char *value)
{
    char text[300];

    SetEnvironmentVariableA(name, value);
    snprintf(text, sizeof(text), "%s=%s", name, value ? value : "");
    _putenv(text);
}

const char *platform_standard_error(void (*fn)(void))
{
    static char text[400];
    const int saved = _dup(2);
    int ends[2];
    int n;

    if (_pipe(ends, sizeof(text), _O_BINARY))
        return "no pipe";
    fflush(stderr);
    _dup2(ends[1], 2);
    fn();
    fflush(stderr);
    _dup2(saved, 2);
    _close(saved);
    _close(ends[1]);
    n = _read(ends[0], text, sizeof(text) - 1);
    _close(ends[0]);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

void platform_thread_name(char *name, size_t size)
{
    HMODULE base = GetModuleHandleW(L"kernelbase.dll");
    description_fn *description = (description_fn *)(void (*)(
        void))GetProcAddress(base, "GetThreadDescription");
    WCHAR *wide = NULL;

    name[0] = '\0';
    if (!description || FAILED(description(GetCurrentThread(), &wide)))
        return;
    WideCharToMultiByte(CP_UTF8, 0, wide, -1, name, (int)size, NULL, NULL);
    LocalFree(wide);
}

static void read_child(void)
{
    const char *text = getenv(CHILD);
    char *rest;
    int i;

    if (!text || g_child.is)
        return;
    g_child.is = 1;
    g_child.test = (int)strtol(text, &rest, 10);
    g_child.call = (int)strtol(rest, &rest, 10);
    for (i = 0; i < CALLS && *rest; i++)
        g_child.results[i] = (int)strtol(rest, &rest, 10);
}

/* The same command line in the same folder; only the environment differs. */
static int start_child(PROCESS_INFORMATION *child, HANDLE said)
{
    SECURITY_ATTRIBUTES inherited = { sizeof(inherited), NULL, TRUE };
    STARTUPINFOW how = { .cb = sizeof(how) };
    HANDLE silence = CreateFileW(L"NUL", GENERIC_WRITE, FILE_SHARE_WRITE,
                                 &inherited, OPEN_EXISTING, 0, NULL);
    wchar_t *line = _wcsdup(GetCommandLineW());
    wchar_t program[1024];
    char text[32 + CALLS * 5];
    int made;

    if (!line || !GetModuleFileNameW(NULL, program, 1024))
        return 0;
    how.dwFlags = STARTF_USESTDHANDLES;
    how.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    how.hStdOutput = silence; /* what it reports is no report of ours */
    how.hStdError = said ? said : GetStdHandle(STD_ERROR_HANDLE);
    describe_child(text, sizeof(text));
    fflush(NULL);
    SetEnvironmentVariableA(CHILD, text);
    made = CreateProcessW(program, line, NULL, NULL, TRUE, 0, NULL, NULL, &how,
                          child);
    SetEnvironmentVariableA(CHILD, NULL);
    CloseHandle(silence);
    free(line);
    return made;
}

static void describe_child(char *text, size_t size)
{
    int n = snprintf(text, size, "%d %d", g_test, g_calls - 1);
    int i;

    for (i = 0; i < g_calls - 1; i++)
        n += snprintf(text + n, size - (size_t)n, " %d", g_results[i]);
}

static int outcome(DWORD code)
{
    if (code >= RESULT && code < RESULT + 128)
        return (int)(code - RESULT);
    switch (code) {
    case ABORTED:
        return CHILD_ABORTED;
    case (DWORD)STATUS_ACCESS_VIOLATION:
    case (DWORD)STATUS_STACK_OVERFLOW:
    case (DWORD)STATUS_GUARD_PAGE_VIOLATION:
        return CHILD_CRASHED;
    default:
        return CHILD_LOST;
    }
}

/* Inheritable, and gone when it is closed. */
static HANDLE open_temporary(void)
{
    SECURITY_ATTRIBUTES inherited = { sizeof(inherited), NULL, TRUE };
    wchar_t folder[MAX_PATH], path[MAX_PATH];
    HANDLE file;

    if (!GetTempPathW(MAX_PATH, folder)
        || !GetTempFileNameW(folder, L"brd", 0, path))
        return NULL;
    file = CreateFileW(path, GENERIC_READ | GENERIC_WRITE,
                       FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                       &inherited, CREATE_ALWAYS,
                       FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE,
                       NULL);
    return file == INVALID_HANDLE_VALUE ? NULL : file;
}
