/* SPDX-License-Identifier: Apache-2.0 */

/* test_prometheus.c: every manager's counters as text that Prometheus reads. */

#include <brood/errors.h>
#include <brood/init.h>
#include <brood/loop_manager.h>
#include <brood/process_manager.h>
#include <brood/observe.h>
#include <brood/thread_manager.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "lineage/collector.h"
#include "support/support.h"

static char g_text[200000];
static size_t g_len;
static int g_pieces;

static apr_status_t keep(const char *text, apr_size_t len, void *baton)
{
    (void)baton;
    if (g_len + len >= sizeof(g_text))
        return APR_ENOSPC;
    memcpy(g_text + g_len, text, len);
    g_len += len;
    g_text[g_len] = '\0';
    g_pieces++;
    return APR_SUCCESS;
}

static apr_status_t refuse(const char *text, apr_size_t len, void *calls)
{
    (void)text;
    (void)len;
    ++*(int *)calls;
    return APR_ENOSPC;
}

static apr_status_t read_all(void)
{
    g_len = 0;
    g_pieces = 0;
    g_text[0] = '\0';
    return brood_observe_prometheus(keep, NULL);
}

static apr_status_t do_nothing(void *baton, void **result)
{
    (void)baton;
    (void)result;
    return APR_SUCCESS;
}

static void leave(void)
{
    brood__self_exit();
    ASSERT_STATUS(APR_SUCCESS, brood__collector_wait(-1));
}

/* Lines that begin with `start`. */
static int lines(const char *start)
{
    const size_t len = strlen(start);
    const char *at = g_text;
    int n = 0;

    while (at && *at) {
        n += strncmp(at, start, len) == 0;
        at = strchr(at, '\n');
        if (at)
            at++;
    }
    return n;
}

static void without_managers_there_are_only_heads(void)
{
    leave();
    ASSERT_STATUS(APR_SUCCESS, read_all());
    CU_ASSERT_EQUAL(lines("# HELP "), 16);
    CU_ASSERT_EQUAL(lines("# TYPE "), 16);
    CU_ASSERT_EQUAL(lines("brood_"), 0);
    ASSERT_STATUS(APR_EINVAL, brood_observe_prometheus(NULL, NULL));
}

static void labels_are_escaped_and_managers_told_apart(void)
{
    brood_thread_manager_t *threads;
    brood_loop_manager_t *loop;
    brood_process_manager_t *processes;

    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_get(&threads, "a\"b\\c\nd", 0));
    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_manager_get(&threads, "a\"b\\c\nd",
                                           BROOD_GET_FORCE_CREATE));
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_get(&threads, NULL, 0));
    ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_get(&loop, "", 0));
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_get(&processes, "p", 0));
    ASSERT_STATUS(APR_SUCCESS, read_all());
    CU_ASSERT_EQUAL(lines("brood_manager_threads{manager=\""), 5);
    CU_ASSERT_EQUAL(lines("brood_manager_"), 5 * (14 + 2 * 34));
    CU_ASSERT(strstr(g_text, ",kind=\"process\",owner=\"") != NULL);
    CU_ASSERT(strstr(g_text, ",id=\"a\\\"b\\\\c\\nd\"} 0\n") != NULL);
    CU_ASSERT(strstr(g_text, ",kind=\"loop\",owner=\"") != NULL);
    CU_ASSERT(strstr(g_text, ",id=\"\"} 0\n") != NULL);
    CU_ASSERT(strstr(g_text, ",le=\"0.000001\"} 0\n") != NULL);
    CU_ASSERT(strstr(g_text, ",le=\"1073.741824\"} 0\n") != NULL);
    CU_ASSERT(strstr(g_text, ",le=\"+Inf\"} 0\n") != NULL);
    CU_ASSERT(g_pieces > 1);
    leave();
}

static void counters_are_those_of_stats(void)
{
    brood_thread_manager_t *threads;
    brood_future_t *future = NULL;
    char want[100];
    const char *at;
    int i;

    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_get(&threads, "t", 0));
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_start(threads, NULL));
    for (i = 0; i < 7; i++) {
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_submit(&future, threads, do_nothing,
                                                  NULL, NULL));
        ASSERT_STATUS(APR_SUCCESS, brood_future_wait(future, -1));
        brood_future_release(future);
    }
    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_wait_idle(threads, -1));
    ASSERT_STATUS(APR_SUCCESS, read_all());
    snprintf(want, sizeof(want), "kind=\"thread\",owner=\"%d\",id=\"t\"} 7\n",
             (int)brood_thread_manager_owner_serial(threads));
    at = strstr(g_text, "brood_manager_tasks_completed_total{");
    CU_ASSERT(at && strstr(at, want) && strstr(at, want) - at < 60);
    leave();
}

static void a_refusing_writer_is_not_asked_again(void)
{
    brood_thread_manager_t *threads;
    int calls = 0;

    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_get(&threads, "t", 0));
    ASSERT_STATUS(APR_ENOSPC, brood_observe_prometheus(refuse, &calls));
    CU_ASSERT_EQUAL(calls, 1);
    leave();
}

static void without_memory_nothing_is_written(void)
{
    brood_thread_manager_t *threads;
    brood_loop_manager_t *loop;
    apr_status_t rv;
    unsigned n = 0;

    ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_get(&threads, "t", 0));
    ASSERT_STATUS(APR_SUCCESS, brood_loop_manager_get(&loop, "l", 0));
    do {
        brood__fault_at(BROOD__FAULT_MEMORY, ++n);
        rv = read_all();
        if (rv != APR_SUCCESS) {
            ASSERT_STATUS(APR_ENOMEM, rv);
            CU_ASSERT_EQUAL(g_len, 0);
        }
    } while (rv != APR_SUCCESS && n < 50);
    brood__fault_at(BROOD__FAULT_MEMORY, 0);
    CU_ASSERT_EQUAL(n, 7); /* the text, two lists, two managers, none */
    leave();
}

static void warm_up(void)
{
    (void)brood__collector_ready();
}

static const test_t tests[] = {
    TEST(without_managers_there_are_only_heads),
    TEST(labels_are_escaped_and_managers_told_apart),
    TEST_KEEPS(counters_are_those_of_stats, KEEPS_MEMORY | KEEPS_DESCRIPTORS),
    TEST(a_refusing_writer_is_not_asked_again),
    TEST(without_memory_nothing_is_written),
};
HARNESS_MAIN_WARM("prometheus", tests, warm_up)
