/* SPDX-License-Identifier: Apache-2.0 */

/* test_cross.c: process futures elsewhere: coroutines, notices, contexts,
 * transactions, modules. */

#include "process/tasks.h"

#include <stdio.h>
#include <unistd.h>

#include <apr_file_io.h>

#include "base/atomic.h"
#include "base/fault.h"
#include "os/process.h"
#include "process/server.h"
#include "process/tasks_platform.h"
#include "process/wire.h"

static brood_loop_manager_t *g_loop;
static brood_thread_manager_t *g_threads;
static brood_context_key_t *g_language, *g_private, *g_tone, *g_ours;

/* ---- variables that cross ----------------------------------------------------- */

static apr_status_t encode(void *value, brood_buffer_t **bytes)
{
    const char *text = value;

    if (strcmp(text, "refuses") == 0)
        return APR_EGENERAL;
    return brood_buffer_copy(bytes, text, strlen(text) + 1);
}

static apr_status_t decode(const void *bytes, apr_size_t len, void **value)
{
    if (strncmp(bytes, "broken", len) == 0)
        return APR_EINVAL;
    *value = malloc(len);
    if (!*value)
        return APR_ENOMEM;
    memcpy(*value, bytes, len);
    return APR_SUCCESS;
}

static apr_status_t make_keys(const void *in, size_t len, brood_buffer_t **out)
{
    apr_status_t rv = brood_context_key_make(&g_language, "language");

    (void)in;
    (void)len;
    (void)out;
    if (rv == APR_SUCCESS)
        rv = brood_context_key_make(&g_private, "private");
    if (rv == APR_SUCCESS)
        rv = brood_context_key_cross(g_language, encode, decode, free);
    if (rv == APR_SUCCESS)
        rv = brood_context_key_make(&g_tone, "tone");
    if (rv == APR_SUCCESS)
        rv = brood_context_key_cross(g_tone, encode, decode, free);
    return rv;
}

static apr_status_t tone(const void *in, size_t len, brood_buffer_t **out)
{
    const char *value = brood_context_get(g_tone);

    (void)in;
    (void)len;
    return value ? brood_buffer_copy(out, value, strlen(value)) : APR_SUCCESS;
}

static apr_status_t language(const void *in, size_t len, brood_buffer_t **out)
{
    const char *value = brood_context_get(g_language);
    brood_buffer_t *all = NULL;
    apr_status_t rv;

    if (brood_context_get(g_private) || brood_transaction_id())
        return APR_EGENERAL; /* these never cross */
    value = value ? value : "none";
    rv = brood_buffer_make(&all, len + strlen(value));
    if (rv == APR_SUCCESS) {
        if (len)
            memcpy(brood_buffer_data(all), in, len);
        memcpy((char *)brood_buffer_data(all) + len, value, strlen(value));
    }
    *out = all;
    return rv;
}

static const brood_process_entry_t g_table[] = {
    { "echo", task_echo },      { "language", language }, { "tone", tone },
    { "make_keys", make_keys }, { NULL, NULL },
};

static brood_process_manager_t *with_keys(void)
{
    brood_process_manager_options_t o = OPTIONS;

    o.max_workers = 1;
    o.initializer = "make_keys";
    return process_manager(&o);
}

static void only_variables_with_a_codec_cross(void)
{
    brood_process_manager_t *m = with_keys();
    char big[2000];

    process_expect(m, "language", "", "none");
    (void)brood_context_set(g_language, (void *)(uintptr_t) "german", NULL);
    (void)brood_context_set(g_private, (void *)(uintptr_t) "mine", NULL);
    process_expect(m, "language", "", "german");
    process_expect(m, "language", "x=", "x=german");
    memset(big, 'b', sizeof(big));
    memcpy(big + sizeof(big) - 7, "german", 7);
    {
        char in[sizeof(big)];

        memcpy(in, big, sizeof(in));
        in[sizeof(in) - 7] = '\0';
        process_expect(m, "language", in, big);
    }
    (void)brood_context_set(g_language, NULL, NULL);
    (void)brood_context_set(g_private, NULL, NULL);
    process_expect(m, "language", "", "none");
    process_stop(m);
}

static void a_codec_that_fails_is_told(void)
{
    brood_process_manager_t *m = with_keys();
    brood_future_t *future;

    (void)brood_context_set(g_language, (void *)(uintptr_t) "refuses", NULL);
    ASSERT_STATUS(APR_EGENERAL, brood_process_manager_submit(
                                    &future, m, "language", "", 0, NULL));
    (void)brood_context_set(g_language, (void *)(uintptr_t) "broken", NULL);
    ASSERT_STATUS(APR_EINVAL, process_end(process_submit(m, "language", "")));
    (void)brood_context_set(g_language, NULL, NULL);
    ASSERT_STATUS(BROOD_EALREADY,
                  brood_context_key_cross(g_language, encode, decode, free));
    ASSERT_STATUS(APR_EINVAL,
                  brood_context_key_cross(g_private, NULL, decode, free));
    process_stop(m);
}

