/* SPDX-License-Identifier: Apache-2.0 */

/* test_pace.c: whom a taker of tasks waits for, with a clock of its own. */

#include "task/pace.h"

#include <brood/init.h>

#include <string.h>

#include "support/support.h"

#define MOST  64 /* tasks of a take */
#define CLOSE 45 /* ns for a task where both want the same lines */
#define FAR   19 /* ... and some hundred tasks behind */

typedef struct taker_t {
    brood__pace_t pace;
    int64_t now, waited; /* ns */
    int64_t just;        /* ... since its last take */
    unsigned long long ran;
    unsigned waits;
    double queued; /* behind a stream */
} taker_t;

/* What somebody else's tasks do next. */
typedef void step_fn(taker_t *taker);

static void start(taker_t *taker)
{
    memset(taker, 0, sizeof(*taker));
    taker->now = 1;
}

/* A take of `n` tasks takes `ns`, with what comes before it. */
static void take(taker_t *taker, unsigned n, double ns)
{
    taker->now += (int64_t)ns;
    taker->ran += n;
    taker->just = 0;
    if (n >= BROOD__PACE_SMALL) {
        brood__pace_large(&taker->pace);
        return;
    }
    if (brood__pace_take(&taker->pace, n))
        brood__pace_look(&taker->pace, taker->ran, taker->now);
    if (taker->pace.waits) {
        taker->just = BROOD__PACE_NS;
        taker->now += BROOD__PACE_NS;
        taker->waited += BROOD__PACE_NS;
        taker->waits++;
        taker->queued += BROOD__PACE_NS / (double)CLOSE;
    }
}

/* Tasks come as fast as they can be made, a twentieth slower than they are run:
 * close to each other as long as few are queued. */
static void stream(taker_t *taker)
{
    double each = taker->queued < MOST ? CLOSE : FAR;
    unsigned n = taker->queued < 2      ? 2
                 : taker->queued > MOST ? MOST
                                        : (unsigned)taker->queued;

    taker->queued = taker->queued > n / 20.0 ? taker->queued - n / 20.0 : 0;
    take(taker, n, n * each);
}

/* One that takes 150 ns to make each, wherever the taker is. */
static void slow_stream(taker_t *taker)
{
    unsigned n = (unsigned)(taker->just / 150) + 1;

    take(taker, n, n * 150.0 - (double)taker->just);
}

/* Somebody waits for all that he has brought. */
static void one(taker_t *taker)
{
    take(taker, 1, 170);
}

static void three(taker_t *taker)
{
    take(taker, 3, 350);
}

static void sixteen(taker_t *taker)
{
    take(taker, 16, 950);
}

static void two_and_thirty(taker_t *taker)
{
    take(taker, 2, 300);
    take(taker, 30, 1600);
}

static void go(taker_t *taker, step_fn *step, int64_t ns)
{
    const int64_t end = taker->now + ns;

    while (taker->now < end)
        step(taker);
}

#define MILLISECOND 1000000

/* Behind a stream. */
static void go_until_it_waits(taker_t *taker)
{
    go(taker, stream, 10 * MILLISECOND);
    while (!taker->pace.waits)
        stream(taker);
}

static void behind_a_stream_it_waits_until_it_is_far_behind(void)
{
    taker_t taker;
    double each;

    start(&taker);
    go(&taker, stream, 100 * MILLISECOND);
    each = (double)taker.now / (double)taker.ran;
    CU_ASSERT(each < 0.75 * CLOSE);
    CU_ASSERT(taker.waits > 0);
}

/* Tried it is, and what that costs is little. */
static void who_waits_for_what_he_brought_is_not_kept_waiting(void)
{
    static step_fn *const steps[] = { one, three, sixteen, two_and_thirty,
                                      slow_stream };
    taker_t taker;
    size_t i;

    for (i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        int64_t waited;

        start(&taker);
        go(&taker, steps[i], 100 * MILLISECOND);
        CU_ASSERT(taker.waits > 0);
        waited = taker.waited;
        go(&taker, steps[i], 100 * MILLISECOND);
        CU_ASSERT(taker.waited - waited < MILLISECOND / 2); /* of 100 */
    }
}

/* While a large take is run few come. */
static void what_comes_without_a_wait_says_nothing_against_it(void)
{
    taker_t taker;

    start(&taker);
    while (!taker.pace.waits || !taker.pace.tries)
        stream(&taker);
    for (int i = 0; i < 3; i++) {
        take(&taker, 46, 46 * FAR);
        take(&taker, 2, 2 * CLOSE);
        CU_ASSERT(taker.pace.waits);
    }
}

