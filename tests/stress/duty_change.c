/* SPDX-License-Identifier: Apache-2.0 */

/*
 * duty_change.c: a task blocks at the very moment at which the one that was on
 * duty leaves it. The task that would open its door is submitted at another
 * point of that each time; if nobody comes, this hangs.
 */

#include "stress/stress.h"

static void meet(int min, int max, int spin)
{
    unsigned rounds = test_rounds(3000), i, k;
    options_t options = options_of(min, max);
    pool_t *pool;
    door_t door;

    options.spin = spin;
    pool = pool_with(&options);
    for (i = 0; i < rounds; i++) {
        door_init(&door);
        submit_plain(pool, wait_at_door, &door);
        for (k = 0; k < i * 7 % 2000; k++)
            brood__pause();
        submit_plain(pool, open_door, &door);
        door_wait(&door);
        if (i % 3)
            ASSERT_STATUS(APR_SUCCESS,
                          brood_thread_manager_wait_idle(pool, FOREVER));
        else /* the worker is still on its way back */
            WAIT_UNTIL(stats_of(pool).completed + 1 >= 2 * (i + 1));
        ASSERT_STATUS(APR_SUCCESS,
                      brood_thread_manager_wait_idle(pool, FOREVER));
        door_fini(&door);
    }
    drain_and_leave(pool);
}

static void a_blocked_task_meets_a_change_of_duty(void)
{
    meet(1, 2, BROOD_SPIN_DEFAULT);
    meet(2, 2, BROOD_SPIN_DEFAULT);
    meet(2, 2, BROOD_SPIN_NONE);
    meet(2, 3, 200);
}

static const test_t tests[] = {
    TEST(a_blocked_task_meets_a_change_of_duty),
};

HARNESS_MAIN_WARM("duty_change", tests, warm_up)
