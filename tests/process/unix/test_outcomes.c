/* SPDX-License-Identifier: Apache-2.0 */

/* test_outcomes.c: what a task can end with can be told apart; and workers that
 * have workers. */

#include "process/tasks.h"

#include <signal.h>
#include <unistd.h>

static brood_process_manager_t *one_worker(void)
{
    brood_process_manager_options_t o = OPTIONS;

    o.max_workers = 1;
    o.restart_backoff = 1;
    o.crash_limit = -1;
    o.payload_limit = 5000;
    return process_manager(&o);
}

#define TEXT(x)   #x
#define NUMBER(x) TEXT(x)

static void every_end_can_be_told_apart(void)
{
    enum { NONE = -2 }; /* nothing is known of an end */
    static const struct {
        const char *function, *in;
        apr_status_t status;
        int code, number;
    } rows[] = {
        { "exit", "0", BROOD_EWORKERDIED, 0, 0 },
        { "exit", "1", BROOD_EWORKERDIED, 1, 0 },
        { "exit", "255", BROOD_EWORKERDIED, 255, 0 },
        { "raise", NUMBER(SIGABRT), BROOD_EWORKERDIED, -1, SIGABRT },
        { "raise", NUMBER(SIGSEGV), BROOD_EWORKERDIED, -1, SIGSEGV },
        /* That is how the system takes memory back. */
        { "raise", NUMBER(SIGKILL), BROOD_EWORKERDIED, -1, SIGKILL },
        { "flood", "5001", BROOD_ETOOBIG, NONE, 0 },
        { "echo", "x", APR_SUCCESS, NONE, 0 },
    };
    brood_process_manager_t *m = one_worker();
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        brood_future_t *future = process_submit(m, rows[i].function,
                                                rows[i].in);
        int code = NONE, number = 0;
        apr_status_t rv;

        ASSERT_STATUS(rows[i].status, brood_future_get(future, NULL, -1));
        rv = brood_future_worker_exit(future, &code, &number);
        ASSERT_STATUS(rows[i].code == NONE ? BROOD_ENOTFOUND : APR_SUCCESS, rv);
        CU_ASSERT_EQUAL(code, rows[i].code);
        CU_ASSERT_EQUAL(number, rows[i].number);
        (void)brood_future_release(future);
    }
    process_stop(m);
}

static void what_is_refused_is_told_at_once(void)
{
    brood_process_manager_t *m = one_worker();
    brood_future_t *future = NULL;
    char bytes[5001] = "";

    ASSERT_STATUS(BROOD_ENOFUNC, brood_process_manager_submit(
                                     &future, m, "unknown", "", 0, NULL));
    ASSERT_STATUS(BROOD_ETOOBIG, brood_process_manager_submit(
                                     &future, m, "echo", bytes, 5001, NULL));
    CU_ASSERT_PTR_NULL(future);
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_submit(&future, m, "echo",
                                                            bytes, 5000, NULL));
    ASSERT_STATUS(APR_SUCCESS, process_end(future));
    process_stop(m);
}

/* Both are asked to end in the same way; one of them by the clock. */
static void a_cancel_is_no_overrun(void)
{
    brood_process_manager_t *m = one_worker();
    brood_task_options_t timed = BROOD_TASK_OPTIONS_INIT;
    brood_future_t *future = process_submit(m, "obey", "");

    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(future));
    ASSERT_STATUS(BROOD_ECANCELED, process_end(future));
    timed.run_timeout = 1000;
    ASSERT_STATUS(BROOD_EOVERRUN,
                  process_end(process_submit_with(m, "obey", "", &timed)));
    process_stop(m);
}

static void a_worker_of_a_worker_knows_its_line(void)
{
    static const char *const methods[] = { "0", "1" }; /* BROOD_START_* */
    int i;

    for (i = 0; i < 2; i++) {
        brood_process_manager_t *m = one_worker();
        brood_process_id_t chain[3];
        brood_future_t *future = process_submit(m, "nested", methods[i]);
        void *value = NULL;

        ASSERT_STATUS(APR_SUCCESS, brood_future_get(future, &value, -1));
        CU_ASSERT_EQUAL_FATAL(brood_buffer_size(value), sizeof(chain));
        memcpy(chain, brood_buffer_data(value), sizeof(chain));
        CU_ASSERT_EQUAL(chain[2].pid, (uint64_t)getpid());
        CU_ASSERT_EQUAL(chain[2].serial, 0);
        CU_ASSERT_NOT_EQUAL(chain[1].serial, 0);
        CU_ASSERT_NOT_EQUAL(chain[0].serial, 0);
        CU_ASSERT_NOT_EQUAL(chain[0].pid, chain[1].pid);
        CU_ASSERT_NOT_EQUAL(chain[1].pid, chain[2].pid);
        (void)brood_future_release(future);
        process_stop(m);
    }
}

static const test_t tests[] = {
    TEST_KEEPS(every_end_can_be_told_apart, KEEPS_MEMORY),
    TEST_KEEPS(what_is_refused_is_told_at_once, KEEPS_MEMORY),
    TEST_KEEPS(a_cancel_is_no_overrun, KEEPS_MEMORY),
    TEST_KEEPS(a_worker_of_a_worker_knows_its_line, KEEPS_MEMORY),
};

PROCESS_MAIN("outcomes", tests)
