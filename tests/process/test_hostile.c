/* SPDX-License-Identifier: Apache-2.0 */

/* test_hostile.c: a worker can fail its own tasks and nothing else. */

#include "process/tasks.h"

#include <stdio.h>

#include "process/result.h"
#include "process/wire.h"

static brood_process_manager_t *two_workers(void)
{
    brood_process_manager_options_t o = OPTIONS;

    o.max_workers = o.min_workers = 2;
    o.restart_backoff = 1;
    o.crash_limit = -1;
    return process_manager(&o);
}

/* Whatever the bad one writes, the good ones get what is theirs. */
static void rubbish_in_every_shared_field_fails_its_own_tasks(void)
{
    brood_process_manager_t *m = two_workers();
    unsigned round, rounds = test_rounds(40);
    char text[24];

    for (round = 0; round < rounds; round++) {
        brood_stats_t stats = BROOD_STATS_INIT;
        brood_future_t *bad;

        do /* so that the good one does not go to the bad one's worker */
            (void)brood_process_manager_stats(m, &stats);
        while (stats.idle < 2);
        (void)snprintf(text, sizeof(text), "%u", round);
        bad = process_submit(m, round % 4 == 3 ? "lie" : "scribble", text);
        process_expect(m, "echo_twice", "good", "good");
        (void)brood_process_task_kill(bad);
        (void)process_end(bad);
    }
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_kill(m));
    process_stop(m);
}

static void a_block_can_neither_shrink_nor_be_written_from_below(void)
{
    brood_process_manager_t *m = two_workers();

    ASSERT_STATUS(APR_SUCCESS, process_end(process_submit(m, "truncate", "")));
    process_stop(m);
}

static void who_closes_its_descriptors_is_replaced(void)
{
    brood_process_manager_t *m = two_workers();
    file_door_t door;

    file_door_init(&door, "closed");
    ASSERT_STATUS(BROOD_EWORKERDIED,
                  process_end(process_submit(m, "close_all", door.path)));
    process_expect(m, "echo", "next", "next");
    file_door_fini(&door);
    process_stop(m);
}

static void a_result_over_the_limit_is_too_big(void)
{
    brood_process_manager_options_t o = OPTIONS;
    brood_process_manager_t *m;

    o.max_workers = 1;
    o.payload_limit = 3000000;
    m = process_manager(&o);
    ASSERT_STATUS(APR_SUCCESS,
                  process_end(process_submit(m, "flood", "3000000")));
    ASSERT_STATUS(BROOD_ETOOBIG,
                  process_end(process_submit(m, "flood", "3000001")));
    process_expect(m, "echo", "next", "next");
    process_stop(m);
}

static void a_family_of_processes_is_killed_with_its_task(void)
{
    brood_process_manager_t *m = two_workers();
    brood_future_t *future;
    file_door_t door;

    file_door_init(&door, "family");
    future = process_submit(m, "fork_many", door.path);
    WAIT_UNTIL(file_door_is_open(door.path));
    ASSERT_STATUS(APR_SUCCESS, brood_process_task_kill(future));
    ASSERT_STATUS(BROOD_ECANCELED, process_end(future));
    file_door_fini(&door);
    process_stop(m);
}

static void what_a_worker_says_of_a_result_is_checked(void)
{
    const uint64_t arena = BROOD__WIRE_ARENA;
    const struct {
        uint64_t where;
        uint32_t size;
        uint16_t place;
        int right;
    } rows[] = {
        { 0, 80, BROOD__WIRE_HERE, 1 },
        { 0, 81, BROOD__WIRE_HERE, 0 },
        { 0, 100, BROOD__WIRE_IN_ARENA, 1 },
        { arena - 100, 100, BROOD__WIRE_IN_ARENA, 1 },
        { arena - 99, 100, BROOD__WIRE_IN_ARENA, 0 },
        { arena, 0, BROOD__WIRE_IN_ARENA, 1 },
        { arena + 1, 0, BROOD__WIRE_IN_ARENA, 0 },
        { ~UINT64_C(0), 100, BROOD__WIRE_IN_ARENA, 0 },
        { 0, 1001, BROOD__WIRE_IN_ARENA, 0 },
        { 0, 1000, BROOD__WIRE_IN_BLOCK, 1 },
        { 0, 1001, BROOD__WIRE_IN_BLOCK, 0 },
        { 0, 0, BROOD__WIRE_NOTHING, 0 },
        { 0, 0, 77, 0 },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        brood__result_t result = { 0, rows[i].where, ~UINT64_C(0), rows[i].size,
                                   0, rows[i].place };

        CU_ASSERT_EQUAL(brood__result_check(&result, 1000, 1), rows[i].right);
        CU_ASSERT_TRUE(result.run_time < UINT64_C(1) << 62);
        CU_ASSERT_TRUE(brood__result_check(&result, 1000, 0));
    }
}

static const test_t tests[] = {
    TEST_KEEPS(rubbish_in_every_shared_field_fails_its_own_tasks, KEEPS_MEMORY),
    TEST_KEEPS(a_block_can_neither_shrink_nor_be_written_from_below,
               KEEPS_MEMORY),
    TEST_KEEPS(who_closes_its_descriptors_is_replaced, KEEPS_MEMORY),
    TEST_KEEPS(a_result_over_the_limit_is_too_big, KEEPS_MEMORY),
    TEST_KEEPS(a_family_of_processes_is_killed_with_its_task, KEEPS_MEMORY),
    TEST_KEEPS(what_a_worker_says_of_a_result_is_checked, KEEPS_MEMORY),
};

PROCESS_MAIN("hostile", tests)
