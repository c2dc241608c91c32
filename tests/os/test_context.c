/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_context.c: two stacks take turns, and neither notices.
 * test_context_system.c runs the same with the other switch.
 */

#include "os/os.h"

#include <fenv.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unwind.h>

#include "support/support.h"

#define STACK (256u * 1024u)

typedef struct coroutine_t {
    brood__os_context_t home;
    brood__os_context_t self;
    brood__os_stack_t stack;
    void (*body)(struct coroutine_t *coroutine);
    unsigned rounds;
    double value; /* what the body came to */
    int done;
} coroutine_t;

static void enter(void *data)
{
    coroutine_t *coroutine = data;

    coroutine->body(coroutine);
    coroutine->done = 1;
    brood__os_context_leave(&coroutine->self, &coroutine->home);
}

static void make(coroutine_t *coroutine, void (*body)(coroutine_t *))
{
    memset(coroutine, 0, sizeof(*coroutine));
    coroutine->body = body;
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_context_home(&coroutine->home));
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood__os_stack_make(&coroutine->stack, STACK));
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_context_make(&coroutine->self,
                                                            &coroutine->stack,
                                                            enter, coroutine));
}

static void resume(coroutine_t *coroutine)
{
    brood__os_context_switch(&coroutine->home, &coroutine->self);
}

static void suspend(coroutine_t *coroutine)
{
    brood__os_context_switch(&coroutine->self, &coroutine->home);
}

static void drop(coroutine_t *coroutine)
{
    brood__os_context_fini(&coroutine->self);
    brood__os_context_home_fini(&coroutine->home);
    brood__os_stack_free(&coroutine->stack);
}

static void count(coroutine_t *coroutine)
{
    unsigned i;

    for (i = 0; i < 3; i++) {
        coroutine->value++;
        suspend(coroutine);
    }
}

static void sides_take_turns(void)
{
    coroutine_t coroutine;
    int i;

    make(&coroutine, count);
    for (i = 1; i <= 3; i++) {
        resume(&coroutine);
        CU_ASSERT_EQUAL(coroutine.value, i);
        CU_ASSERT_FALSE(coroutine.done);
    }
    resume(&coroutine);
    CU_ASSERT(coroutine.done);
    drop(&coroutine);
}

static void one_that_never_ran_can_be_dropped(void)
{
    coroutine_t coroutine;

    make(&coroutine, count);
    drop(&coroutine);
}

static void one_that_is_suspended_can_be_dropped(void)
{
    coroutine_t coroutine;

    make(&coroutine, count);
    resume(&coroutine);
    drop(&coroutine);
}

/* More live values than there are registers, on both sides. */
static double many_values(unsigned rounds, void (*other)(coroutine_t *),
                          coroutine_t *coroutine)
{
    double a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8, k = 9;
    long p = 1, q = 2, r = 3, s = 4, t = 5, u = 6, v = 7;
    unsigned i;

    for (i = 0; i < rounds; i++) {
        a += b, b += c * 0.5, c -= d * 0.25, d += 1, e += f * 0.125, f -= 1;
        g += h * 0.5, h = 8 - h, k += a > 1e6 ? -1e6 : 1;
        a = a > 1e9 ? 0 : a, b = b > 1e9 ? 0 : b, c = c < -1e9 ? 0 : c;
        p += q, q ^= r, r += s, s ^= t, t += u, u ^= v, v += p & 0xff;
        if (other)
            other(coroutine);
    }
    return a + b + c + d + e + f + g + h + k
           + (double)((p ^ q ^ r ^ s ^ t ^ u ^ v) & 0xffff);
}

static void compute(coroutine_t *coroutine)
{
    coroutine->value = many_values(coroutine->rounds, suspend, coroutine);
}

static void ten_thousand_switches_keep_every_register(void)
{
    const unsigned rounds = test_rounds(10000);
    const double expected = many_values(rounds, NULL, NULL);
    coroutine_t coroutine;

    make(&coroutine, compute);
    coroutine.rounds = rounds;
    CU_ASSERT_EQUAL(many_values(rounds, resume, &coroutine), expected);
    resume(&coroutine);
    CU_ASSERT(coroutine.done);
    CU_ASSERT_EQUAL(coroutine.value, expected);
    drop(&coroutine);
}

/* As the CPU rounds; fegetround() looks at one of its two units only. */
static long rounded(void)
{
    volatile double half_way = 2.5;

    return lrint(half_way);
}

static void round_up(coroutine_t *coroutine)
{
    fesetround(FE_UPWARD);
    suspend(coroutine);
    coroutine->rounds = fegetround() == FE_UPWARD;
    coroutine->value = (double)rounded();
}

