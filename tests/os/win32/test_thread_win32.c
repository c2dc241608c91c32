/* SPDX-License-Identifier: Apache-2.0 */

/* test_thread_win32.c: names of threads, and hooks beside fibres. */

#include "os/win32/os_internal.h"

#include <string.h>

#include "os/thread.h"
#include "support/support.h"

/* What a thread saw; read after its join. */
typedef struct seen_t {
    char name[200];
} seen_t;

typedef HRESULT WINAPI description_fn(HANDLE thread, WCHAR **text);

static void look_around(void *arg)
{
    description_fn *description = (description_fn *)brood__optional(
        "kernelbase.dll", "GetThreadDescription");
    seen_t *seen = arg;
    WCHAR *name = NULL;

    if (FAILED(description(GetCurrentThread(), &name)))
        return;
    WideCharToMultiByte(CP_UTF8, 0, name, -1, seen->name, sizeof(seen->name),
                        NULL, NULL);
    LocalFree(name);
}

static void names_are_unicode(void)
{
    static const char *const rows[][2] = {
        { "brood/io", "brood/io" },
        { "br\xc3\xbcter", "br\xc3\xbcter" },
        { "k\xc3\xbc"
          "cken \xf0\x9f\x90\xa3",
          "k\xc3\xbc"
          "cken \xf0\x9f\x90\xa3" },
        { NULL, "" },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        brood__thread_t *thread = NULL;
        seen_t seen = { "" };

        ASSERT_STATUS_FATAL(
            APR_SUCCESS,
            brood__thread_start(&thread, look_around, &seen, rows[i][0], 0));
        brood__thread_join(thread);
        CU_ASSERT_STRING_EQUAL(seen.name, rows[i][1]);
    }
}

static void long_names_are_cut_between_characters(void)
{
    char name[100], expected[100];
    seen_t seen = { "" };

    memset(name, 'x', sizeof(name));
    memset(expected, 'x', sizeof(expected));
    memcpy(name + 62, "\xc3\xa9", 3);
    expected[62] = '\0';
    brood__os_thread_name(name);
    look_around(&seen);
    CU_ASSERT_STRING_EQUAL(seen.name, expected);
    brood__os_thread_name("");
}

static atomic_uint g_ended; /* calls of the exit hook */

static void on_exit_of_thread(void *data)
{
    (void)data;
    brood__add(&g_ended, 1, relaxed);
}

static VOID WINAPI set_hook_on_fiber(void *home)
{
    static char some;

    (void)brood__os_exit_hook_set(&some);
    SwitchToFiber(home);
}

static DWORD WINAPI leave_a_fiber(void *fiber)
{
    void *home = ConvertThreadToFiber(NULL);

    *(void **)fiber = CreateFiber(0, set_hook_on_fiber, home);
    SwitchToFiber(*(void **)fiber);
    ConvertFiberToThread();
    return 0;
}

/* A program may call brood on fibres of its own. When another thread deletes
 * one, that thread does not end. */
static void deleting_a_fiber_ends_no_other_thread(void)
{
    void *fiber = NULL;
    HANDLE thread;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_exit_hook(on_exit_of_thread));
    brood__store(&g_ended, 0, relaxed);
    thread = CreateThread(NULL, 0, leave_a_fiber, &fiber, 0, NULL);
    CU_ASSERT_FATAL(thread != NULL);
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
    CU_ASSERT_FATAL(fiber != NULL);
    DeleteFiber(fiber);
    CU_ASSERT_EQUAL(brood__load(&g_ended, relaxed), 0);
}

static void pinning_is_harmless_anywhere(void)
{
    brood__os_pin_library();
    brood__os_pin_library();
}

static void what_is_no_function_is_not_found(void)
{
    CU_ASSERT(brood__optional("kernel32.dll", "GetTickCount64") != NULL);
    CU_ASSERT(brood__optional("kernel32.dll", "NoSuchFunction") == NULL);
    CU_ASSERT(brood__optional("no-such-module.dll", "GetTickCount64") == NULL);
}

static void milliseconds_are_rounded_up(void)
{
    CU_ASSERT_EQUAL(brood__milliseconds(-1), INFINITE);
    CU_ASSERT_EQUAL(brood__milliseconds(0), 0);
    CU_ASSERT_EQUAL(brood__milliseconds(1), 1);
    CU_ASSERT_EQUAL(brood__milliseconds(1000000), 1);
    CU_ASSERT_EQUAL(brood__milliseconds(1000001), 2);
    CU_ASSERT_EQUAL(brood__milliseconds(INT64_MAX), INT32_MAX);
}

static const test_t tests[] = {
    TEST(names_are_unicode),
    TEST(long_names_are_cut_between_characters),
    TEST(deleting_a_fiber_ends_no_other_thread),
    TEST(pinning_is_harmless_anywhere),
    TEST(what_is_no_function_is_not_found),
    TEST(milliseconds_are_rounded_up),
};
HARNESS_MAIN_BARE("thread_win32", tests)
