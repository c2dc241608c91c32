/* SPDX-License-Identifier: Apache-2.0 */

/* test_taken_back.c: tasks that a worker was given and had not begun when it
 * died, and payloads for which there is no room: what may go wrong with them. */

#include "process/tasks.h"

#include <stdio.h>

#include "base/fault.h"
#include "process/tasks_platform.h"

#define AN_HOUR ((apr_interval_time_t)3600 * 1000000)

enum { N = 3, FEW = 70, SOME = 5000, MANY = 900000 };

typedef struct scene_t {
    brood_process_manager_t *m;
    brood_future_t *holds, *given[N];
    file_door_t door;
    long worker;
} scene_t;

static brood_future_t *submit_bytes(brood_process_manager_t *m, size_t size)
{
    brood_future_t *future = NULL;
    char *bytes = calloc(1, size);

    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_submit(&future, m, "echo",
                                                            bytes, size, NULL));
    free(bytes);
    return future;
}

/* One worker, which holds a task; behind it, in its hands, others. */
static void begin(scene_t *scene, apr_interval_time_t backoff, size_t size)
{
    brood_process_manager_options_t o = OPTIONS;
    int i;

    o.max_workers = 1;
    o.crash_limit = -1;
    o.restart_backoff = backoff;
    file_door_init(&scene->door, "taken");
    scene->m = process_manager(&o);
    scene->worker = process_number(scene->m, "pid", NULL);
    scene->holds = process_submit(scene->m, "hold", scene->door.path);
    WAIT_UNTIL(file_door_is_open(scene->door.path));
    for (i = 0; size && i < N; i++)
        scene->given[i] = submit_bytes(scene->m, size);
}

static brood_stats_t stats_of(const scene_t *scene)
{
    brood_stats_t stats = BROOD_STATS_INIT;

    ASSERT_STATUS(APR_SUCCESS, brood_process_manager_stats(scene->m, &stats));
    return stats;
}

/* How many of N are in the worker's hands: the first, and others if its tasks
 * were short so far. */
static int in_hand(const scene_t *scene)
{
    const int n = N - (int)stats_of(scene).queued;

    CU_ASSERT(n >= 1 && n <= N);
    return n;
}

/* Then what it had not begun is queued again, and nobody comes for it. */
static void kill_the_worker(scene_t *scene)
{
    process_kill(scene->worker);
    ASSERT_STATUS(BROOD_EWORKERDIED, process_end(scene->holds));
}

static void end(scene_t *scene)
{
    ASSERT_STATUS(APR_SUCCESS,
                  brood_process_manager_stop(scene->m, BROOD_STOP_CANCEL, -1));
    file_door_fini(&scene->door);
}

static void it_can_be_canceled_while_it_is_queued_again(void)
{
    uint64_t before;
    scene_t scene;

    begin(&scene, AN_HOUR, SOME);
    before = stats_of(&scene).canceled;
    (void)in_hand(&scene);
    kill_the_worker(&scene);
    CU_ASSERT_EQUAL(stats_of(&scene).queued, N);
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(scene.given[0]));
    ASSERT_STATUS(BROOD_ECANCELED, process_end(scene.given[0]));
    CU_ASSERT_EQUAL(stats_of(&scene).queued, N - 1);
    CU_ASSERT_EQUAL(stats_of(&scene).canceled, before + 1);
    ASSERT_STATUS(APR_SUCCESS, brood_process_task_kill(scene.given[1]));
    ASSERT_STATUS(BROOD_ECANCELED, process_end(scene.given[1]));
    ASSERT_STATUS(BROOD_EPENDING, brood_future_result(scene.given[2], NULL));
    end(&scene);
    ASSERT_STATUS(BROOD_ECANCELED, process_end(scene.given[2]));
}

/* Its bytes were in the worker's memory only, and cannot be fetched. What is
 * short is with the task. */
