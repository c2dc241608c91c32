/* SPDX-License-Identifier: Apache-2.0 */

/* test_inbox.c: what is put into lanes is taken once, in order. */

#include <brood/init.h>

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "lineage/self.h"
#include "support/door.h"
#include "support/support.h"
#include "thread/inbox.h"

#define PRODUCERS 4
#define EACH      60000

static brood__inbox_t *g_inbox;
static brood__scope_t *g_scope;
static char g_batons[PRODUCERS][EACH];
static atomic_uchar g_seen[PRODUCERS][EACH];
static atomic_int g_taken, g_disorder;
static atomic_llong g_waited;

static apr_status_t never(void *unused, void **value)
{
    (void)unused;
    (void)value;
    return APR_EGENERAL;
}

static void open_inbox(void)
{
    g_inbox = brood__alloc_aligned(sizeof(*g_inbox), BROOD__LINE);
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__inbox_init(g_inbox));
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__self_ready());
    g_scope = brood__self.now.scope;
    memset((void *)g_seen, 0, sizeof(g_seen));
    brood__store(&g_taken, 0, relaxed);
    brood__store(&g_disorder, 0, relaxed);
}

static void close_inbox(void)
{
    brood__inbox_fini(g_inbox);
    brood__free_aligned(g_inbox);
    brood__self_exit();
}

/* False: memory ran out. */
static int put_into(brood__lane_t *lane, void *baton, brood__scope_t *scope)
{
    int done;

    if (!lane)
        return 0;
    brood__lane_enter(lane);
    done = brood__lane_put(lane, never, baton, scope);
    if (done)
        (void)brood__lane_publish(lane);
    brood__lane_leave(lane);
    return done;
}

static int put(void *baton, brood__scope_t *scope)
{
    return put_into(brood__inbox_lane(g_inbox), baton, scope);
}

/* Look at all lanes as a worker does. */
static unsigned take(brood__call_t *calls)
{
    unsigned turn = 0;

    return brood__inbox_take(g_inbox, calls, &turn);
}

static void what_was_put_is_taken_in_order(void)
{
    static const unsigned counts[] = { 1,   2,   63,  64,  65,  252,  253,
                                       254, 255, 256, 257, 510, 1000, 5000 };
    brood__call_t calls[BROOD__BATCH];
    unsigned k, i;

    open_inbox();
    for (k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
        unsigned next = 0, n;

        CU_ASSERT(!brood__inbox_some(g_inbox));
        for (i = 0; i < counts[k]; i++)
            CU_ASSERT(put(&g_batons[0][i], g_scope));
        CU_ASSERT(brood__inbox_some(g_inbox));
        while ((n = take(calls)) > 0)
            for (i = 0; i < n; i++) {
                CU_ASSERT(calls[i].fn == never);
                CU_ASSERT_PTR_EQUAL(calls[i].baton, &g_batons[0][next++]);
                CU_ASSERT_PTR_EQUAL(calls[i].scope, g_scope);
            }
        CU_ASSERT_EQUAL(next, counts[k]);
        CU_ASSERT(!brood__inbox_some(g_inbox));
    }
    close_inbox();
}

/* Two scopes that take turns: a mark before each task. */
static void each_task_comes_with_its_scope(void)
{
    brood__scope_t other[2];
    brood__call_t calls[BROOD__BATCH];
    unsigned i, n, next = 0;

    open_inbox();
    for (i = 0; i < 2000; i++)
        CU_ASSERT(put(&g_batons[0][i], &other[i / 3 % 2]));
    while ((n = take(calls)) > 0)
        for (i = 0; i < n; i++, next++)
            CU_ASSERT_PTR_EQUAL(calls[i].scope, &other[next / 3 % 2]);
    CU_ASSERT_EQUAL(next, 2000);
    close_inbox();
}

static void it_knows_how_much_is_queued(void)
{
    brood__call_t calls[BROOD__BATCH];
    int64_t oldest = -1;
    unsigned i;

    open_inbox();
    CU_ASSERT_EQUAL(brood__inbox_queued(g_inbox, &oldest), 0);
    CU_ASSERT_EQUAL(oldest, 0);
    for (i = 0; i < 100; i++)
        CU_ASSERT(put(NULL, g_scope));
    CU_ASSERT_EQUAL(brood__inbox_queued(g_inbox, &oldest), 100);
    CU_ASSERT_EQUAL(brood__inbox_put(g_inbox), 100);
    CU_ASSERT_EQUAL(take(calls), BROOD__BATCH);
    CU_ASSERT_EQUAL(brood__inbox_queued(g_inbox, &oldest), 100 - BROOD__BATCH);
    CU_ASSERT_EQUAL(brood__inbox_put(g_inbox), 100);
    close_inbox();
}

static void note_wait(brood__inbox_t *inbox, int64_t ns)
{
    (void)inbox;
    (void)ns;
    brood__add(&g_waited, 1, relaxed);
}

