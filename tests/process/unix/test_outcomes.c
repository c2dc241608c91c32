/* SPDX-License-Identifier: Apache-2.0 */

/* test_outcomes.c: what a task can end with can be told apart; and workers that
 * have workers. */

#include "process/tasks.h"

#include <signal.h>
#include <unistd.h>

/* ---- in the worker ---------------------------------------------------------- */

static apr_status_t echo(const void *in, size_t len, brood_buffer_t **out)
{
    return brood_buffer_copy(out, in, len);
}

static apr_status_t leave(const void *in, size_t len, brood_buffer_t **out)
{
    (void)len;
    (void)out;
    _exit(*(const unsigned char *)in);
}

static apr_status_t die(const void *in, size_t len, brood_buffer_t **out)
{
    const int number = *(const unsigned char *)in;

    (void)len;
    (void)out;
    (void)signal(number, SIG_DFL); /* sanitizers catch some */
    if (number == SIGABRT)
        abort();
    (void)raise(number);
    return APR_SUCCESS;
}

static apr_status_t wait_for_end(const void *in, size_t len,
                                 brood_buffer_t **out)
{
    (void)in;
    (void)len;
    (void)out;
    while (!brood_task_canceled())
        (void)usleep(500);
    return BROOD_ECANCELED;
}

static apr_status_t flood(const void *in, size_t len, brood_buffer_t **out)
{
    (void)in;
    (void)len;
    return brood_buffer_make(out, 5001);
}

static apr_status_t lineage(const void *in, size_t len, brood_buffer_t **out)
{
    brood_process_id_t chain[16];
    apr_size_t n = brood_process_lineage(chain, 16);

    (void)in;
    (void)len;
    return brood_buffer_copy(out, chain, n * sizeof(chain[0]));
}

/* The same, of a worker of this worker. */
static apr_status_t nested(const void *in, size_t len, brood_buffer_t **out)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;
    brood_future_t *future = NULL;
    void *value = NULL;
    apr_status_t rv;

    o.max_workers = 1;
    o.start_method = *(const unsigned char *)in;
    rv = brood_process_manager_get(&m, "mine", 0);
    if (rv == APR_SUCCESS)
        rv = brood_process_manager_start(m, &o);
    if (rv == APR_SUCCESS)
        rv = brood_process_manager_submit(&future, m, "lineage", in, len, NULL);
    if (rv == APR_SUCCESS)
        rv = brood_future_get(future, &value, -1);
    if (rv == APR_SUCCESS)
        rv = brood_buffer_copy(out, brood_buffer_data(value),
                               brood_buffer_size(value));
    (void)brood_future_release(future);
    (void)brood_process_manager_stop(m, BROOD_STOP_DRAIN, -1);
    return rv;
}

static const brood_process_entry_t table[] = {
    { "echo", echo },     { "leave", leave },
    { "die", die },       { "wait_for_end", wait_for_end },
    { "flood", flood },   { "lineage", lineage },
    { "nested", nested }, { NULL, NULL },
};

/* ---- in the host ------------------------------------------------------------ */

static brood_process_manager_t *one_worker(void)
{
    brood_process_manager_options_t o = OPTIONS;

    o.max_workers = 1;
    o.restart_backoff = 1;
    o.crash_limit = -1;
    o.payload_limit = 5000;
    return process_manager(&o);
}

static void every_end_can_be_told_apart(void)
{
    enum { NONE = -2 }; /* nothing is known of an end */
    static const struct {
        const char *function;
        unsigned char in;
        apr_status_t status;
        int code, number;
    } rows[] = {
        { "leave", 0, BROOD_EWORKERDIED, 0, 0 },
        { "leave", 1, BROOD_EWORKERDIED, 1, 0 },
        { "leave", 255, BROOD_EWORKERDIED, 255, 0 },
        { "die", SIGABRT, BROOD_EWORKERDIED, -1, SIGABRT },
        { "die", SIGSEGV, BROOD_EWORKERDIED, -1, SIGSEGV },
        /* That is how the system takes memory back. */
        { "die", SIGKILL, BROOD_EWORKERDIED, -1, SIGKILL },
        { "flood", 0, BROOD_ETOOBIG, NONE, 0 },
        { "echo", 0, APR_SUCCESS, NONE, 0 },
    };
    brood_process_manager_t *m = one_worker();
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        brood_future_t *future = NULL;
        int code = NONE, number = 0;
        apr_status_t rv;

        ASSERT_STATUS_FATAL(APR_SUCCESS, brood_process_manager_submit(
                                             &future, m, rows[i].function,
                                             &rows[i].in, 1, NULL));
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
    brood_future_t *future = process_submit(m, "wait_for_end", "");

    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(future));
    ASSERT_STATUS(BROOD_ECANCELED, process_end(future));
    timed.run_timeout = 1000;
    ASSERT_STATUS(BROOD_EOVERRUN, process_end(process_submit_with(
                                      m, "wait_for_end", "", &timed)));
    process_stop(m);
}

static void a_worker_of_a_worker_knows_its_line(void)
{
    unsigned char method;

    for (method = 0; method < 2; method++) {
        brood_process_manager_t *m = one_worker();
        brood_process_id_t chain[3];
        brood_future_t *future = NULL;
        void *value = NULL;

        ASSERT_STATUS_FATAL(APR_SUCCESS,
                            brood_process_manager_submit(&future, m, "nested",
                                                         &method, 1, NULL));
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

PROCESS_MAIN_TABLE("outcomes", tests, table)
