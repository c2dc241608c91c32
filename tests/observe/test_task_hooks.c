/* SPDX-License-Identifier: Apache-2.0 */

/* test_task_hooks.c: functions around each task, and who is told of them. */

#include "observe/task_hooks.h"

#include <string.h>

#include "base/compiler.h"
#include "support/support.h"

static char g_text[100];
static int g_told;   /* calls of the listener */
static int g_is_on;  /* what it was told last */
static int g_second; /* calls of another one */

static void before(const char *name, void *baton)
{
    strcat(strcat(strcat(g_text, "<"), baton), name ? name : "-");
}

static void after(const char *name, void *baton)
{
    (void)baton;
    strcat(strcat(g_text, name ? name : "-"), ">");
}

static void changed(int on)
{
    g_told++;
    g_is_on = on;
}

static void changed_too(int on)
{
    (void)on;
    g_second++;
}

static void run_task(const char *name)
{
    unsigned hooked = brood__task_hook_before(name);

    strcat(g_text, ".");
    brood__task_hook_after(hooked, name);
}

static void hooks_run_around_a_task(void)
{
    char baton[] = "b";

    g_text[0] = '\0';
    run_task("x");
    CU_ASSERT_STRING_EQUAL(g_text, ".");
    brood_task_hooks_set(before, after, baton);
    run_task("x");
    run_task(NULL);
    brood_task_hooks_set(NULL, after, NULL);
    run_task("y");
    brood_task_hooks_set(NULL, NULL, NULL);
    run_task("z");
    CU_ASSERT_STRING_EQUAL(g_text, ".<bx.x><b-.->.y>.");
}

/* No half of a pair is told to others than the other half. */
static void hooks_that_change_meanwhile_see_no_half(void)
{
    static const struct {
        brood_task_hook_fn *before, *after;
    } rows[] = { { before, after }, { NULL, NULL }, { before, NULL } };
    char baton[] = "";
    unsigned i, k, hooked;

    for (i = 0; i < 3; i++)
        for (k = 0; k < 3; k++) {
            brood_task_hooks_set(rows[i].before, rows[i].after, baton);
            hooked = brood__task_hook_before("x");
            brood_task_hooks_set(rows[k].before, rows[k].after, baton);
            g_text[0] = '\0';
            brood__task_hook_after(hooked, "x");
            CU_ASSERT_STRING_EQUAL(g_text, "");
        }
    brood_task_hooks_set(NULL, NULL, NULL);
}

static void listeners_are_told_of_changes(void)
{
    brood__task_hooks_listen(changed);
    brood__task_hooks_listen(changed_too);
    brood__task_hooks_listen(changed); /* once is enough */
    CU_ASSERT(!brood__task_hooks_on());
    brood_task_hooks_set(before, NULL, NULL);
    CU_ASSERT(brood__task_hooks_on());
    CU_ASSERT_EQUAL(g_told, 1);
    CU_ASSERT_EQUAL(g_second, 1);
    CU_ASSERT(g_is_on);
    brood_task_hooks_set(NULL, NULL, NULL);
    CU_ASSERT(!brood__task_hooks_on());
    CU_ASSERT_EQUAL(g_told, 2);
    CU_ASSERT(!g_is_on);
}

static const test_t tests[] = {
    TEST(hooks_run_around_a_task),
    TEST(hooks_that_change_meanwhile_see_no_half),
    TEST(listeners_are_told_of_changes),
};
HARNESS_MAIN_BARE("task hooks", tests)
