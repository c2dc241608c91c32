/* SPDX-License-Identifier: Apache-2.0 */

/* test_thread.c: our threads start, have their stack, and go. */

#include "os/thread.h"

#include <string.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "os/lock.h"
#include "support/support.h"

/* What a thread saw; read after its join. */
typedef struct seen_t {
    size_t stack;
    size_t stack_again;
} seen_t;

static void look_around(void *arg)
{
    seen_t *seen = arg;

    seen->stack = brood__os_stack_left();
    seen->stack_again = brood__os_stack_left();
}

static seen_t seen_by_thread(const char *name, size_t stack_size)
{
    brood__thread_t *thread = NULL;
    seen_t seen;

    memset(&seen, 0, sizeof(seen));
    ASSERT_STATUS(APR_SUCCESS, brood__thread_start(&thread, look_around, &seen,
                                                   name, stack_size));
    if (thread)
        brood__thread_join(thread);
    return seen;
}

static void the_stack_has_the_size_that_was_asked_for(void)
{
    const size_t mib = 1024 * 1024; /* a sanitizer takes its part of one */
    seen_t seen = seen_by_thread("stack", 16 * mib);

    CU_ASSERT(seen.stack > 15 * mib && seen.stack <= 16 * mib);
    CU_ASSERT(seen.stack_again <= seen.stack + 4096);
    seen = seen_by_thread("tiny", 1); /* rounded up to what works */
    CU_ASSERT(seen.stack > 16 * 1024);
}

static size_t BROOD__NOINLINE left_below_a_large_frame(size_t last)
{
    volatile char room[40 * 1024];
    size_t left;

    room[last] = 1; /* which one is not known, so all of it is there */
    left = brood__os_stack_left();
    return room[last] ? left : 0;
}

static void what_is_left_shrinks_as_calls_nest(void)
{
    const size_t here = brood__os_stack_left();

    CU_ASSERT(here > 100 * 1024);
    CU_ASSERT(left_below_a_large_frame(here % 1024) + 40 * 1024 <= here);
}

static void a_refused_thread_leaves_nothing(void)
{
    static const brood__fault_e kinds[] = { BROOD__FAULT_MEMORY,
                                            BROOD__FAULT_THREAD };
    static const apr_status_t expected[] = { APR_ENOMEM, APR_EAGAIN };
    brood__thread_t *thread = (void *)&thread;
    seen_t seen;
    int i;

    for (i = 0; i < 2; i++) {
        const size_t before = brood__alloc_live();

        brood__fault_at(kinds[i], 1);
        ASSERT_STATUS(expected[i], brood__thread_start(&thread, look_around,
                                                       &seen, "refused", 0));
        CU_ASSERT_PTR_NULL(thread);
        CU_ASSERT_EQUAL(brood__alloc_live(), before);
    }
}

static void an_impossible_stack_is_refused(void)
{
    brood__thread_t *thread = NULL;
    seen_t seen;

    CU_ASSERT(brood__thread_start(&thread, look_around, &seen, "huge",
                                  (size_t)1 << 60)
              != APR_SUCCESS);
    CU_ASSERT_PTR_NULL(thread);
}

typedef struct detached_t {
    brood__gate_t go;
    brood__thread_t *self;
    atomic_uint *done;
} detached_t;

static void wait_and_count(void *arg)
{
    detached_t *baton = arg;
    atomic_uint *done = baton->done;

    (void)brood__gate_wait(&baton->go, -1);
    if (baton->self)
        brood__thread_detach(baton->self);
    brood__free(baton);
    brood__add(done, 1, relaxed);
}

/* Detached before its end, after it, and by itself, all at once. */
static void detached_threads_free_themselves(void)
{
    const unsigned rounds = test_rounds(60);
    const size_t before = brood__alloc_live();
    atomic_uint done;
    unsigned i;

    brood__store(&done, 0, relaxed);
    for (i = 0; i < rounds; i++) {
        detached_t *baton = brood__alloc(sizeof(*baton));
        brood__thread_t *thread = NULL;

        CU_ASSERT_FATAL(baton != NULL);
        brood__gate_init(&baton->go);
        baton->done = &done;
        ASSERT_STATUS_FATAL(APR_SUCCESS,
                            brood__thread_start(&thread, wait_and_count, baton,
                                                "detached", 128 * 1024));
        if (i % 3 == 0)
            brood__thread_detach(thread);
        else if (i % 3 == 1)
            baton->self = thread;
        brood__gate_open(&baton->go);
        if (i % 3 == 2)
            brood__thread_detach(thread);
    }
    WAIT_UNTIL(brood__load(&done, relaxed) == rounds);
    /* The last one may still be on its way to its grave. */
    WAIT_UNTIL((brood__thread_reap(), brood__alloc_live() == before));
}

static void open_gate(void *gate)
{
    brood__gate_open(gate);
}

static void a_thread_may_be_detached_after_its_end(void)
{
    const size_t before = brood__alloc_live();
    const long threads = platform_threads();
    brood__thread_t *thread = NULL;
    brood__gate_t gate;

    brood__gate_init(&gate);
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__thread_start(&thread, open_gate,
                                                         &gate, "ended", 0));
    (void)brood__gate_wait(&gate, -1);
    WAIT_UNTIL(platform_threads() <= threads);
    brood__thread_detach(thread);
    CU_ASSERT_EQUAL(brood__alloc_live(), before);
}

static void reaping_nothing_is_harmless(void)
{
    brood__thread_reap();
    brood__thread_reap();
}

static atomic_uint g_ended; /* calls of the exit hook */

/* `data` says whether to be called once more. */
static void on_exit_of_thread(void *data)
{
    static char done;

    brood__add(&g_ended, 1, relaxed);
    if (*(char *)data == 'a')
        (void)brood__os_exit_hook_set(&done);
}

static void set_hook(void *data)
{
    if (*(char *)data)
        (void)brood__os_exit_hook_set(data);
}

static void the_exit_hook_runs_for_threads_that_set_it(void)
{
    static char kinds[] = { '\0', 'o', 'a' }; /* not set, once, again */
    brood__thread_t *thread = NULL;
    unsigned i;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_exit_hook(on_exit_of_thread));
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_exit_hook(on_exit_of_thread));
    for (i = 0; i < 3; i++) {
        brood__store(&g_ended, 0, relaxed);
        ASSERT_STATUS_FATAL(
            APR_SUCCESS,
            brood__thread_start(&thread, set_hook, &kinds[i], "hook", 0));
        brood__thread_join(thread);
        CU_ASSERT_EQUAL(brood__load(&g_ended, relaxed), i);
    }
}

static const test_t tests[] = {
    TEST(the_stack_has_the_size_that_was_asked_for),
    TEST(what_is_left_shrinks_as_calls_nest),
    TEST(a_refused_thread_leaves_nothing),
    TEST(an_impossible_stack_is_refused),
    TEST(detached_threads_free_themselves),
    TEST(a_thread_may_be_detached_after_its_end),
    TEST(reaping_nothing_is_harmless),
    TEST(the_exit_hook_runs_for_threads_that_set_it),
};
HARNESS_MAIN_BARE("thread", tests)
