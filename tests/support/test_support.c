/* SPDX-License-Identifier: Apache-2.0 */

/* test_support.c: the harness works. harness-fails shows that it can fail. */

#include "support/support.h"

#include <apr_strings.h>

#include <stdlib.h>

static void *open_the_door(void *door)
{
    door_open(door);
    return NULL;
}

static void *pass_three_times(void *turnstile)
{
    int i;

    for (i = 0; i < 3; i++)
        turnstile_pass(turnstile);
    return NULL;
}

static int return_the_number(void *number)
{
    return *(int *)number;
}

static int die(void *unused)
{
    (void)unused;
    abort();
}

static void a_door_opens_once_and_stays_open(void)
{
    door_t door;
    pthread_t thread;

    door_init(&door);
    CU_ASSERT(!door_is_open(&door));
    CU_ASSERT_FATAL(!pthread_create(&thread, NULL, open_the_door, &door));
    door_wait(&door);
    door_wait(&door);
    CU_ASSERT(door_is_open(&door));
    pthread_join(thread, NULL);
    door_fini(&door);
}

static void a_turnstile_counts_who_passed(void)
{
    turnstile_t turnstile;
    pthread_t threads[2];
    int i;

    turnstile_init(&turnstile);
    for (i = 0; i < 2; i++)
        CU_ASSERT_FATAL(
            !pthread_create(&threads[i], NULL, pass_three_times, &turnstile));
    turnstile_wait(&turnstile, 6);
    CU_ASSERT_EQUAL(turnstile_passed(&turnstile), 6);
    for (i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    turnstile_fini(&turnstile);
}

static void a_child_tells_how_it_ended(void)
{
    int number = 42;

    CU_ASSERT_EQUAL(test_in_child(return_the_number, &number), 42);
    CU_ASSERT_EQUAL(test_in_child(die, NULL), CHILD_ABORTED);
}

static void every_test_has_a_pool_of_its_own(void)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(test_pool);
    CU_ASSERT_PTR_NOT_NULL(apr_palloc(test_pool, 1));
}

static void rounds_grow_with_the_environment(void)
{
    const char *before = getenv("BROOD_STRESS");
    char *saved = before ? apr_pstrdup(test_pool, before) : NULL;

    platform_setenv("BROOD_STRESS", NULL);
    CU_ASSERT_EQUAL(test_rounds(10), 10);
    platform_setenv("BROOD_STRESS", "2.5");
    CU_ASSERT_EQUAL(test_rounds(10), 25);
    platform_setenv("BROOD_STRESS", "0.001");
    CU_ASSERT_EQUAL(test_rounds(10), 1);
    platform_setenv("BROOD_STRESS", NULL);
    if (saved)
        platform_setenv("BROOD_STRESS", saved);
}

static const test_t tests[] = {
    TEST(a_door_opens_once_and_stays_open),
    TEST(a_turnstile_counts_who_passed),
    TEST(a_child_tells_how_it_ended),
    TEST(every_test_has_a_pool_of_its_own),
    TEST(rounds_grow_with_the_environment),
};

HARNESS_MAIN_BARE("support", tests)
