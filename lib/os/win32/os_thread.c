/* SPDX-License-Identifier: Apache-2.0 */

/* os_thread.c: the name, the end and the stack of the calling thread. */

#include "os/win32/os_internal.h"

#include <string.h>

/* No limit is known; debuggers show some sixty characters. */
#define NAME_MAX_BYTES 63u

/* At the low end of each thread's stack: the page that is never there, and
 * those kept for the handler of an overflow. */
#define LAST_PAGES 3u

typedef HRESULT WINAPI describe_fn(HANDLE thread, PCWSTR text);
typedef VOID WINAPI limits_fn(ULONG_PTR *low, ULONG_PTR *high);
typedef BOOLEAN WINAPI ending_fn(void);

/*
 * The hook is a fibre-local slot, whose callback the system runs when a thread
 * ends, and before it takes the lock of the loader. It also runs it when a
 * fibre is deleted, maybe by another thread; then it is not the end of the
 * thread that set the hook. So the slot holds a record that says who that was.
 * brood sets it on the fibre that a thread began with, never on a coroutine's.
 *
 * The callback runs under a lock of the system's, which a thread that begins
 * takes while it has that of the loader. So the hook must not ask for a module
 * or a function, nor wait for a thread to begin or to end.
 */
typedef struct record_t {
    DWORD thread;
    void *data;
} record_t;

static brood__os_lock_t g_hook_lock = BROOD__OS_LOCK_INIT;
static DWORD g_slot = FLS_OUT_OF_INDEXES; /* written once, under g_hook_lock */
static void (*g_hook)(void *data);        /* the same */
static ending_fn *g_ending;               /* the same; NULL: not known */

/* While the hook runs for this thread: what it has set again. */
static BROOD__THREAD_LOCAL int tl_ending;
static BROOD__THREAD_LOCAL void *tl_again;

/* The calling thread's stack; `high` 0: not asked yet. */
static BROOD__THREAD_LOCAL struct {
    uintptr_t low;
    uintptr_t high;
} tl_stack;

static VOID WINAPI on_end(void *slot);
static void find_stack(void);
static size_t cut_between_characters(const char *name);

void brood__os_thread_name(const char *name)
{
    describe_fn *describe = (describe_fn *)brood__optional(
        "kernelbase.dll", "SetThreadDescription");
    wchar_t wide[NAME_MAX_BYTES + 1];
    const size_t n = cut_between_characters(name);
    int units;

    if (!describe)
        return; /* before Windows 10, 1607 */
    units = MultiByteToWideChar(CP_UTF8, 0, name, (int)n, wide,
                                (int)NAME_MAX_BYTES);
    wide[units] = L'\0';
    (void)describe(GetCurrentThread(), wide);
}

void brood__os_signals_block(brood__os_sigmask_t *saved)
{
    saved->none = 0;
}

void brood__os_signals_restore(const brood__os_sigmask_t *saved)
{
    (void)saved;
}

apr_status_t brood__os_exit_hook(void (*fn)(void *data))
{
    apr_status_t rv = APR_SUCCESS;

    brood__os_lock(&g_hook_lock);
    if (g_slot == FLS_OUT_OF_INDEXES) {
        g_hook = fn;
        g_ending = (ending_fn *)brood__optional("ntdll.dll",
                                                "RtlDllShutdownInProgress");
        g_slot = FlsAlloc(on_end);
        if (g_slot == FLS_OUT_OF_INDEXES)
            rv = brood__last_error();
    }
    brood__os_unlock(&g_hook_lock);
    return rv;
}

apr_status_t brood__os_exit_hook_set(void *data)
{
    record_t *record;

    if (tl_ending) {
        tl_again = data;
        return APR_SUCCESS;
    }
    record = FlsGetValue(g_slot);
    if (!record) {
        record = HeapAlloc(GetProcessHeap(), 0, sizeof(*record));
        if (!record)
            return APR_ENOMEM;
        if (!FlsSetValue(g_slot, record)) {
            (void)HeapFree(GetProcessHeap(), 0, record);
            return brood__last_error();
        }
    }
    record->thread = GetCurrentThreadId();
    record->data = data;
    return APR_SUCCESS;
}

/* When the whole process ends, the other threads are gone, with whatever locks
 * they held, so nothing is done then. */
static VOID WINAPI on_end(void *slot)
{
    record_t record = *(record_t *)slot;

    if (g_ending && g_ending())
        return;
    (void)HeapFree(GetProcessHeap(), 0, slot);
    if (record.thread != GetCurrentThreadId())
        return;
    tl_ending = 1;
    while (record.data) {
        tl_again = NULL;
        g_hook(record.data);
        record.data = tl_again;
    }
    tl_ending = 0;
}

void brood__os_yield(void)
{
    (void)SwitchToThread();
}

size_t brood__os_stack_left(void)
{
    const char mark = 0;
    const uintptr_t here = (uintptr_t)&mark;

    if (!tl_stack.high)
        find_stack();
    /* Outside: on a coroutine's stack. */
    if (here <= tl_stack.low || here >= tl_stack.high)
        return 0;
    return here - tl_stack.low;
}

/* The thread's block has both ends: of what is reserved, not of what is there
 * so far. A switch exchanges them, so brood asks before the first one. */
static void find_stack(void)
{
    limits_fn *limits = (limits_fn *)brood__optional(
        "kernelbase.dll", "GetCurrentThreadStackLimits");
    MEMORY_BASIC_INFORMATION part; /* what is there of the stack */
    ULONG_PTR low = 0;
    ULONG_PTR high = 0;

    if (limits) {
        limits(&low, &high);
    } else if (VirtualQuery(&part, &part, sizeof(part))) {
        low = (ULONG_PTR)part.AllocationBase;
        high = (ULONG_PTR)part.BaseAddress + part.RegionSize;
    }
    tl_stack.low = low + LAST_PAGES * brood__page_size();
    tl_stack.high = high;
}

static size_t cut_between_characters(const char *name)
{
    size_t n = strlen(name);

    if (n > NAME_MAX_BYTES) {
        n = NAME_MAX_BYTES;
        while (n && ((unsigned char)name[n] & 0xC0u) == 0x80u)
            n--; /* not in the middle of a UTF-8 character */
    }
    return n;
}
