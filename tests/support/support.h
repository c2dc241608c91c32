/* SPDX-License-Identifier: Apache-2.0 */

/*
 * support.h: the test harness. CUnit runs the tests, Automake reads TAP.
 *
 * A test program is one table and one line:
 *
 *     static void closed_and_empty_pops_null(void)
 *     {
 *         ...
 *     }
 *
 *     static const test_t tests[] = {
 *         TEST(closed_and_empty_pops_null),
 *         TEST_KEEPS(a_service_starts_once, KEEPS_THREADS),
 *     };
 *     HARNESS_MAIN("queue", tests)
 *
 * The function's name is the sentence that is printed. Each test gets a pool
 * of its own, may take BROOD_TEST_TIMEOUT seconds (60), and must leave memory,
 * threads and descriptors as it found them.
 *
 * Assert on the main thread only: CUnit is not thread-safe. Other threads
 * record what they see in atomics or futures, and the test asserts afterwards.
 * Never sleep to wait for another thread: use a door (door.h) or WAIT_UNTIL.
 */

#ifndef BROOD_TESTS_SUPPORT_H
#define BROOD_TESTS_SUPPORT_H

#ifdef NDEBUG
#error "the tests need their assertions: do not define NDEBUG"
#endif

#include <CUnit/CUnit.h>

#include <apr_errno.h>
#include <apr_general.h>
#include <apr_pools.h>

#include "support/door.h"
#include "support/platform.h"

/* What a test may leave behind, because it starts a service of the process. */
#define KEEPS_MEMORY      1u
#define KEEPS_THREADS     2u
#define KEEPS_DESCRIPTORS 4u
#define KEEPS_ALL         7u

typedef struct test_t {
    const char *name;
    void (*run)(void);
    unsigned keeps;
    int variant; /* the harness' */
} test_t;

#define TEST(fn) TEST_KEEPS(fn, 0)
#define TEST_KEEPS(fn, what)                                                   \
    {                                                                          \
        .name = #fn, .run = fn, .keeps = what                                  \
    }

/* How a program starts and ends. */
typedef struct harness_t {
    const char *name; /* of the suite */
    const test_t *tests;
    unsigned n_tests;
    apr_status_t (*start)(void); /* once, before the first test */
    void (*end)(void);           /* once, after the last one */
    void (*warm_up)(void);       /* makes what stays until the end, or NULL */
    const char *variant; /* all tests are run once more, with this behind their
                            names and test_variant set; or NULL */
} harness_t;

extern int test_variant; /* 1 in the second run */

int harness_main(const harness_t *harness, int argc, const char *const *argv);

#define HARNESS__MAIN(name, tests, start, end, warm_up)                        \
    int main(int argc, char **argv)                                            \
    {                                                                          \
        static const harness_t harness = {                                     \
            name,    tests, sizeof(tests) / sizeof((tests)[0]), start, end,    \
            warm_up, NULL                                                      \
        };                                                                     \
        return harness_main(&harness, argc, (const char *const *)argv);        \
    }

/* The usual program: between brood_initialize() and brood_terminate(). Include
 * <brood/init.h> for it. */
#define HARNESS_MAIN(name, tests)                                              \
    HARNESS__MAIN(name, tests, brood_initialize, brood_terminate, NULL)

/* The same, with a function that makes what outlives single tests, so that the
 * first test is not blamed for it. */
#define HARNESS_MAIN_WARM(name, tests, warm_up)                                \
    HARNESS__MAIN(name, tests, brood_initialize, brood_terminate, warm_up)

/* For the lowest floors, and for tests that initialise by themselves. */
#define HARNESS_MAIN_BARE(name, tests)                                         \
    HARNESS__MAIN(name, tests, apr_initialize, apr_terminate, NULL)

/* The running test's own pool; cleared after it. */
extern apr_pool_t *test_pool;

/* End the running test as skipped. Returns from the calling function. */
#define TEST_SKIP(reason)                                                      \
    do {                                                                       \
        test_skip(reason);                                                     \
        return;                                                                \
    } while (0)
void test_skip(const char *reason);

/* Compare statuses, and print their texts when they differ. The FATAL form
 * ends the test. */
#define ASSERT_STATUS(expected, expr)                                          \
    test_status((expected), (expr), #expr, __FILE__, __LINE__, CU_FALSE)
#define ASSERT_STATUS_FATAL(expected, expr)                                    \
    test_status((expected), (expr), #expr, __FILE__, __LINE__, CU_TRUE)
void test_status(apr_status_t expected, apr_status_t actual, const char *expr,
                 const char *file, unsigned line, CU_BOOL fatal);

/* For states that no door announces. The time limit of the test ends it. */
#define WAIT_UNTIL(condition)                                                  \
    do {                                                                       \
        unsigned rounds_ = 0;                                                  \
        while (!(condition))                                                   \
            test_pause(rounds_++);                                             \
    } while (0)
void test_pause(unsigned rounds);

/* `usual` rounds, times what the environment variable BROOD_STRESS says. */
unsigned test_rounds(unsigned usual);

/* Run `fn` in a child with a time limit. Returns its result (0 to 127), or one
 * of CHILD_* (platform.h). The second form keeps what it says on standard
 * error. */
int test_in_child(int (*fn)(void *baton), void *baton);
int test_in_child_said(int (*fn)(void *baton), void *baton, char *said,
                       size_t size);

/* For tests of what happens to a copy of this process. */
#define TEST_NEEDS_FORK()                                                      \
    do {                                                                       \
        if (!platform_forks())                                                 \
            TEST_SKIP("no process is a copy of another here");                 \
    } while (0)

#endif /* BROOD_TESTS_SUPPORT_H */