static void one_task_in_sixty_four_is_timed(void)
{
    brood__call_t calls[BROOD__BATCH];
    unsigned i;

    open_inbox();
    g_inbox->waited = note_wait;
    brood__store(&g_waited, 0, relaxed);
    for (i = 0; i < 10 * BROOD__STAMP_EACH; i++) {
        CU_ASSERT(put(NULL, g_scope));
        CU_ASSERT_EQUAL(take(calls), 1);
    }
    CU_ASSERT_EQUAL(brood__load(&g_waited, relaxed), 10);
    close_inbox();
}

/* The mark is published before the task. */
static void a_consumer_between_mark_and_task_loses_no_sample(void)
{
    brood__call_t calls[BROOD__BATCH];
    brood__lane_t *lane;

    open_inbox();
    g_inbox->waited = note_wait;
    brood__store(&g_waited, 0, relaxed);
    lane = brood__inbox_lane(g_inbox);
    CU_ASSERT_PTR_NOT_NULL_FATAL(lane);
    brood__lane_enter(lane);
    brood__lane_mark_time(lane);
    (void)brood__lane_publish(lane);
    CU_ASSERT_EQUAL(take(calls), 0);
    CU_ASSERT_EQUAL(brood__load(&g_waited, relaxed), 0);
    brood__lane_mark_scope(lane, g_scope);
    brood__lane_write(lane, never, NULL);
    (void)brood__lane_publish(lane);
    brood__lane_leave(lane);
    CU_ASSERT_EQUAL(take(calls), 1);
    CU_ASSERT_EQUAL(brood__load(&g_waited, relaxed), 1);
    CU_ASSERT(put(NULL, g_scope));
    CU_ASSERT_EQUAL(take(calls), 1);
    CU_ASSERT_EQUAL(brood__load(&g_waited, relaxed), 1);
    close_inbox();
}

static void a_sleeper_is_told_when_it_needs_work(void)
{
    brood__lane_t *lane;

    open_inbox();
    lane = brood__inbox_lane(g_inbox);
    CU_ASSERT_PTR_NOT_NULL_FATAL(lane);
    CU_ASSERT(put(NULL, g_scope));
    CU_ASSERT(!brood__lane_publish(lane));
    brood__store(&g_inbox->need, 1, relaxed);
    CU_ASSERT(brood__lane_publish(lane));
    close_inbox();
}

#define LANES 3 /* more than stay in the map, though empty */

static brood__lane_t *g_lanes[LANES];
static turnstile_t g_producers;
static door_t g_door;

/* A producer that leaves its lane to the test until that is over. */
static void *have_a_lane(void *lane)
{
    *(brood__lane_t **)lane = brood__inbox_lane(g_inbox);
    turnstile_pass(&g_producers);
    door_wait(&g_door);
    brood__self_exit();
    return lane;
}

static unsigned in_the_map(void)
{
    unsigned long long bits = brood__load(&g_inbox->active[0], relaxed);
    unsigned n = 0;

    for (; bits; bits &= bits - 1)
        n++;
    return n;
}

static void lanes_that_were_tidied_away_come_back(void)
{
    brood__call_t calls[BROOD__BATCH];
    pthread_t threads[LANES];
    unsigned i, k;

    open_inbox();
    turnstile_init(&g_producers);
    door_init(&g_door);
    for (k = 0; k < LANES; k++)
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&threads[k], NULL, have_a_lane, &g_lanes[k]), 0);
    turnstile_wait(&g_producers, LANES);
    for (i = 0; i < 50; i++) {
        for (k = 0; k < LANES; k++)
            CU_ASSERT(put_into(g_lanes[k], NULL, g_scope));
        brood__inbox_tidy(g_inbox); /* not empty: they stay */
        CU_ASSERT_EQUAL(in_the_map(), LANES);
        for (k = 0; k < LANES; k++)
            CU_ASSERT_EQUAL(take(calls), 1);
        brood__inbox_tidy(g_inbox);
        CU_ASSERT_EQUAL(in_the_map(), 0);
    }
    door_open(&g_door);
    for (k = 0; k < LANES; k++)
        pthread_join(threads[k], NULL);
    door_fini(&g_door);
    turnstile_fini(&g_producers);
    close_inbox();
}

static void a_lane_among_few_stays_in_the_map(void)
{
    brood__call_t calls[BROOD__BATCH];

    open_inbox();
    CU_ASSERT(put(NULL, g_scope));
    CU_ASSERT_EQUAL(take(calls), 1);
    brood__inbox_tidy(g_inbox);
    CU_ASSERT_EQUAL(in_the_map(), 1);
    CU_ASSERT(!brood__inbox_some(g_inbox));
    CU_ASSERT(put(NULL, g_scope));
    CU_ASSERT_EQUAL(take(calls), 1);
    close_inbox();
}

static void *put_one(void *unused)
{
    (void)put(unused, g_scope);
    return unused;
}

