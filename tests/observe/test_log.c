/* SPDX-License-Identifier: Apache-2.0 */

/* test_log.c: lines, and failures that nobody read. */

#include "observe/log.h"

#include <brood/errors.h>

#include <stdio.h>
#include <string.h>

#include "support/support.h"

static struct {
    int level;
    char line[1100];
    int n;
    apr_status_t status;
    const char *name;
} g_told;

static void note_line(int level, const char *line, void *baton)
{
    g_told.level = level;
    strncpy(g_told.line, line, sizeof(g_told.line) - 1);
    *(int *)baton += 1;
}

static void note_failure(apr_status_t status, const char *name, void *baton)
{
    g_told.status = status;
    g_told.name = name;
    *(int *)baton += 1;
}

static void log_again(int level, const char *line, void *baton)
{
    (void)line;
    if ((*(int *)baton)++ == 0)
        brood__log(level, "again");
}

static void a_line_goes_to_the_hook(void)
{
    int n = 0;

    brood_log_hook_set(note_line, &n);
    brood__log(BROOD_LOG_INFO, "%d of %s", 7, "nine");
    CU_ASSERT_EQUAL(g_told.level, BROOD_LOG_INFO);
    CU_ASSERT_STRING_EQUAL(g_told.line, "7 of nine");
    CU_ASSERT_EQUAL(n, 1);
    brood_log_hook_set(NULL, NULL);
}

static void a_line_is_one_line_and_cut_to_fit(void)
{
    char text[3000];
    int n = 0;

    brood_log_hook_set(note_line, &n);
    brood__log(BROOD_LOG_ERROR, "%s", "a\nb\tc\x1b[0m\x7f \xc3\xa9");
    CU_ASSERT_STRING_EQUAL(g_told.line, "a?b?c?[0m? \xc3\xa9");
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    brood__log(BROOD_LOG_ERROR, "%s", text);
    CU_ASSERT_EQUAL(strlen(g_told.line), 1023);
    brood_log_hook_set(NULL, NULL);
}

static void a_hook_may_log(void)
{
    int n = 0;

    brood_log_hook_set(log_again, &n);
    brood__log(BROOD_LOG_ERROR, "first");
    CU_ASSERT_EQUAL(n, 2);
    brood_log_hook_set(NULL, NULL);
}

static void speak_at_all_levels(void)
{
    brood__log(BROOD_LOG_ERROR, "a");
    brood__log(BROOD_LOG_WARNING, "b");
    brood__log(BROOD_LOG_INFO, "c");
}

static void report_two(void)
{
    brood__unobserved(BROOD_ECANCELED, "render");
    brood__unobserved(BROOD_EFULL, NULL);
}

static void without_a_hook_lines_go_to_standard_error(void)
{
    CU_ASSERT_STRING_EQUAL(platform_standard_error(speak_at_all_levels),
                           "brood: error: a\n"
                           "brood: warning: b\n"
                           "brood: info: c\n");
}

static void an_unread_failure_goes_to_its_hook_or_to_the_log(void)
{
    const char *text;
    int n = 0;

    brood_unobserved_hook_set(note_failure, &n);
    brood__unobserved(APR_EGENERAL, "render");
    CU_ASSERT_EQUAL(n, 1);
    CU_ASSERT_EQUAL(g_told.status, APR_EGENERAL);
    CU_ASSERT_STRING_EQUAL(g_told.name, "render");
    brood_unobserved_hook_set(NULL, NULL);
    text = platform_standard_error(report_two);
    CU_ASSERT(strstr(text, "brood: warning: task render failed and nobody read"
                           " it: The task was canceled (")
              != NULL);
    CU_ASSERT(strstr(text, "task without a name failed") != NULL);
}

static void add_up(int level, const char *line, void *total)
{
    unsigned long long n = 1;

    (void)level;
    g_told.n++;
    (void)sscanf(line, "%llu more", &n);
    *(unsigned long long *)total += n;
}

/* Each is in the log, by itself or in a count. */
static void many_unread_failures_have_few_lines(void)
{
    unsigned long long total = 0;
    unsigned i;

    g_told.n = 0;
    brood__unobserved_rest();
    brood_log_hook_set(add_up, &total);
    for (i = 0; i < 100000; i++)
        brood__unobserved(APR_EGENERAL, "server");
    CU_ASSERT(g_told.n < 10000);
    brood__unobserved_rest();
    brood__unobserved_rest(); /* nothing */
    CU_ASSERT(total == 100000);
    brood_log_hook_set(NULL, NULL);
}

static const test_t tests[] = {
    TEST(a_line_goes_to_the_hook),
    TEST(a_line_is_one_line_and_cut_to_fit),
    TEST(a_hook_may_log),
    TEST(without_a_hook_lines_go_to_standard_error),
    TEST(an_unread_failure_goes_to_its_hook_or_to_the_log),
    TEST(many_unread_failures_have_few_lines),
};
HARNESS_MAIN_BARE("log", tests)
