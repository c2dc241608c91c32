/* SPDX-License-Identifier: Apache-2.0 */

/* support.c: CUnit inside, TAP outside. */

#include "support/support.h"

#include <brood/errors.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/leaks.h"

#define EXIT_HARNESS    99 /* Automake: the harness itself failed */
#define DEFAULT_TIMEOUT 60

apr_pool_t *test_pool;
int test_variant;

/* All for the main thread. */
static const test_t **g_running; /* the selected tests, in order */
static const test_t *g_tests;    /* all of the program's */
static unsigned g_done;          /* tests that ended */
static leaks_t g_before;
static const char *g_skipped; /* why, or NULL */
static unsigned g_timeout;

static int both(const harness_t *harness, int argc, const char *const *argv);
static unsigned select_tests(const harness_t *harness, int only, int argc,
                             const char *const *argv);
static int chosen(const test_t *test, int argc, const char *const *argv);
static void read_environment(void);
static int register_tests(const harness_t *harness, unsigned n);
static int run_tests(const harness_t *harness, unsigned n);
static void make_one_thread(void);
static void *do_nothing(void *unused);
static void begin_test(void);
static void end_test(void);
static void report_test(const CU_pTest test, const CU_pSuite suite,
                        const CU_pFailureRecord failures);
static void limit_time(const char *what);
static void print_sentence(const char *name);
static void describe(apr_status_t status, char *text, size_t len);

int harness_main(const harness_t *harness, int argc, const char *const *argv)
{
    unsigned n;
    int only, result;

    if (harness->variant)
        return both(harness, argc, argv);
    only = platform_begin();
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    if (argc == 2 && !strcmp(argv[1], "-l")) {
        for (n = 0; n < harness->n_tests; n++)
            puts(harness->tests[n].name);
        return 0;
    }

    n = select_tests(harness, only, argc, argv);
    if (!n) {
        fprintf(stderr, "usage: %s [-l | part of a test's name...]\n", argv[0]);
        return EXIT_HARNESS;
    }
    read_environment();
    result = register_tests(harness, n);
    if (!result)
        result = run_tests(harness, n);
    free(g_running);
    return result;
}

/* The tests, and the tests again, as one table. */
static int both(const harness_t *harness, int argc, const char *const *argv)
{
    const unsigned n = harness->n_tests;
    harness_t all = *harness;
    test_t *tests = calloc((size_t)2 * n, sizeof(*tests));
    char *names = calloc(n, 200), *name = names;
    int result = EXIT_HARNESS;
    unsigned i;

    for (i = 0; tests && names && i < n; i++, name += 200) {
        snprintf(name, 200, "%s_(%s)", harness->tests[i].name,
                 harness->variant);
        tests[i] = tests[n + i] = harness->tests[i];
        tests[n + i].name = name;
        tests[n + i].variant = 1;
    }
    all.tests = tests;
    all.n_tests = 2 * n;
    all.variant = NULL;
    if (tests && names)
        result = harness_main(&all, argc, argv);
    free(names);
    free(tests);
    return result;
}

void test_skip(const char *reason)
{
    g_skipped = reason;
}

void test_status(apr_status_t expected, apr_status_t actual, const char *expr,
                 const char *file, unsigned line, CU_BOOL fatal)
{
    char text[600] = "";
    char want[120];
    char got[120];

    if (actual != expected) {
        describe(expected, want, sizeof(want));
        describe(actual, got, sizeof(got));
        snprintf(text, sizeof(text), "%s: expected %s, got %s", expr, want,
                 got);
    }
    CU_assertImplementation(actual == expected, line, text, file, "", fatal);
}

void test_pause(unsigned rounds)
{
    if (rounds < 100)
        platform_yield();
    else
        platform_nap(200);
}

unsigned test_rounds(unsigned usual)
{
    const char *text = getenv("BROOD_STRESS");
    double factor = text ? strtod(text, NULL) : 1.0;
    double rounds = (double)usual * (factor > 0 ? factor : 1.0);

    return rounds < 1.0 ? 1 : rounds > 4e9 ? 4000000000u : (unsigned)rounds;
}

int test_in_child(int (*fn)(void *baton), void *baton)
{
    return platform_child(fn, baton, g_timeout ? g_timeout : DEFAULT_TIMEOUT,
                          NULL, 0);
}

int test_in_child_said(int (*fn)(void *baton), void *baton, char *said,
                       size_t size)
{
    return platform_child(fn, baton, g_timeout, said, size);
}

