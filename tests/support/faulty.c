/* SPDX-License-Identifier: Apache-2.0 */

/* faulty.c: tests that must not pass. harness-fails runs them one by one. */

#include "support/support.h"

#include <apr_file_io.h>

#include <stdlib.h>

#include "base/alloc.h"

static void *g_lost;
static apr_pool_t *g_pool;
static pthread_t g_thread;
static int g_waits; /* g_thread does */
static door_t g_door;

static void *wait_for_the_door(void *door)
{
    door_wait(door);
    return NULL;
}

static void asserts_what_is_false(void)
{
    CU_ASSERT_EQUAL(1, 2);
}

static void gets_another_status(void)
{
    ASSERT_STATUS(APR_SUCCESS, APR_EINVAL);
}

static void leaves_memory(void)
{
    g_lost = brood__alloc(1);
}

static void leaves_a_thread(void)
{
    door_init(&g_door);
    g_waits = !pthread_create(&g_thread, NULL, wait_for_the_door, &g_door);
}

static void leaves_descriptors(void)
{
    apr_file_t *ends[2];

    apr_pool_create(&g_pool, NULL); /* is not cleared with the test */
    ASSERT_STATUS(APR_SUCCESS,
                  apr_file_pipe_create(&ends[0], &ends[1], g_pool));
}

static void hangs(void)
{
    door_t door;

    door_init(&door);
    door_wait(&door);
}

static void crashes(void)
{
    abort();
}

static void passes(void)
{
    CU_ASSERT(1);
}

static void is_skipped(void)
{
    TEST_SKIP("to show how it looks");
}

static const test_t tests[] = {
    TEST(asserts_what_is_false),
    TEST(gets_another_status),
    TEST(leaves_memory),
    TEST(leaves_a_thread),
    TEST(leaves_descriptors),
    TEST(hangs),
    TEST(crashes),
    TEST(passes),
    TEST(is_skipped),
};

/* Sanitizers are not to report what is lost on purpose. */
static void take_back(void)
{
    brood__free(g_lost);
    if (g_waits) {
        door_open(&g_door);
        pthread_join(g_thread, NULL);
    }
    apr_terminate();
}

HARNESS__MAIN("faulty", tests, apr_initialize, take_back, NULL)
