/* SPDX-License-Identifier: Apache-2.0 */

/* test_timer.c: deadlines: in order, once, and never after a disarm. */

#include "task/tools.h"

#define N 500

typedef struct alarm_t {
    brood__timer_t timer;
    int number;
} alarm_t;

static atomic_int g_rung;
static int g_order[N];
static door_t g_last, g_armed;
static int g_expected; /* opens g_last */

static void ring(brood__timer_t *timer)
{
    int at = brood__add(&g_rung, 1, relaxed);

    g_order[at] = BROOD__CONTAINER(timer, alarm_t, timer)->number;
    if (at + 1 == g_expected)
        door_open(&g_last);
}

static void expect(int n)
{
    brood__store(&g_rung, 0, relaxed);
    g_expected = n;
    door_init(&g_last);
}

/* One after the other: until all are armed, no other one rings. */
static void hold(brood__timer_t *timer)
{
    (void)timer;
    door_wait(&g_armed);
}

static void they_ring_in_the_order_of_their_deadlines(void)
{
    static alarm_t alarms[N];
    static brood__timer_t first;
    int64_t soon = brood__os_now() + 1000000;
    int i;

    expect(N);
    door_init(&g_armed);
    ASSERT_STATUS(APR_SUCCESS, brood__timer_arm(&first, soon - 1000000, hold));
    for (i = 0; i < N; i++) { /* 7 is prime to 500: each number once */
        alarms[i].number = i * 7 % N;
        ASSERT_STATUS(
            APR_SUCCESS,
            brood__timer_arm(&alarms[i].timer, soon + alarms[i].number, ring));
    }
    door_open(&g_armed);
    door_wait(&g_last);
    CU_ASSERT(brood__os_now() >= soon + N - 1);
    CU_ASSERT_FALSE(brood__timer_disarm(&first));
    for (i = 0; i < N; i++) {
        CU_ASSERT_EQUAL(g_order[i], i);
        CU_ASSERT_FALSE(brood__timer_disarm(&alarms[i].timer));
    }
    door_fini(&g_armed);
    door_fini(&g_last);
}

static void a_disarmed_one_never_rings(void)
{
    static alarm_t alarms[N];
    int64_t soon = brood__os_now() + 5000000;
    int i;

    expect(N / 2);
    for (i = 0; i < N; i++) {
        alarms[i].number = i;
        brood__timer_arm(&alarms[i].timer, soon + (i * 7 % N) * 1000, ring);
    }
    for (i = 0; i < N; i += 2)
        CU_ASSERT(brood__timer_disarm(&alarms[i].timer)
                  || brood__os_now() >= soon);
    for (i = 0; i < N; i += 2)
        CU_ASSERT_FALSE(brood__timer_disarm(&alarms[i].timer));
    WAIT_UNTIL(brood__load(&g_rung, acquire) >= N / 2);
    for (i = 0; i < N; i++)
        (void)brood__timer_disarm(&alarms[i].timer);
    door_fini(&g_last);
}

static void one_that_was_never_armed_is_not_disarmed(void)
{
    brood__timer_t timer = { 0 };

    CU_ASSERT_FALSE(brood__timer_disarm(&timer));
    CU_ASSERT_FALSE(brood__timers_is_self());
}

/* ---- a disarm while its callback is under way ---------------------------- */

typedef struct slow_alarm_t {
    brood__timer_t timer;
    door_t in, out;
    int again; /* arms itself once more */
    atomic_int over, is_self, disarmed_itself;
    int early; /* the disarm returned before the callback */
} slow_alarm_t;

static void never(brood__timer_t *timer)
{
    (void)timer;
    abort();
}

static void ring_slowly(brood__timer_t *timer)
{
    slow_alarm_t *self = BROOD__CONTAINER(timer, slow_alarm_t, timer);

    brood__store(&self->is_self, brood__timers_is_self(), relaxed);
    brood__store(&self->disarmed_itself, brood__timer_disarm(timer), relaxed);
    door_open(&self->in);
    door_wait(&self->out);
    if (self->again)
        (void)brood__timer_arm(timer, brood__os_now() + INT64_C(3600000000000),
                               never);
    brood__store(&self->over, 1, release);
}

static void *disarms(void *baton)
{
    slow_alarm_t *self = baton;

    (void)brood__timer_disarm(&self->timer);
    self->early = !brood__load(&self->over, acquire);
    return NULL;
}

static void disarm_slow(int again)
{
    slow_alarm_t self = { .again = again };
    pthread_t thread;
    pledge_t p = pledge();

    door_init(&self.in);
    door_init(&self.out);
    ASSERT_STATUS(APR_SUCCESS,
                  brood__timer_arm(&self.timer, brood__os_now(), ring_slowly));
    door_wait(&self.in);
    pthread_create(&thread, NULL, disarms, &self);
    (void)brood_future_wait(p.future, 2000); /* it has most likely begun */
    door_open(&self.out);
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(self.early, 0);
    CU_ASSERT_EQUAL(brood__load(&self.is_self, relaxed), 1);
    CU_ASSERT_EQUAL(brood__load(&self.disarmed_itself, relaxed), 0);
    CU_ASSERT_FALSE(brood__timer_disarm(&self.timer));
    brood_promise_release(p.promise);
    brood_future_release(p.future);
    door_fini(&self.in);
    door_fini(&self.out);
}

static void a_disarm_waits_for_the_callback(void)
{
    disarm_slow(0);
}

static void a_disarm_also_undoes_what_the_callback_armed(void)
{
    disarm_slow(1);
}

/* ---- the thread ----------------------------------------------------------- */

/* The library's last timers are gone: the thread ends, and may come again. */
static void they_may_stop_and_begin_anew(void)
{
    alarm_t alarm = { .number = 7 };

    brood__timers_stop();
    brood__timers_stop();
    brood__fault_at(BROOD__FAULT_THREAD, 1);
    CU_ASSERT_NOT_EQUAL(brood__timers_ready(), APR_SUCCESS);
    brood__fault_at(BROOD__FAULT_THREAD, 1);
    CU_ASSERT_NOT_EQUAL(brood__timer_arm(&alarm.timer, 0, ring), APR_SUCCESS);
    brood__fault_at(BROOD__FAULT_THREAD, 0);
    CU_ASSERT_FALSE(brood__timer_disarm(&alarm.timer));
    ASSERT_STATUS(APR_SUCCESS, brood__timers_ready());
    brood__fault_at(BROOD__FAULT_MEMORY, 1); /* from now on it cannot fail */
    expect(1);
    ASSERT_STATUS(APR_SUCCESS, brood__timer_arm(&alarm.timer, 0, ring));
    brood__fault_at(BROOD__FAULT_MEMORY, 0);
    door_wait(&g_last);
    (void)brood__timer_disarm(&alarm.timer);
    door_fini(&g_last);
    brood__timers_stop();
}

static const test_t tests[] = {
    TEST_KEEPS(they_ring_in_the_order_of_their_deadlines, KEEPS_ALL),
    TEST(a_disarmed_one_never_rings),
    TEST(one_that_was_never_armed_is_not_disarmed),
    TEST_KEEPS(a_disarm_waits_for_the_callback, KEEPS_MEMORY),
    TEST_KEEPS(a_disarm_also_undoes_what_the_callback_armed, KEEPS_MEMORY),
    TEST(they_may_stop_and_begin_anew),
};

HARNESS_MAIN("timer", tests)