static void it_is_lost_when_there_is_no_memory_for_its_payload(void)
{
    static const struct {
        size_t size;
        apr_status_t expected;
    } rows[] = { { SOME, APR_ENOMEM }, { FEW, APR_SUCCESS } };
    size_t i;
    int j, lost;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        scene_t scene;

        begin(&scene, 1, rows[i].size);
        lost = in_hand(&scene);
        brood__fault_all(BROOD__FAULT_MEMORY);
        kill_the_worker(&scene);
        brood__fault_at(BROOD__FAULT_MEMORY, 0);
        for (j = 0; j < N; j++)
            ASSERT_STATUS(j < lost ? rows[i].expected : APR_SUCCESS,
                          process_end(scene.given[j]));
        process_expect(scene.m, "echo", "next", "next");
        end(&scene);
    }
}

/* Submitted while the ring is full it has to be copied, or is refused, and then
 * is nowhere. */
static void who_finds_no_room_needs_memory(void)
{
    brood_future_t *future[40] = { NULL };
    unsigned n = 0, failed = 0, queued;
    char *bytes = calloc(1, MANY);
    apr_status_t rv;
    scene_t scene;
    char go[220];
    int pending;

    begin(&scene, 1, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    do {
        queued = (unsigned)stats_of(&scene).queued;
        brood__fault_at(BROOD__FAULT_MEMORY, n + 1);
        rv = brood_process_manager_submit(&future[n], scene.m, "echo", bytes,
                                          MANY, NULL);
        pending = brood__fault_pending(BROOD__FAULT_MEMORY);
        brood__fault_at(BROOD__FAULT_MEMORY, 0);
        CU_ASSERT(rv == APR_SUCCESS || rv == APR_ENOMEM);
        CU_ASSERT_EQUAL(future[n] != NULL, rv == APR_SUCCESS);
        if (rv == APR_ENOMEM) {
            CU_ASSERT_EQUAL(stats_of(&scene).queued, queued);
            failed++;
        }
        n++;
    } while (!(pending && queued > 0) && n < 40);
    CU_ASSERT(failed > 0 && n < 40);
    (void)snprintf(go, sizeof(go), "%s.go", scene.door.path);
    file_door_open(go);
    ASSERT_STATUS(APR_SUCCESS, process_end(scene.holds));
    while (n > 0)
        if (future[--n])
            ASSERT_STATUS(APR_SUCCESS, process_end(future[n]));
    free(bytes);
    end(&scene);
}

/* It is on the way to the worker, and stays there until its position comes. */
static void a_block_that_was_taken_back_is_nobody_elses(void)
{
    enum { SIZE = 1500000 };
    brood_future_t *large[N];
    char *bytes = malloc(SIZE);
    void *value = NULL;
    scene_t scene;
    char go[220];
    int i;

    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    begin(&scene, 1, 0);
    for (i = 0; i < N; i++) {
        memset(bytes, 'a' + i, SIZE);
        ASSERT_STATUS_FATAL(APR_SUCCESS,
                            brood_process_manager_submit(
                                &large[i], scene.m, "echo", bytes, SIZE, NULL));
    }
    (void)in_hand(&scene);
    ASSERT_STATUS(APR_SUCCESS, brood_future_cancel(large[0]));
    ASSERT_STATUS(BROOD_ECANCELED, process_end(large[0]));
    (void)snprintf(go, sizeof(go), "%s.go", scene.door.path);
    file_door_open(go);
    ASSERT_STATUS(APR_SUCCESS, process_end(scene.holds));
    for (i = 1; i < N; i++) {
        memset(bytes, 'a' + i, SIZE);
        ASSERT_STATUS(APR_SUCCESS, brood_future_get(large[i], &value, -1));
        CU_ASSERT_EQUAL_FATAL(brood_buffer_size(value), SIZE);
        CU_ASSERT_EQUAL(memcmp(brood_buffer_data(value), bytes, SIZE), 0);
        (void)brood_future_release(large[i]);
    }
    free(bytes);
    end(&scene);
}

static const test_t tests[] = {
    TEST_KEEPS(a_block_that_was_taken_back_is_nobody_elses, KEEPS_MEMORY),
    TEST_KEEPS(it_can_be_canceled_while_it_is_queued_again, KEEPS_MEMORY),
    TEST_KEEPS(it_is_lost_when_there_is_no_memory_for_its_payload,
               KEEPS_MEMORY),
    TEST_KEEPS(who_finds_no_room_needs_memory, KEEPS_MEMORY),
};

PROCESS_MAIN("taken_back", tests)