static void when_a_stream_ends_few_are_kept_waiting(void)
{
    taker_t taker;
    unsigned waits;

    start(&taker);
    go_until_it_waits(&taker);
    waits = taker.waits;
    go(&taker, one, MILLISECOND / 10);
    CU_ASSERT(taker.waits - waits <= 8);
    CU_ASSERT_FALSE(taker.pace.waits);
}

static void a_stream_that_slows_down_is_not_waited_for_much_longer(void)
{
    taker_t taker;
    unsigned waits;

    start(&taker);
    go(&taker, one, 1000 * MILLISECOND);
    go(&taker, stream, 30 * MILLISECOND);
    CU_ASSERT(taker.pace.waits);
    go(&taker, slow_stream, 20 * MILLISECOND);
    waits = taker.waits;
    go(&taker, slow_stream, 10 * MILLISECOND);
    CU_ASSERT(taker.waits - waits <= 20);
}

static void a_stream_that_comes_late_is_noticed(void)
{
    taker_t taker;
    unsigned long long ran;

    start(&taker);
    go(&taker, one, 1000 * MILLISECOND);
    go(&taker, stream, 20 * MILLISECOND);
    ran = taker.ran;
    go(&taker, stream, 10 * MILLISECOND);
    CU_ASSERT((double)(taker.ran - ran) * 0.75 * CLOSE > 10 * MILLISECOND);
}

/* With a sleep after each; at once, and after long without one. */
static void bursts_of_a_stream_are_waited_for(void)
{
    for (int late = 0; late < 2; late++) {
        taker_t taker;
        unsigned long long ran;
        int64_t awake = 0;

        start(&taker);
        go(&taker, one, late * 1000LL * MILLISECOND);
        ran = taker.ran;
        for (int i = 0; i < 500; i++) {
            const int64_t begun = taker.now;

            taker.queued = 0;
            go(&taker, stream, MILLISECOND);
            awake += taker.now - begun;
            brood__pace_forget(&taker.pace);
            taker.now += MILLISECOND;
        }
        CU_ASSERT((double)awake / (double)(taker.ran - ran) < 0.85 * CLOSE);
    }
}

/* What is cut short time and again comes to nothing. */
static void waits_that_may_not_be_are_given_up(void)
{
    taker_t taker;

    start(&taker);
    go_until_it_waits(&taker);
    for (int i = 0; i < 5; i++) {
        sixteen(&taker);
        brood__pace_skip(&taker.pace);
    }
    CU_ASSERT_FALSE(taker.pace.waits);
}

/* Bursts with a sleep after each: nothing that is tried there goes on for ever. */
static void who_sleeps_in_between_forgets_to_wait(void)
{
    for (int n = 1; n < 200; n++) {
        taker_t taker;
        int64_t waited = 0;

        start(&taker);
        go(&taker, stream, 10 * MILLISECOND);
        for (int i = 0; i < 20000; i++) {
            if (i == 10000)
                waited = taker.waited;
            if (i % n == 0) {
                brood__pace_forget(&taker.pace);
                taker.now += MILLISECOND;
                CU_ASSERT_FALSE(taker.pace.waits);
            }
            sixteen(&taker);
        }
        CU_ASSERT(taker.waited - waited < MILLISECOND / 4);
    }
}

static void a_taker_of_many_never_waits(void)
{
    taker_t taker;

    start(&taker);
    for (int i = 0; i < 100000; i++)
        take(&taker, MOST, MOST * FAR);
    CU_ASSERT_EQUAL(taker.waits, 0);
}

static const test_t tests[] = {
    TEST(behind_a_stream_it_waits_until_it_is_far_behind),
    TEST(who_waits_for_what_he_brought_is_not_kept_waiting),
    TEST(what_comes_without_a_wait_says_nothing_against_it),
    TEST(when_a_stream_ends_few_are_kept_waiting),
    TEST(a_stream_that_slows_down_is_not_waited_for_much_longer),
    TEST(a_stream_that_comes_late_is_noticed),
    TEST(bursts_of_a_stream_are_waited_for),
    TEST(waits_that_may_not_be_are_given_up),
    TEST(who_sleeps_in_between_forgets_to_wait),
    TEST(a_taker_of_many_never_waits),
};

HARNESS_MAIN("pace", tests)
