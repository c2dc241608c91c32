/* SPDX-License-Identifier: Apache-2.0 */

/* test_process.c: tasks in worker processes, when all goes well. */

#include "process/tasks.h"

static void a_result_comes_back(void)
{
    brood_process_manager_t *m = process_manager(NULL);

    process_expect(m, "echo", "hello", "hello");
    process_expect(m, "echo_twice", "hello", "hello");
    process_expect(m, "empty", "hello", "");
    process_stop(m);
}

static void a_payload_of_any_size_is_the_same_behind(void)
{
    static const size_t sizes[] = { 0,       1,       79,     80,
                                    81,      4096,    4097,   100000,
                                    1 << 20, 1048577, 5000000 };
    brood_process_manager_t *m = process_manager(NULL);
    size_t i, k;

    for (i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
        const size_t size = sizes[i / 2];
        unsigned char *bytes = malloc(size + 1);
        brood_future_t *future = NULL;
        void *value = NULL;

        for (k = 0; k < size; k++)
            bytes[k] = (unsigned char)(k * 31 + i);
        ASSERT_STATUS_FATAL(
            APR_SUCCESS,
            brood_process_manager_submit(
                &future, m, i % 2 ? "echo" : "echo_twice", bytes, size, NULL));
        ASSERT_STATUS(APR_SUCCESS, brood_future_get(future, &value, -1));
        CU_ASSERT_EQUAL_FATAL(brood_buffer_size(value), size);
        if (size)
            CU_ASSERT_EQUAL(memcmp(brood_buffer_data(value), bytes, size), 0);
        (void)brood_future_release(future);
        free(bytes);
    }
    process_stop(m);
}

static void many_tasks_all_end(void)
{
    enum { N = 20000 };
    brood_process_manager_t *m = process_manager(NULL);
    brood_future_t **futures = calloc(N, sizeof(*futures));
    int i, wrong = 0;

    for (i = 0; i < N; i++)
        if (brood_process_manager_submit(&futures[i], m, "echo", &i, sizeof(i),
                                         NULL)
            != APR_SUCCESS)
            wrong++;
    for (i = 0; i < N; i++) {
        void *value = NULL;

        if (brood_future_get(futures[i], &value, -1) != APR_SUCCESS
            || brood_buffer_size(value) != sizeof(i)
            || memcmp(brood_buffer_data(value), &i, sizeof(i)) != 0)
            wrong++;
        (void)brood_future_release(futures[i]);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    free(futures);
    process_stop(m);
}

static const test_t tests[] = {
    TEST_KEEPS(a_result_comes_back, KEEPS_MEMORY),
    TEST_KEEPS(a_payload_of_any_size_is_the_same_behind, KEEPS_MEMORY),
    TEST_KEEPS(many_tasks_all_end, KEEPS_MEMORY), /* of futures */
};

PROCESS_MAIN("process", tests)