/* Its tasks stay, and the next thread goes on behind them. */
static void a_lane_outlives_its_thread(void)
{
    brood__call_t calls[BROOD__BATCH];
    pthread_t thread;
    unsigned i;

    open_inbox();
    for (i = 0; i < 40; i++) {
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&thread, NULL, put_one, &g_batons[0][i]), 0);
        pthread_join(thread, NULL);
    }
    CU_ASSERT_EQUAL(brood__load(&g_inbox->n_lanes, relaxed), 1);
    CU_ASSERT_EQUAL(take(calls), 40);
    for (i = 0; i < 40; i++)
        CU_ASSERT_PTR_EQUAL(calls[i].baton, &g_batons[0][i]);
    close_inbox();
}

/* Everything that may be refused is: nothing is put then, nothing is lost. */
static void without_memory_nothing_is_put(void)
{
    brood__call_t calls[BROOD__BATCH];
    unsigned i, fails = 0, n, all = 0;

    open_inbox();
    for (i = 0; i < 3000; i++) {
        brood__fault_at(BROOD__FAULT_MEMORY, 1);
        if (!put(&g_batons[0][i], g_scope)) {
            fails++;
            CU_ASSERT(put(&g_batons[0][i], g_scope));
        }
        brood__fault_at(BROOD__FAULT_MEMORY, 0);
    }
    CU_ASSERT(fails >= 3000 / BROOD__BLOCK);
    while ((n = take(calls)) > 0)
        for (i = 0; i < n; i++)
            CU_ASSERT_PTR_EQUAL(calls[i].baton, &g_batons[0][all++]);
    CU_ASSERT_EQUAL(all, 3000);
    close_inbox();
}

/* After a reservation no put fails, however the blocks lie. */
static void what_was_reserved_is_there(void)
{
    static const unsigned counts[] = { 1, 246, 247, 248, 255, 494, 1000, 3000 };
    brood__call_t calls[BROOD__BATCH];
    brood__lane_t *lane;
    unsigned k, i, before;

    open_inbox();
    lane = brood__inbox_lane(g_inbox);
    for (before = 0; before < 256; before += 5)
        for (k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
            for (i = 0; i < before; i++)
                CU_ASSERT(put(NULL, g_scope));
            CU_ASSERT(brood__lane_reserve(lane, counts[k]));
            brood__fault_at(BROOD__FAULT_MEMORY, 1);
            for (i = 0; i < counts[k]; i++)
                CU_ASSERT(put(NULL, k % 2 ? g_scope : NULL));
            brood__fault_at(BROOD__FAULT_MEMORY, 0);
            while (take(calls) > 0)
                ;
        }
    close_inbox();
}

static void *produce(void *of)
{
    char *batons = of;
    int i;

    for (i = 0; i < EACH; i++)
        while (!put(&batons[i], g_scope))
            ;
    return NULL;
}

/* One producer's tasks that one consumer gets are in order. */
static void *consume(void *unused)
{
    brood__call_t calls[BROOD__BATCH];
    char *last[PRODUCERS] = { NULL };
    unsigned turn = 0, n, i;

    while (brood__load(&g_taken, relaxed) < PRODUCERS * EACH) {
        n = brood__inbox_take(g_inbox, calls, &turn);
        for (i = 0; i < n; i++) {
            ptrdiff_t at = (char *)calls[i].baton - g_batons[0];
            ptrdiff_t of = at / EACH;

            brood__add(&g_seen[of][at % EACH], 1, relaxed);
            if (last[of] && last[of] >= (char *)calls[i].baton)
                brood__add(&g_disorder, 1, relaxed);
            last[of] = calls[i].baton;
        }
        if (n)
            brood__add(&g_taken, (int)n, relaxed);
        else
            brood__inbox_tidy(g_inbox);
    }
    return unused;
}

/* If a lane were lost between tidying and activating, this would hang. */
static void many_producers_and_consumers_lose_nothing(void)
{
    pthread_t producers[PRODUCERS], consumers[2];
    int i, k, wrong = 0;

    open_inbox();
    for (i = 0; i < PRODUCERS; i++)
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&producers[i], NULL, produce, g_batons[i]), 0);
    for (i = 0; i < 2; i++)
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&consumers[i], NULL, consume, NULL), 0);
    for (i = 0; i < PRODUCERS; i++)
        pthread_join(producers[i], NULL);
    for (i = 0; i < 2; i++)
        pthread_join(consumers[i], NULL);
    for (i = 0; i < PRODUCERS; i++)
        for (k = 0; k < EACH; k++)
            wrong += brood__load(&g_seen[i][k], relaxed) != 1;
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(brood__load(&g_disorder, relaxed), 0);
    close_inbox();
}

static const test_t tests[] = {
    TEST(what_was_put_is_taken_in_order),
    TEST(each_task_comes_with_its_scope),
    TEST(it_knows_how_much_is_queued),
    TEST(one_task_in_sixty_four_is_timed),
    TEST(a_consumer_between_mark_and_task_loses_no_sample),
    TEST(a_sleeper_is_told_when_it_needs_work),
    TEST(lanes_that_were_tidied_away_come_back),
    TEST(a_lane_among_few_stays_in_the_map),
    TEST(a_lane_outlives_its_thread),
    TEST(without_memory_nothing_is_put),
    TEST(what_was_reserved_is_there),
    TEST(many_producers_and_consumers_lose_nothing),
};

HARNESS_MAIN("inbox", tests)