/* Each by its name; one that the worker does not know is left out. */
static void several_cross_together(void)
{
    static const char *const values[] = { "soft", "loud and clear" };
    brood_process_manager_t *m = with_keys();
    int i;

    for (i = 0; i < 2; i++) {
        (void)brood_context_set(g_language, (void *)(uintptr_t) "german", NULL);
        (void)brood_context_set(g_ours, (void *)(uintptr_t) "unknown", NULL);
        (void)brood_context_set(g_tone, (void *)(uintptr_t)values[i], NULL);
        process_expect(m, "language", "x=", "x=german");
        process_expect(m, "tone", "", values[i]);
        (void)brood_context_set(g_language, NULL, NULL);
        process_expect(m, "language", "", "none");
        process_expect(m, "tone", "", values[i]);
    }
    (void)brood_context_set(g_tone, NULL, NULL);
    (void)brood_context_set(g_ours, NULL, NULL);
    process_stop(m);
}

/* One by one, and together. */
static void too_much_does_not_cross(void)
{
    enum { HALF = 600000, ALL = 1100000 };
    brood_process_manager_t *m = with_keys();
    brood_future_t *future = (brood_future_t *)(void *)&m;
    char *text = calloc(1, ALL + 1);

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memset(text, 'x', ALL);
    (void)brood_context_set(g_tone, text, NULL);
    ASSERT_STATUS(BROOD_ETOOBIG, brood_process_manager_submit(
                                     &future, m, "echo", "", 0, NULL));
    CU_ASSERT_PTR_NULL(future);
    text[HALF] = '\0';
    process_expect(m, "echo", "it fits", "it fits");
    (void)brood_context_set(g_language, text, NULL);
    ASSERT_STATUS(BROOD_ETOOBIG, brood_process_manager_submit(
                                     &future, m, "echo", "", 0, NULL));
    (void)brood_context_set(g_language, NULL, NULL);
    (void)brood_context_set(g_tone, NULL, NULL);
    process_expect(m, "echo", "x", "x");
    free(text);
    process_stop(m);
}

/* In the parent, with two that cross; and then none of their bytes is left. */
static void a_lack_of_memory_keeps_them_here(void)
{
    brood_process_manager_t *m = with_keys();
    unsigned n = 0, failed = 0;
    int pending;

    (void)brood_context_set(g_language, (void *)(uintptr_t) "german", NULL);
    (void)brood_context_set(g_tone, (void *)(uintptr_t) "soft", NULL);
    do {
        brood_future_t *future = NULL;
        apr_status_t rv;

        brood__fault_at(BROOD__FAULT_MEMORY, ++n);
        rv = brood_process_manager_submit(&future, m, "tone", "", 0, NULL);
        pending = brood__fault_pending(BROOD__FAULT_MEMORY);
        brood__fault_at(BROOD__FAULT_MEMORY, 0);
        failed += rv == APR_ENOMEM;
        if (future) /* its result may have been read before that */
            rv = process_end(future);
        CU_ASSERT(rv == APR_SUCCESS || rv == APR_ENOMEM);
    } while (!pending && n < 50);
    CU_ASSERT(failed >= 4 && n < 50); /* two values, twice, at least */
    (void)brood_context_set(g_language, NULL, NULL);
    (void)brood_context_set(g_tone, NULL, NULL);
    process_stop(m);
}

static void a_task_inside_a_transaction_is_outside_of_it(void)
{
    brood_process_manager_t *m = with_keys();
    brood_transaction_t *tx = NULL;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_transaction_begin(&tx, NULL));
    process_expect(m, "language", "", "none");
    ASSERT_STATUS(APR_SUCCESS, brood_transaction_end(tx, APR_SUCCESS));
    process_stop(m);
}

/* ---- elsewhere ------------------------------------------------------------------ */

static apr_status_t await_one(void *m, void **result)
{
    brood_future_t *future = process_submit(m, "echo", "awaited");
    void *value = NULL;
    apr_status_t rv = brood_await(future, &value);

    (void)result;
    if (rv == APR_SUCCESS
        && (brood_buffer_size(value) != 7
            || memcmp(brood_buffer_data(value), "awaited", 7) != 0))
        rv = APR_EGENERAL;
    (void)brood_future_release(future);
    return rv;
}

