/* SPDX-License-Identifier: Apache-2.0 */

/* test_attack_unix.c: tasks that fork, become another program, or use up all
 * descriptors. */

#include "process/attack.h"

#include <unistd.h>

/* ---- in the worker ---------------------------------------------------------- */

/* Both come back. */
static apr_status_t fork_twice(const void *in, size_t len, brood_buffer_t **out)
{
    return fork() < 0 ? APR_EGENERAL : brood_buffer_copy(out, in, len);
}

static apr_status_t become_another(const void *in, size_t len,
                                   brood_buffer_t **out)
{
    (void)in;
    (void)len;
    (void)out;
    (void)execl("/bin/sleep", "sleep", "1000", (char *)NULL);
    return APR_EGENERAL;
}

static apr_status_t use_up_descriptors(const void *in, size_t len,
                                       brood_buffer_t **out)
{
    while (dup(0) >= 0)
        ;
    return brood_buffer_copy(out, in, len);
}

static apr_status_t die(const void *in, size_t len, brood_buffer_t **out)
{
    (void)in;
    (void)len;
    (void)out;
    _exit(9);
}

static const brood_process_entry_t table[] = {
    { "echo", task_echo },
    { "fork_twice", fork_twice },
    { "become_another", become_another },
    { "use_up_descriptors", use_up_descriptors },
    { "die", die },
    { NULL, NULL },
};

/* ---- in the host ------------------------------------------------------------ */

/* The forked one is none of ours, and must not answer for the other. */
static void who_forks_and_returns_twice_answers_once(void)
{
    brood_process_manager_t *m = workers(1);
    int i;

    for (i = 0; i < 20; i++) {
        process_expect(m, "fork_twice", "x", "x");
        process_expect(m, "echo", "y", "y");
    }
    expect_all(m);
    process_stop(m);
}

static void who_becomes_another_program_has_died(void)
{
    brood_process_manager_t *m = workers(1);

    ASSERT_STATUS(BROOD_EWORKERDIED,
                  process_end(process_submit(m, "become_another", "")));
    expect_all(m);
    process_stop(m);
}

/* A large result needs a descriptor there; its failure is that task's. */
static void a_worker_without_descriptors_says_so(void)
{
    brood_process_manager_t *m = workers(1);
    brood_future_t *future = NULL;
    char *bytes = calloc(1, LARGE);

    process_expect(m, "use_up_descriptors", "x", "x");
    process_expect(m, "echo", "y", "y");
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_submit(
                                   &future, m, "echo", bytes, LARGE, NULL));
    CU_ASSERT_NOT_EQUAL(process_end(future), APR_SUCCESS);
    process_expect(m, "echo", "z", "z");
    ASSERT_STATUS(BROOD_EWORKERDIED, process_end(process_submit(m, "die", "")));
    expect_all(m);
    free(bytes);
    process_stop(m);
}

static const test_t tests[] = {
    TEST_KEEPS(who_forks_and_returns_twice_answers_once, KEEPS_MEMORY),
    TEST_KEEPS(who_becomes_another_program_has_died, KEEPS_MEMORY),
    TEST_KEEPS(a_worker_without_descriptors_says_so, KEEPS_MEMORY),
};

PROCESS_MAIN_TABLE("attack_unix", tests, table)