static unsigned select_tests(const harness_t *harness, int only, int argc,
                             const char *const *argv)
{
    unsigned n = 0;
    unsigned i;

    g_running = calloc(harness->n_tests, sizeof(*g_running));
    if (!g_running)
        return 0;
    for (i = 0; i < harness->n_tests; i++)
        if (only < 0 ? chosen(&harness->tests[i], argc, argv) : only == (int)i)
            g_running[n++] = &harness->tests[i];
    return n;
}

/* A name may be given with blanks, as it is printed. */
static int chosen(const test_t *test, int argc, const char *const *argv)
{
    char part[200];
    char *c;
    int i;

    for (i = 1; i < argc; i++) {
        snprintf(part, sizeof(part), "%s", argv[i]);
        for (c = part; *c; c++)
            if (*c == ' ')
                *c = '_';
        if (strstr(test->name, part))
            return 1;
    }
    return argc < 2;
}

static void read_environment(void)
{
    const char *text = getenv("BROOD_TEST_TIMEOUT");
    long seconds = text ? strtol(text, NULL, 10) : 0;

    g_timeout = seconds > 0 ? (unsigned)seconds : DEFAULT_TIMEOUT;
}

static int register_tests(const harness_t *harness, unsigned n)
{
    CU_pSuite suite;
    unsigned i;

    if (CU_initialize_registry() != CUE_SUCCESS)
        return EXIT_HARNESS;
    suite = CU_add_suite_with_setup_and_teardown(harness->name, NULL, NULL,
                                                 begin_test, end_test);
    for (i = 0; suite && i < n; i++)
        if (!CU_add_test(suite, g_running[i]->name, g_running[i]->run))
            suite = NULL;
    if (!suite)
        fprintf(stderr, "%s: %s\n", harness->name, CU_get_error_msg());
    return suite ? 0 : EXIT_HARNESS;
}

static int run_tests(const harness_t *harness, unsigned n)
{
    unsigned failed;

    limit_time("the start");
    if (harness->start() != APR_SUCCESS) {
        fprintf(stderr, "%s: cannot start\n", harness->name);
        return EXIT_HARNESS;
    }
    make_one_thread();
    if (harness->warm_up)
        harness->warm_up();

    g_tests = harness->tests;
    printf("1..%u\n", n);
    fflush(stdout);
    CU_set_test_complete_handler(report_test);
    CU_run_all_tests();
    failed = CU_get_number_of_tests_failed();
    CU_cleanup_registry();

    limit_time("the end");
    harness->end();
    platform_limit(0, "");
    return failed || g_done < n ? 1 : 0;
}

/* ThreadSanitizer starts a thread of its own together with the first one. It
 * is not the first test's fault. */
static void make_one_thread(void)
{
    pthread_t thread;

    if (!pthread_create(&thread, NULL, do_nothing, NULL))
        pthread_join(thread, NULL);
}

static void *do_nothing(void *unused)
{
    return unused;
}

static void begin_test(void)
{
    limit_time(g_running[g_done]->name);
    platform_test((int)(g_running[g_done] - g_tests));
    test_variant = g_running[g_done]->variant;
    g_skipped = NULL;
    leaks_count(&g_before);
    apr_pool_create(&test_pool, NULL);
}

static void end_test(void)
{
    const test_t *test = g_running[g_done];
    const unsigned patience = g_timeout / 4 + 1;
    char text[100];

    limit_time(test->name); /* the tear-down has a limit of its own */
    apr_pool_destroy(test_pool);
    test_pool = NULL;
    if (leaks_find(&g_before, test->keeps, patience, text, sizeof(text)))
        CU_assertImplementation(CU_FALSE, 0, text, test->name, "", CU_FALSE);
}

static void report_test(const CU_pTest test, const CU_pSuite suite,
                        const CU_pFailureRecord failures)
{
    CU_pFailureRecord f;

    (void)suite;
    g_done++;
    platform_limit(0, "");
    printf("%s %u - ", failures ? "not ok" : "ok", g_done);
    print_sentence(test->pName);
    if (g_skipped && !failures)
        printf(" # SKIP %s", g_skipped);
    putchar('\n');
    for (f = failures; f; f = f->pNext)
        printf("# %s:%u: %s\n", f->strFileName, f->uiLineNumber,
               f->strCondition);
    fflush(stdout); /* not everywhere does a line end do that */
}

static void limit_time(const char *what)
{
    platform_limit(g_timeout, what);
}

static void print_sentence(const char *name)
{
    for (; *name; name++)
        putchar(*name == '_' ? ' ' : *name);
}

static void describe(apr_status_t status, char *text, size_t len)
{
    char reason[80];

    if (status == APR_SUCCESS)
        snprintf(text, len, "success");
    else
        snprintf(text, len, "%d (%s)", (int)status,
                 brood_strerror(status, reason, sizeof(reason)));
}