static void coroutines_await_processes(void)
{
    enum { N = 100 };
    brood_process_manager_t *m = with_keys();
    brood_future_t *futures[N];
    int i;

    for (i = 0; i < N; i++)
        ASSERT_STATUS_FATAL(
            APR_SUCCESS,
            brood_loop_manager_submit(&futures[i], g_loop, await_one, m, NULL));
    for (i = 0; i < N; i++)
        ASSERT_STATUS(APR_SUCCESS, process_end(futures[i]));
    process_stop(m);
}

static void threads_of_a_manager_wait_for_processes(void)
{
    enum { N = 100 };
    brood_process_manager_t *m = with_keys();
    brood_future_t *futures[N];
    int i;

    for (i = 0; i < N; i++)
        ASSERT_STATUS_FATAL(APR_SUCCESS,
                            brood_thread_manager_submit(&futures[i], g_threads,
                                                        await_one, m, NULL));
    for (i = 0; i < N; i++)
        ASSERT_STATUS(APR_SUCCESS, process_end(futures[i]));
    process_stop(m);
}

static apr_status_t stop_it(void *m, void **result)
{
    (void)result;
    return brood_process_manager_stop(m, BROOD_STOP_DRAIN, -1);
}

static void a_coroutine_may_stop_a_manager(void)
{
    brood_process_manager_t *m = with_keys();
    brood_future_t *future, *task = process_submit(m, "echo", "x");

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_loop_manager_submit(
                                         &future, g_loop, stop_it, m, NULL));
    ASSERT_STATUS(APR_SUCCESS, process_end(future));
    ASSERT_STATUS(APR_SUCCESS, brood_future_result(task, NULL));
    (void)brood_future_release(task);
}

static atomic_uint g_told;

static void told(brood_future_t *future, void *baton)
{
    if (brood_future_result(future, NULL) == APR_SUCCESS)
        brood__add((atomic_uint *)baton, 1, relaxed);
}

static void notices_come_from_processes(void)
{
    enum { N = 200 };
    brood_process_manager_t *m = with_keys();
    brood_target_t target = BROOD_TARGET_INIT;
    brood_future_t *futures[N];
    int i;

    brood__store(&g_told, 0, relaxed);
    target.loop = g_loop;
    for (i = 0; i < N; i++) {
        futures[i] = process_submit(m, "echo", "x");
        ASSERT_STATUS(APR_SUCCESS,
                      brood_future_notify(futures[i], &target, told, &g_told));
    }
    WAIT_UNTIL(brood__load(&g_told, relaxed) == N);
    for (i = 0; i < N; i++)
        (void)brood_future_release(futures[i]);
    process_stop(m);
}

static void a_set_is_waited_for(void)
{
    brood_process_manager_t *m = with_keys();
    brood_future_t *futures[3];
    apr_size_t i;

    for (i = 0; i < 3; i++)
        futures[i] = process_submit(m, "echo", "x");
    ASSERT_STATUS(APR_SUCCESS, brood_future_wait_any(futures, 3, &i, -1));
    CU_ASSERT_TRUE(i < 3);
    ASSERT_STATUS(APR_SUCCESS, brood_future_wait_all(futures, 3, -1));
    for (i = 0; i < 3; i++)
        (void)brood_future_release(futures[i]);
    process_stop(m);
}

/* ---- modules ---------------------------------------------------------------------- */

static const char *built(const char *name)
{
    static char path[600];
    const char *folder = getenv("BROOD_BUILDDIR");
    char here[500];

    if (!folder)
        folder = getcwd(here, sizeof(here));
    (void)snprintf(path, sizeof(path), "%s/%s", folder ? folder : "", name);
    return path;
}

static brood_process_manager_t *with_module(const char *module)
{
    static char helper[600];
    brood_process_manager_options_t o = OPTIONS;

    (void)snprintf(helper, sizeof(helper), "%s", built(process_helper));
    brood__helper_path = helper;
    o.max_workers = 1;
    o.module = module;
    o.restart_backoff = 1;
    o.crash_limit = 2;
    return process_manager(&o);
}

static void a_module_is_loaded_by_the_helper(void)
{
    brood_process_manager_t *m;
    char module[600];

    (void)snprintf(module, sizeof(module), "%s", built(process_module));
    if (access(module, F_OK) != 0)
        TEST_SKIP("shared libraries are not built");
    m = with_module(module);
    process_expect(m, "shout", "hello", "HELLO");
    ASSERT_STATUS(BROOD_ENOFUNC, process_end(process_submit(m, "echo", "")));
    process_stop(m);
}

