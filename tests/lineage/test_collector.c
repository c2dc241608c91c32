/* SPDX-License-Identifier: Apache-2.0 */

/* test_collector.c: chores are done by one thread, in order, later. */

#include "lineage/collector.h"

#include "lineage/fake.h"

typedef struct chore_t {
    brood__job_t job;
    int number;
} chore_t;

static int g_done[10]; /* numbers in order; the collector's until the wait */
static int g_n_done;
static int g_on_collector;
static apr_status_t g_status;
static door_t g_door;

static void note(brood__job_t *job)
{
    chore_t *chore = BROOD__CONTAINER(job, chore_t, job);

    g_done[g_n_done++] = chore->number;
    g_on_collector += brood__collector_is_self();
    brood__free(chore);
}

static void wait_at_door(brood__job_t *job)
{
    (void)job;
    door_wait(&g_door);
}

static void wait_for_itself(brood__job_t *job)
{
    (void)job;
    g_status = brood__collector_wait(-1);
}

static void make_a_child_thread(brood__job_t *job)
{
    (void)job;
    g_status = brood__self_ready();
}

static void chores_are_done_in_order_by_the_collector(void)
{
    chore_t *chore;
    int i;

    g_n_done = g_on_collector = 0;
    for (i = 0; i < 10; i++) {
        chore = brood__alloc(sizeof(*chore));
        chore->number = i;
        chore->job.fn = note;
        brood__collector_push(&chore->job);
    }
    ASSERT_STATUS(APR_SUCCESS, brood__collector_wait(-1));
    CU_ASSERT_EQUAL(g_n_done, 10);
    CU_ASSERT_EQUAL(g_on_collector, 10);
    for (i = 0; i < 10; i++)
        CU_ASSERT_EQUAL(g_done[i], i);
    CU_ASSERT(!brood__collector_is_self());
}

static void a_wait_ends_with_its_time(void)
{
    brood__job_t job = { .fn = wait_at_door };

    door_init(&g_door);
    ASSERT_STATUS(APR_SUCCESS, brood__collector_wait(0));
    brood__collector_push(&job);
    ASSERT_STATUS(APR_TIMEUP, brood__collector_wait(0));
    ASSERT_STATUS(APR_TIMEUP, brood__collector_wait(1000000));
    door_open(&g_door);
    ASSERT_STATUS(APR_SUCCESS, brood__collector_wait(-1));
    door_fini(&g_door);
}

static void a_wait_includes_what_is_owed(void)
{
    brood__collector_owe(1);
    ASSERT_STATUS(APR_TIMEUP, brood__collector_wait(0));
    brood__collector_owe(-1);
    ASSERT_STATUS(APR_SUCCESS, brood__collector_wait(0));
}

static void it_cannot_wait_for_itself(void)
{
    brood__job_t job = { .fn = wait_for_itself };

    g_status = APR_SUCCESS;
    brood__collector_push(&job);
    ASSERT_STATUS(APR_SUCCESS, brood__collector_wait(-1));
    ASSERT_STATUS(BROOD_EDEADLK, g_status);
}

static void what_it_makes_goes_when_it_ends(void)
{
    const size_t before = brood__node_count();
    brood__job_t job = { .fn = make_a_child_thread };

    brood__collector_push(&job);
    ASSERT_STATUS(APR_SUCCESS, brood__collector_wait(-1));
    ASSERT_STATUS(APR_SUCCESS, g_status);
    CU_ASSERT_EQUAL(brood__node_count(), before + 1);
    brood__collector_stop();
    CU_ASSERT_EQUAL(brood__node_count(), before);
    brood__collector_stop(); /* harmless */
    ASSERT_STATUS(APR_SUCCESS, brood__collector_ready());
    ASSERT_STATUS(APR_SUCCESS, brood__collector_ready());
}

static void a_thread_that_cannot_be_made_is_reported(void)
{
    apr_status_t rv;

    brood__collector_stop();
    brood__fault_at(BROOD__FAULT_THREAD, 1);
    rv = brood__collector_ready();
    brood__fault_at(BROOD__FAULT_THREAD, 0);
    CU_ASSERT(rv != APR_SUCCESS);
    ASSERT_STATUS(APR_SUCCESS, brood__collector_ready());
}

static const test_t tests[] = {
    TEST(chores_are_done_in_order_by_the_collector),
    TEST(a_wait_ends_with_its_time),
    TEST(a_wait_includes_what_is_owed),
    TEST(it_cannot_wait_for_itself),
    TEST(what_it_makes_goes_when_it_ends),
    TEST(a_thread_that_cannot_be_made_is_reported),
};
HARNESS_MAIN_WARM("collector", tests, warm_up)
