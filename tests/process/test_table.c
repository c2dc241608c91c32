/* SPDX-License-Identifier: Apache-2.0 */

/* test_table.c: a table of functions that makes no sense ends the program with a
 * message, before anything is started. */

#include <brood/process.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/support.h"

#define MOST 1024 /* functions of one program */

static apr_status_t nothing(const void *in, size_t len, brood_buffer_t **out)
{
    return (void)in, (void)len, (void)out, APR_SUCCESS;
}

static brood_process_entry_t g_table[MOST + 2];
static char g_names[MOST + 1][8];

static void fill(int n)
{
    int i;

    memset(g_table, 0, sizeof(g_table));
    for (i = 0; i < n; i++) {
        (void)snprintf(g_names[i], sizeof(g_names[i]), "f%d", i);
        g_table[i].name = g_names[i];
        g_table[i].fn = nothing;
    }
}

/* As the first line of main(). It returns, where the table is right. */
static int begin(void *unused)
{
    const char *argv[] = { "program", NULL };

    (void)unused;
    brood_process_main(1, argv, g_table);
    return 0;
}

/* What it says before it ends; or nothing, and it goes on. */
static void expect(const char *message)
{
    char said[200];
    const int code = test_in_child_said(begin, NULL, said, sizeof(said));

    CU_ASSERT_EQUAL(code == 0, *message == '\0');
    if (platform_forks())
        CU_ASSERT_EQUAL(code, *message ? EXIT_FAILURE : 0);
    CU_ASSERT_EQUAL(strncmp(said, message, strlen(message)), 0);
}

static void a_right_table_is_taken(void)
{
    fill(0);
    expect("");
    fill(MOST);
    expect("");
}

static void one_that_is_too_long_is_not(void)
{
    fill(MOST + 1);
    expect("brood_process_main: more than 1024 functions, from"
           " 'f1024'");
}

static void every_name_has_a_function(void)
{
    fill(5);
    g_table[3].fn = NULL;
    expect("brood_process_main: no function for 'f3'");
}

static void every_name_is_there_once(void)
{
    fill(5);
    g_table[4].name = "f1";
    expect("brood_process_main: two functions that cannot be told"
           " apart: 'f1'");
}

/* Nothing is looked at but what is there. */
static void no_arguments_are_no_worker(void)
{
    static const char *const one[] = { "program", NULL };
    static const char *const other[] = { "program", "--brood", NULL };

    fill(1);
    brood_process_main(0, NULL, g_table);
    brood_process_main(2, NULL, g_table);
    brood_process_main(0, one, g_table);
    brood_process_main(2, one, g_table);
    brood_process_main(2, other, g_table);
    brood_process_main(1, one, NULL);
    CU_PASS("they return");
}

static const test_t tests[] = {
    TEST(a_right_table_is_taken),     TEST(one_that_is_too_long_is_not),
    TEST(every_name_has_a_function),  TEST(every_name_is_there_once),
    TEST(no_arguments_are_no_worker),
};
HARNESS_MAIN_BARE("table", tests)