static void each_side_rounds_as_it_likes(void)
{
    coroutine_t coroutine;

    fesetround(FE_DOWNWARD);
    make(&coroutine, round_up);
    resume(&coroutine);
    CU_ASSERT_EQUAL(fegetround(), FE_DOWNWARD);
    fesetround(FE_TONEAREST);
    resume(&coroutine);
    CU_ASSERT_EQUAL(fegetround(), FE_TONEAREST);
    CU_ASSERT_EQUAL(rounded(), 2);
    CU_ASSERT_EQUAL(coroutine.rounds, 1);
    CU_ASSERT_EQUAL(coroutine.value, 3);
    drop(&coroutine);
}

static int BROOD__NOINLINE nest(coroutine_t *coroutine, int depth)
{
    volatile char frame[100];

    memset((char *)frame, depth, sizeof(frame));
    if (depth == 0) {
        suspend(coroutine);
        return 0;
    }
    return nest(coroutine, depth - 1) + (frame[99] == (char)depth);
}

static void go_deep(coroutine_t *coroutine)
{
    coroutine->value = nest(coroutine, 500);
}

static void deep_stacks_survive_a_switch(void)
{
    coroutine_t coroutine;

    make(&coroutine, go_deep);
    resume(&coroutine);
    CU_ASSERT_FALSE(coroutine.done);
    resume(&coroutine);
    CU_ASSERT(coroutine.done);
    CU_ASSERT_EQUAL(coroutine.value, 500);
    drop(&coroutine);
}

static void stand_aligned(coroutine_t *coroutine)
{
    _Alignas(16) volatile char aligned[16];

    aligned[0] = 0;
    coroutine->value = (double)((uintptr_t)aligned % 16);
    coroutine->rounds = (unsigned)brood__os_stack_below(
        &coroutine->stack, __builtin_frame_address(0));
}

static void the_stack_is_aligned_and_almost_all_there(void)
{
    coroutine_t coroutine;

    make(&coroutine, stand_aligned);
    resume(&coroutine);
    CU_ASSERT_EQUAL(coroutine.value, 0);
    CU_ASSERT(BROOD__CONTEXT_BRINGS_STACK
              || (coroutine.rounds > STACK - 4096 && coroutine.rounds < STACK));
    drop(&coroutine);
}

static void know_no_stack(coroutine_t *coroutine)
{
    coroutine->rounds = (unsigned)brood__os_stack_left();
}

static void the_threads_stack_is_unknown_on_another(void)
{
    coroutine_t coroutine;

    make(&coroutine, know_no_stack);
    coroutine.rounds = 1;
    resume(&coroutine);
    CU_ASSERT_EQUAL(coroutine.rounds, 0);
    drop(&coroutine);
}

static void a_stack_is_used_again_after_its_end(void)
{
    coroutine_t coroutine;
    int i;

    make(&coroutine, compute);
    for (i = 0; i < 100; i++) {
        coroutine.rounds = 0;
        resume(&coroutine);
        CU_ASSERT(coroutine.done);
        coroutine.done = 0;
        brood__os_context_fini(&coroutine.self);
        ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_context_make(
                                             &coroutine.self, &coroutine.stack,
                                             enter, &coroutine));
    }
    drop(&coroutine);
}

#define LIVE 500

static void many_wait_at_once(void)
{
    coroutine_t *all = apr_pcalloc(test_pool, LIVE * sizeof(*all));
    int round;
    int i;

    for (i = 0; i < LIVE; i++)
        make(&all[i], count);
    for (round = 0; round < 4; round++)
        for (i = 0; i < LIVE; i++)
            resume(&all[i]);
    for (i = 0; i < LIVE; i++) {
        CU_ASSERT(all[i].done && all[i].value == 3);
        drop(&all[i]);
    }
}

static void *on_thread(void *wrong)
{
    const double expected = many_values(1000, NULL, NULL);
    coroutine_t coroutine;

    memset(&coroutine, 0, sizeof(coroutine));
    coroutine.body = compute;
    coroutine.rounds = 1000;
    if (brood__os_context_home(&coroutine.home) != APR_SUCCESS
        || brood__os_stack_make(&coroutine.stack, STACK) != APR_SUCCESS
        || brood__os_context_make(&coroutine.self, &coroutine.stack, enter,
                                  &coroutine)
               != APR_SUCCESS)
        return wrong;
    if (many_values(1000, resume, &coroutine) != expected)
        return wrong;
    resume(&coroutine);
    drop(&coroutine);
    return coroutine.value == expected ? NULL : wrong;
}

static void every_thread_has_its_own(void)
{
    static char wrong;
    pthread_t threads[4];
    void *result;
    int i;

    for (i = 0; i < 4; i++)
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&threads[i], NULL, on_thread, &wrong), 0);
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], &result);
        CU_ASSERT_PTR_NULL(result);
    }
}

