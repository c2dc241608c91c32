/* SPDX-License-Identifier: Apache-2.0 */

/* test_process_faults.c: the world refuses: memory, descriptors, processes. */

#include "process/tasks.h"

#include <stdio.h>

#include "base/fault.h"
#include "os/process.h"

static brood_process_manager_t *the_manager(void)
{
    brood_process_manager_t *m = NULL;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_process_manager_get(&m, NULL, 0));
    return m;
}

/* Whether or not there is a process descriptor. */
static void expect_exit_code(brood_process_manager_t *m)
{
    brood_future_t *future = process_submit(m, "exit", "7");
    int code = 0, number = 0;

    ASSERT_STATUS(BROOD_EWORKERDIED, brood_future_get(future, NULL, -1));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_future_worker_exit(future, &code, &number));
    CU_ASSERT_EQUAL(code, 7);
    (void)brood_future_release(future);
}

/* A failed start leaves a manager that can be started. */
static void every_start_may_fail_without_a_trace(void)
{
    static const brood__fault_e kinds[] = { BROOD__FAULT_MEMORY,
                                            BROOD__FAULT_DESCRIPTOR,
                                            BROOD__FAULT_PROCESS };
    static const apr_status_t statuses[] = { APR_ENOMEM, APR_EMFILE,
                                             APR_EAGAIN };
    brood_process_manager_t *m = the_manager();
    brood_process_manager_options_t o = OPTIONS;
    apr_size_t i;

    o.max_workers = 1;
    o.initializer = "echo";
    o.initializer_data = "x";
    o.initializer_size = 1;
    o.crash_limit = -1;
    o.restart_backoff = 1;
    for (i = 0; i < 3; i++) {
        unsigned n = 0, failed = 0;
        int pending;

        o.start_method = test_variant;
        do {
            apr_status_t rv;

            brood__fault_at(kinds[i], ++n);
            rv = brood_process_manager_start(m, &o);
            pending = brood__fault_pending(kinds[i]);
            brood__fault_at(kinds[i], 0);
            failed += rv != APR_SUCCESS;
            if (rv != APR_SUCCESS) {
                ASSERT_STATUS(statuses[i], rv);
            } else {
                expect_exit_code(m);
                process_expect(m, "echo", "x", "x");
                process_stop(m);
            }
        } while (!pending && n < 100);
        CU_ASSERT(n > 1 && n < 100);
        CU_ASSERT(failed > 0);
    }
}

/* The task may be refused, or accepted; then it ends, and nothing is lost. */
static void every_submit_may_fail_without_a_trace(void)
{
    static const size_t sizes[] = { 0, 80, 5000, 2000000 };
    static const brood__fault_e kinds[] = { BROOD__FAULT_MEMORY,
                                            BROOD__FAULT_DESCRIPTOR };
    brood_process_manager_t *m = process_manager(NULL);
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;
    char *bytes = calloc(1, 2000000);
    apr_size_t i;

    options.queue_timeout = 60000000;
    for (i = 0; i < 16; i++) {
        unsigned n = 0;
        int pending;

        do {
            brood_future_t *future = NULL;
            apr_status_t rv;

            brood__fault_at(kinds[i % 2], ++n);
            rv = brood_process_manager_submit(&future, m, "echo", bytes,
                                              sizes[i / 4],
                                              i & 2 ? &options : NULL);
            pending = brood__fault_pending(kinds[i % 2]);
            if (rv == APR_SUCCESS)
                rv = process_end(future);
            else
                CU_ASSERT_PTR_NULL(future);
            pending = pending && brood__fault_pending(kinds[i % 2]);
            brood__fault_at(kinds[i % 2], 0);
            CU_ASSERT(rv == APR_SUCCESS || rv == APR_ENOMEM
                      || rv == APR_EMFILE);
        } while (!pending && n < 50);
        CU_ASSERT(n < 50);
    }
    free(bytes);
    process_stop(m);
}

static void why_a_worker_cannot_be_started_is_logged(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;
    char text[100];

    if (test_variant)
        TEST_SKIP("a fork server's faults are its own");
    o.max_workers = 1;
    o.restart_backoff = 1;
    o.crash_limit = 3;
    m = process_manager(&o);
    process_listen();
    brood__fault_all(BROOD__FAULT_PROCESS); /* the worker is there already */
    ASSERT_STATUS(BROOD_EWORKERDIED,
                  process_end(process_submit(m, "exit", "1")));
    (void)brood_process_manager_submit(NULL, m, "echo", "x", 1, NULL);
    process_heard(brood_strerror(APR_EAGAIN, text, sizeof(text)));
    brood__fault_at(BROOD__FAULT_PROCESS, 0);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_process_manager_stop(m, BROOD_STOP_DRAIN, -1));
}

/* The start, and what takes a block of its own, are told; the rest goes on. */
static void a_full_table_is_told(void)
{
    brood_process_manager_t *m = the_manager();
    brood_future_t *future = NULL;
    char *bytes = calloc(1, 2000000);

    brood__fault_all(BROOD__FAULT_DESCRIPTOR);
    ASSERT_STATUS(APR_EMFILE, brood_process_manager_start(m, NULL));
    brood__fault_at(BROOD__FAULT_DESCRIPTOR, 0);
    m = process_manager(NULL);
    process_expect(m, "echo", "x", "x");
    brood__fault_all(BROOD__FAULT_DESCRIPTOR);
    ASSERT_STATUS(APR_EMFILE, brood_process_manager_submit(
                                  &future, m, "echo", bytes, 2000000, NULL));
    CU_ASSERT_PTR_NULL(future);
    process_expect(m, "echo", "y", "y");
    brood__fault_at(BROOD__FAULT_DESCRIPTOR, 0);
    ASSERT_STATUS(APR_SUCCESS,
                  process_end(process_submit(m, "flood", "2000000")));
    free(bytes);
    process_stop(m);
}