/* A path with a blank, a quotation mark, and letters beyond ASCII. */
static void a_module_may_be_called_anything(void)
{
    char module[600], copy[300];
    brood_process_manager_t *m;
    file_door_t door;

    (void)snprintf(module, sizeof(module), "%s", built(process_module));
    if (access(module, F_OK) != 0)
        TEST_SKIP("shared libraries are not built");
    file_door_init(&door, "m\xc3\xb6"
                          "d \xe5\xad\x90 's");
    (void)snprintf(copy, sizeof(copy), "%s%s", door.path,
                   strrchr(process_module, '.'));
    ASSERT_STATUS_FATAL(
        APR_SUCCESS,
        apr_file_copy(module, copy, APR_FILE_SOURCE_PERMS, test_pool));
    m = with_module(copy);
    process_expect(m, "shout", "hello", "HELLO");
    process_stop(m);
    ASSERT_STATUS(APR_SUCCESS, apr_file_remove(copy, test_pool));
}

static void a_module_that_is_not_there_is_a_crash_loop(void)
{
    brood_process_manager_t *m = with_module("no-such-module.so");
    brood_future_t *future = NULL;

    if (brood_process_manager_submit(&future, m, "shout", "x", 1, NULL)
        == APR_SUCCESS)
        ASSERT_STATUS(BROOD_ECRASHLOOP, process_end(future));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_process_manager_stop(m, BROOD_STOP_DRAIN, -1));
}

/* Another program under the helper's name: its functions are not ours. */
static void a_worker_of_another_program_is_a_mismatch(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;
    brood_future_t *future = NULL;
    const uint64_t hash = brood__table.hash;

    o.max_workers = 1;
    brood__table.hash = hash + 1;
    m = process_manager(&o);
    if (brood_process_manager_submit(&future, m, "echo", "x", 1, NULL)
        == APR_SUCCESS)
        ASSERT_STATUS(BROOD_EMISMATCH, process_end(future));
    WAIT_UNTIL(!brood_process_manager_is_running(m));
    ASSERT_STATUS(BROOD_EMISMATCH, brood_process_manager_submit(
                                       &future, m, "echo", "x", 1, NULL));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_process_manager_stop(m, BROOD_STOP_DRAIN, -1));
    brood__table.hash = hash;
    m = process_manager(&o);
    process_expect(m, "echo", "x", "x");
    process_stop(m);
}

static void warm_up(void)
{
    brood_transaction_t *tx;

    process_warm_up();
    if (make_keys(NULL, 0, NULL) != APR_SUCCESS
        || brood_context_key_make(&g_ours, "ours") != APR_SUCCESS
        || brood_context_key_cross(g_ours, encode, decode, free) != APR_SUCCESS
        || brood_loop_manager_get(&g_loop, NULL, 0) != APR_SUCCESS
        || brood_loop_manager_start(g_loop, NULL) != APR_SUCCESS
        || brood_thread_manager_get(&g_threads, NULL, 0) != APR_SUCCESS
        || brood_thread_manager_start(g_threads, NULL) != APR_SUCCESS
        || brood_transaction_begin(&tx, NULL) != APR_SUCCESS
        || brood_transaction_end(tx, APR_SUCCESS) != APR_SUCCESS)
        abort();
}

static const test_t tests[] = {
    TEST_KEEPS(only_variables_with_a_codec_cross, KEEPS_MEMORY),
    TEST_KEEPS(a_codec_that_fails_is_told, KEEPS_MEMORY),
    TEST_KEEPS(several_cross_together, KEEPS_MEMORY),
    TEST_KEEPS(too_much_does_not_cross, KEEPS_MEMORY),
    TEST_KEEPS(a_lack_of_memory_keeps_them_here, KEEPS_MEMORY),
    TEST_KEEPS(a_task_inside_a_transaction_is_outside_of_it, KEEPS_ALL),
    TEST_KEEPS(coroutines_await_processes, KEEPS_ALL),
    TEST_KEEPS(threads_of_a_manager_wait_for_processes, KEEPS_ALL),
    TEST_KEEPS(a_coroutine_may_stop_a_manager, KEEPS_ALL),
    TEST_KEEPS(notices_come_from_processes, KEEPS_MEMORY),
    TEST_KEEPS(a_set_is_waited_for, KEEPS_MEMORY),
    TEST_KEEPS(a_module_is_loaded_by_the_helper, KEEPS_MEMORY),
    TEST_KEEPS(a_module_may_be_called_anything, KEEPS_MEMORY),
    TEST_KEEPS(a_module_that_is_not_there_is_a_crash_loop, KEEPS_MEMORY),
    TEST_KEEPS(a_worker_of_another_program_is_a_mismatch, KEEPS_MEMORY),
};

int main(int argc, char **argv)
{
    brood_process_main(argc, (const char *const *)argv, g_table);
    return process_tests("cross", tests, sizeof(tests) / sizeof(tests[0]),
                         warm_up, argc, argv);
}
