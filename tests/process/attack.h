/* SPDX-License-Identifier: Apache-2.0 */

/* attack.h: what the tests share whose tasks attack their worker. */

#ifndef BROOD_TESTS_PROCESS_ATTACK_H
#define BROOD_TESTS_PROCESS_ATTACK_H

#include "process/tasks.h"

enum { LARGE = 2000000 };

static inline brood_process_manager_t *workers(int n)
{
    brood_process_manager_options_t o = OPTIONS;

    o.max_workers = o.min_workers = n;
    o.restart_backoff = 1;
    o.crash_limit = -1;
    o.grace = 1000;
    return process_manager(&o);
}

static inline void kill_and_stop(brood_process_manager_t *m)
{
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_kill(m));
    process_stop(m);
}

/* More bytes than fit into the rings. */
static inline void expect_large(brood_process_manager_t *m)
{
    brood_future_t *future = NULL;
    char *bytes = malloc(LARGE);
    void *value = NULL;

    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    memset(bytes, 'x', LARGE);
    ASSERT_STATUS_FATAL(
        APR_SUCCESS,
        brood_process_manager_submit(&future, m, "echo", bytes, LARGE, NULL));
    ASSERT_STATUS(APR_SUCCESS, brood_future_get(future, &value, -1));
    CU_ASSERT_EQUAL_FATAL(brood_buffer_size(value), LARGE);
    CU_ASSERT_EQUAL(memcmp(brood_buffer_data(value), bytes, LARGE), 0);
    (void)brood_future_release(future);
    free(bytes);
}

static inline void expect_all(brood_process_manager_t *m)
{
    int i;

    for (i = 0; i < 200; i++)
        process_expect(m, "echo", "x", "x");
    expect_large(m);
}

#endif /* BROOD_TESTS_PROCESS_ATTACK_H */