static void a_full_table_of_the_workers_is_told(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;

    o.max_workers = 1;
    o.restart_backoff = 1;
    m = process_manager(&o);
    ASSERT_STATUS(APR_SUCCESS,
                  process_end(process_submit(m, "no_descriptors", NULL)));
    ASSERT_STATUS(APR_EMFILE,
                  process_end(process_submit(m, "flood", "2000000")));
    process_expect(m, "echo", "x", "x");
    ASSERT_STATUS(BROOD_EWORKERDIED,
                  process_end(process_submit(m, "exit", "1")));
    ASSERT_STATUS(APR_SUCCESS,
                  process_end(process_submit(m, "flood", "2000000")));
    process_stop(m);
}

/* Then its block is still on the way, in front of the next one's, which is not
 * under the same number: the worker has opened something in between. */
static void a_large_result_that_cannot_be_read_harms_no_other(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;
    unsigned n = 0, failed = 0;
    file_door_t door;
    apr_status_t rv;
    char go[220];
    int pending, i;

    o.max_workers = 1;
    m = process_manager(&o);
    file_door_init(&door, "armed");
    (void)snprintf(go, sizeof(go), "%s.go", door.path);
    do { /* the result is not there before its reading is to fail */
        brood_future_t *before = process_submit(m, "hold", door.path);
        brood_future_t *future = process_submit(m, "flood", "2000000");

        brood__fault_at(BROOD__FAULT_MEMORY, ++n);
        file_door_open(go);
        rv = process_end(future);
        pending = brood__fault_pending(BROOD__FAULT_MEMORY);
        brood__fault_at(BROOD__FAULT_MEMORY, 0);
        ASSERT_STATUS(APR_SUCCESS, process_end(before));
        file_door_fini(&door);
        CU_ASSERT(rv == APR_SUCCESS || rv == APR_ENOMEM);
        failed += rv == APR_ENOMEM;
        for (i = 0; i < 5; i++)
            ASSERT_STATUS(APR_SUCCESS, process_end(process_submit(
                                           m, i < 4 ? "empty" : "keep", "")));
        ASSERT_STATUS(APR_SUCCESS,
                      process_end(process_submit(m, "flood", "2000000")));
    } while (!pending && n < 50);
    CU_ASSERT(failed > 0 && n < 50);
    process_stop(m);
}

/* What takes a block of its own fails alone, until it finds all it asks for. */
static void a_worker_without_memory_tells_it(void)
{
    brood_process_manager_options_t o = OPTIONS;
    unsigned n = 0, failed = 0;
    apr_status_t large, next;
    brood_process_manager_t *m;
    char text[24];

    o.max_workers = 1;
    m = process_manager(&o);
    do {
        (void)snprintf(text, sizeof(text), "%u", ++n);
        large = process_end(process_submit(m, "flood_without", text));
        next = process_end(process_submit(m, "empty", NULL));
        CU_ASSERT(large == APR_SUCCESS || large == APR_ENOMEM);
        CU_ASSERT(next == APR_SUCCESS || next == APR_ENOMEM);
        failed += large == APR_ENOMEM;
    } while ((large == APR_ENOMEM || next == APR_SUCCESS) && n < 20);
    CU_ASSERT(failed > 0 && n < 20);
    ASSERT_STATUS(APR_SUCCESS,
                  process_end(process_submit(m, "flood_without", "0")));
    process_expect(m, "echo", "x", "x");
    process_stop(m);
}

/* No process descriptors: the end of the channel tells of a death. */
static void deaths_are_seen_without_process_descriptors(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;
    int i;

    if (!brood__os_can_fork())
        TEST_SKIP("a process can always be watched");
    o.max_workers = 1;
    o.restart_backoff = 1;
    o.crash_limit = -1;
    for (i = 0; i < 3; i++) {
        brood__fault_at(BROOD__FAULT_PIDFD, 1);
        m = process_manager(&o);
        CU_ASSERT_FALSE(brood__fault_pending(BROOD__FAULT_PIDFD));
        expect_exit_code(m);
        process_expect(m, "echo", "x", "x");
        process_stop(m);
    }
}

static const test_t tests[] = {
    TEST_KEEPS(every_start_may_fail_without_a_trace, KEEPS_MEMORY),
    TEST_KEEPS(every_submit_may_fail_without_a_trace, KEEPS_MEMORY),
    TEST_KEEPS(why_a_worker_cannot_be_started_is_logged, KEEPS_MEMORY),
    TEST_KEEPS(a_full_table_is_told, KEEPS_MEMORY),
    TEST_KEEPS(a_full_table_of_the_workers_is_told, KEEPS_MEMORY),
    TEST_KEEPS(a_large_result_that_cannot_be_read_harms_no_other, KEEPS_MEMORY),
    TEST_KEEPS(a_worker_without_memory_tells_it, KEEPS_MEMORY),
    TEST_KEEPS(deaths_are_seen_without_process_descriptors, KEEPS_MEMORY),
};

PROCESS_MAIN("process_faults", tests)
