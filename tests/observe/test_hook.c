/* SPDX-License-Identifier: Apache-2.0 */

/* test_hook.c: functions are exchanged while others call them. */

#include "observe/hook.h"

#include <pthread.h>

#include "support/support.h"

typedef void notify_fn(void *baton);

static brood__hook_t g_hook = BROOD__HOOK_INIT;
static atomic_int g_old_calls; /* of a hook whose baton is taken away */
static door_t g_arrived;
static door_t g_go_on;

static void call_hook(void)
{
    brood__hook_call_t call;

    brood__hook_enter(&g_hook, &call);
    if (call.first)
        ((notify_fn *)call.first)(call.baton);
    brood__hook_leave(&call);
}

static void set(notify_fn *fn, void *baton)
{
    brood__hook_set(&g_hook, (brood__hook_fn *)fn, NULL, baton);
}

static void add_one(void *baton)
{
    brood__add((atomic_int *)baton, 1, relaxed);
}

static void stay_at_door(void *baton)
{
    (void)baton;
    door_open(&g_arrived);
    door_wait(&g_go_on);
}

static void a_hook_gets_its_own_baton(void)
{
    atomic_int n = 0;
    atomic_int m = 0;

    call_hook();
    set(add_one, &n);
    call_hook();
    call_hook();
    set(add_one, &m);
    call_hook();
    set(NULL, NULL);
    call_hook();
    CU_ASSERT_EQUAL(brood__load(&n, relaxed), 2);
    CU_ASSERT_EQUAL(brood__load(&m, relaxed), 1);
}

static void *call_once(void *unused)
{
    call_hook();
    return unused;
}

static void *unset(void *finished)
{
    set(NULL, NULL);
    brood__store((atomic_int *)finished, 1, release);
    return NULL;
}

static void setting_waits_for_calls_of_the_old_hook(void)
{
    atomic_int finished = 0;
    atomic_int n = 0;
    pthread_t caller;
    pthread_t setter;

    door_init(&g_arrived);
    door_init(&g_go_on);
    set(stay_at_door, NULL);
    pthread_create(&caller, NULL, call_once, NULL);
    door_wait(&g_arrived);
    pthread_create(&setter, NULL, unset, &finished);
    WAIT_UNTIL(!brood__load(&g_hook.first, acquire));
    call_hook(); /* new calls do not wait */
    CU_ASSERT(!brood__load(&finished, acquire));
    door_open(&g_go_on);
    pthread_join(caller, NULL);
    pthread_join(setter, NULL);
    CU_ASSERT(brood__load(&finished, acquire));
    CU_ASSERT_EQUAL(brood__load(&n, relaxed), 0);
    door_fini(&g_arrived);
    door_fini(&g_go_on);
}

static void set_next(void *next)
{
    set(add_one, next);
}

static void a_hook_may_set_the_next_one(void)
{
    atomic_int n = 0;

    set(set_next, &n);
    call_hook();
    call_hook();
    CU_ASSERT_EQUAL(brood__load(&n, relaxed), 1);
    set(NULL, NULL);
}

/* Counts calls that come after the baton was taken away. */
static void look_at_baton(void *baton)
{
    if (!brood__load((atomic_int *)baton, relaxed))
        brood__add(&g_old_calls, 1, relaxed);
}

static void *call_often(void *go_on)
{
    while (brood__load((atomic_int *)go_on, relaxed))
        call_hook();
    return NULL;
}

static void no_call_sees_a_baton_that_was_replaced(void)
{
    atomic_int batons[2] = { 0, 0 };
    atomic_int go_on = 1;
    pthread_t threads[4];
    unsigned i;

    brood__store(&g_old_calls, 0, relaxed);
    for (i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, call_often, &go_on);
    for (i = 0; i < test_rounds(300); i++) {
        brood__store(&batons[i % 2], 1, relaxed);
        set(look_at_baton, &batons[i % 2]);
        brood__store(&batons[(i + 1) % 2], 0, relaxed);
    }
    brood__store(&go_on, 0, relaxed);
    for (i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    set(NULL, NULL);
    CU_ASSERT_EQUAL(brood__load(&g_old_calls, relaxed), 0);
}

static const test_t tests[] = {
    TEST(a_hook_gets_its_own_baton),
    TEST(setting_waits_for_calls_of_the_old_hook),
    TEST(a_hook_may_set_the_next_one),
    TEST(no_call_sees_a_baton_that_was_replaced),
};
HARNESS_MAIN_BARE("hook", tests)
