/* SPDX-License-Identifier: Apache-2.0 */

/* test_fork.c: a child knows that it is one, however it was made. */

#include "os/os.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/support.h"

static int ask(void *unused)
{
    (void)unused;
    return brood__os_forked();
}

static int mark_and_ask(void *unused)
{
    (void)unused;
    brood__os_fork_mark();
    return brood__os_forked();
}

static int ask_in_grandchild(void *unused)
{
    return test_in_child(ask, unused);
}

static int mark_and_ask_in_grandchild(void *unused)
{
    brood__os_fork_mark();
    return test_in_child(ask, unused);
}

static void only_children_are_forked(void)
{
    brood__os_fork_mark();
    CU_ASSERT_FALSE(brood__os_forked());
    CU_ASSERT_EQUAL(test_in_child(ask, NULL), 1);
    CU_ASSERT_FALSE(brood__os_forked());
    CU_ASSERT_EQUAL(test_in_child(ask_in_grandchild, NULL), 1);
}

static void a_child_may_begin_anew(void)
{
    brood__os_fork_mark();
    CU_ASSERT_EQUAL(test_in_child(mark_and_ask, NULL), 0);
    CU_ASSERT_EQUAL(test_in_child(mark_and_ask_in_grandchild, NULL), 1);
    CU_ASSERT_FALSE(brood__os_forked());
}

/* Without the C library's knowledge. */
static void a_raw_clone_is_found_out(void)
{
    int status = 0;
    long pid;

    brood__os_fork_mark();
    pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0)
        _exit(brood__os_forked());
    CU_ASSERT_FATAL(pid > 0);
    CU_ASSERT_EQUAL(waitpid((pid_t)pid, &status, 0), pid);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

static char g_order[16];

static void in_prepare(void)
{
    strcat(g_order, "p");
}

static void in_parent(void)
{
    strcat(g_order, "r");
}

static void in_child(void)
{
    strcat(g_order, "c");
}

static int is_child_order(void *unused)
{
    (void)unused;
    return strcmp(g_order, "pc") == 0;
}

static void handlers_run_on_both_sides(void)
{
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood__os_at_fork(in_prepare, in_parent, in_child));
    g_order[0] = '\0';
    CU_ASSERT_EQUAL(test_in_child(is_child_order, NULL), 1);
    CU_ASSERT_STRING_EQUAL(g_order, "pr");
}

static void pinning_is_harmless_anywhere(void)
{
    brood__os_pin_library();
    brood__os_pin_library();
}

static const test_t tests[] = {
    TEST(only_children_are_forked),     TEST(a_child_may_begin_anew),
    TEST(a_raw_clone_is_found_out),     TEST(handlers_run_on_both_sides),
    TEST(pinning_is_harmless_anywhere),
};
HARNESS_MAIN_BARE("fork", tests)