/* Stands in for the C++ runtime's; the library refers to it weakly. */
brood__os_caught_t *__cxa_get_globals(void);

brood__os_caught_t *__cxa_get_globals(void)
{
    static BROOD__THREAD_LOCAL brood__os_caught_t caught;

    return &caught;
}

static void handle_an_exception(coroutine_t *coroutine)
{
    brood__os_caught_t *mine = __cxa_get_globals();

    coroutine->rounds = mine->exceptions == NULL && mine->uncaught == 0;
    mine->exceptions = coroutine;
    mine->uncaught = 1;
    suspend(coroutine);
    coroutine->value = mine->exceptions == coroutine && mine->uncaught == 1;
}

static void each_side_handles_its_own_exceptions(void)
{
    brood__os_caught_t *mine = __cxa_get_globals();
    coroutine_t coroutine;

    make(&coroutine, handle_an_exception);
    mine->exceptions = mine;
    mine->uncaught = 7;
    resume(&coroutine);
    CU_ASSERT(mine->exceptions == mine && mine->uncaught == 7);
    mine->uncaught = 8;
    resume(&coroutine);
    CU_ASSERT(mine->exceptions == mine && mine->uncaught == 8);
    CU_ASSERT_EQUAL(coroutine.rounds, 1);
    CU_ASSERT_EQUAL(coroutine.value, 1);
    mine->exceptions = NULL;
    mine->uncaught = 0;
    drop(&coroutine);
}

static _Unwind_Reason_Code count_frame(struct _Unwind_Context *frame,
                                       void *count)
{
    (void)frame;
    return ++*(unsigned *)count < 100 ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

static void unwind(coroutine_t *coroutine)
{
    coroutine->value = _Unwind_Backtrace(count_frame, &coroutine->rounds)
                       == _URC_END_OF_STACK;
}

static void unwinding_ends_at_the_entry(void)
{
    coroutine_t coroutine;

    make(&coroutine, unwind);
    resume(&coroutine);
    CU_ASSERT_EQUAL(coroutine.value, 1);
    CU_ASSERT(coroutine.rounds >= 1 && coroutine.rounds < 10);
    drop(&coroutine);
}

static int BROOD__NOINLINE recurse(volatile char *above)
{
    volatile char frame[1024];

    frame[0] = *above;
    return *above ? recurse(frame) + frame[0] : 0; /* never 0 */
}

static void overflow(coroutine_t *coroutine)
{
    volatile char start = 1;

    coroutine->value = recurse(&start);
}

static int overflow_in_child(void *baton)
{
    signal(SIGSEGV, SIG_DFL);
    resume(baton);
    return 0;
}

static void an_overflow_kills_and_does_not_spread(void)
{
    coroutine_t coroutine;

    make(&coroutine, overflow);
    CU_ASSERT_EQUAL(test_in_child(overflow_in_child, &coroutine),
                    CHILD_CRASHED);
    drop(&coroutine);
}

static void return_from_entry(void *unused)
{
    (void)unused;
}

static int resume_and_return(void *baton)
{
    coroutine_t *coroutine = baton;

    fclose(stderr);
    resume(coroutine);
    return 0;
}

static void an_entry_that_returns_aborts(void)
{
    coroutine_t coroutine;

    make(&coroutine, count);
    brood__os_context_fini(&coroutine.self);
    ASSERT_STATUS_FATAL(
        APR_SUCCESS, brood__os_context_make(&coroutine.self, &coroutine.stack,
                                            return_from_entry, NULL));
    CU_ASSERT_EQUAL(test_in_child(resume_and_return, &coroutine),
                    CHILD_ABORTED);
    drop(&coroutine);
}

static const test_t tests[] = {
    TEST(sides_take_turns),
    TEST(one_that_never_ran_can_be_dropped),
    TEST(one_that_is_suspended_can_be_dropped),
    TEST(ten_thousand_switches_keep_every_register),
    TEST(each_side_rounds_as_it_likes),
    TEST(deep_stacks_survive_a_switch),
    TEST(the_stack_is_aligned_and_almost_all_there),
    TEST(the_threads_stack_is_unknown_on_another),
    TEST(a_stack_is_used_again_after_its_end),
    TEST(many_wait_at_once),
    TEST(every_thread_has_its_own),
    TEST(each_side_handles_its_own_exceptions),
    TEST(unwinding_ends_at_the_entry),
    TEST(an_overflow_kills_and_does_not_spread),
    TEST(an_entry_that_returns_aborts),
};
HARNESS_MAIN_BARE("context", tests)
