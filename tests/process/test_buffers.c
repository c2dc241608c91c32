/* SPDX-License-Identifier: Apache-2.0 */

/* test_buffers.c: where the bytes of a result are while it travels; and the ring
 * of bytes that payloads and results lie in. */

#include "process/tasks.h"

#include <stdio.h>

#include "process/wire.h"

/* ---- in the worker ---------------------------------------------------------- */

/* "<made> <kept>": a buffer of so many bytes, cut to so many, all of them 'x'. */
static apr_status_t cut(const void *in, size_t len, brood_buffer_t **out)
{
    char text[40] = "";
    unsigned long made = 0, kept = 0;
    apr_status_t rv;

    memcpy(text, in, len < sizeof(text) ? len : sizeof(text) - 1);
    if (sscanf(text, "%lu %lu", &made, &kept) != 2)
        return APR_EINVAL;
    rv = brood_buffer_make(out, made);
    if (rv != APR_SUCCESS)
        return rv;
    memset(brood_buffer_data(*out), 'x', made);
    return brood_buffer_truncate(*out, kept);
}

/* The second of two, while somebody still has the first. */
static apr_status_t second(const void *in, size_t len, brood_buffer_t **out)
{
    static brood_buffer_t *first;
    apr_status_t rv = brood_buffer_make(&first, 5000);

    if (rv != APR_SUCCESS)
        return rv;
    memset(brood_buffer_data(first), 'y', 5000);
    rv = brood_buffer_make(out, 3000);
    if (rv == APR_SUCCESS)
        memset(brood_buffer_data(*out), 'x', 3000);
    return (void)in, (void)len, rv;
}

/* None at all, though it has made one. */
static apr_status_t waste(const void *in, size_t len, brood_buffer_t **out)
{
    static brood_buffer_t *wasted;

    return (void)in, (void)len, (void)out, brood_buffer_make(&wasted, 900000);
}

static const brood_process_entry_t table[] = {
    { "echo", task_echo }, { "cut", cut }, { "second", second },
    { "waste", waste },    { NULL, NULL },
};

/* ---- in the host ------------------------------------------------------------ */

static brood_process_manager_t *one_worker(void)
{
    brood_process_manager_options_t o = OPTIONS;

    o.max_workers = 1;
    return process_manager(&o);
}

static void expect_xs(brood_future_t *future, size_t n)
{
    void *value = NULL;
    const char *bytes;
    size_t i;

    ASSERT_STATUS(APR_SUCCESS, brood_future_get(future, &value, -1));
    CU_ASSERT_EQUAL_FATAL(brood_buffer_size(value), n);
    bytes = brood_buffer_data(value);
    for (i = 0; i < n && bytes[i] == 'x'; i++)
        ;
    CU_ASSERT_EQUAL(i, n);
    (void)brood_future_release(future);
}

/* From every place where it may be made to every place where it is sent. */
static void a_result_may_be_cut(void)
{
    static const unsigned long sizes[] = { 0,      1,       80,      81,
                                           100000, 1048576, 1048577, 2000000 };
    enum { N = sizeof(sizes) / sizeof(sizes[0]) };
    brood_process_manager_t *m = one_worker();
    char text[40];
    int i, j;

    for (i = 0; i < N; i++)
        for (j = 0; j <= i; j++) {
            (void)snprintf(text, sizeof(text), "%lu %lu", sizes[i], sizes[j]);
            expect_xs(process_submit(m, "cut", text), sizes[j]);
            process_expect(m, "echo", "next", "next");
        }
    process_stop(m);
}

/* The first one's place is given back all the same: there is room for few. */
static void what_is_kept_or_wasted_takes_no_room_for_ever(void)
{
    brood_process_manager_t *m = one_worker();
    int i;

    for (i = 0; i < 20; i++) {
        expect_xs(process_submit(m, "second", NULL), 3000);
        ASSERT_STATUS(APR_SUCCESS, process_end(process_submit(m, "waste", "")));
    }
    expect_xs(process_submit(m, "cut", "1000000 1000000"), 1000000);
    process_stop(m);
}

/* More than fit into the ring at once, of a size that does not divide it; each
 * waits until there is room, and goes around the end of it. */
static void payloads_and_results_go_around_the_ring(void)
{
    enum { N = 40, SIZE = 700001 };
    brood_process_manager_t *m = one_worker();
    brood_future_t *futures[N];
    char *bytes = malloc(SIZE);
    int i;

    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    memset(bytes, 'x', SIZE);
    for (i = 0; i < N; i++)
        ASSERT_STATUS_FATAL(APR_SUCCESS,
                            brood_process_manager_submit(&futures[i], m, "echo",
                                                         bytes, SIZE, NULL));
    for (i = 0; i < N; i++)
        expect_xs(futures[i], SIZE);
    free(bytes);
    process_stop(m);
}

/* ---- the ring itself ---------------------------------------------------------- */

static void a_ring_gives_places_in_one_piece(void)
{
    const uint64_t whole = BROOD__WIRE_ARENA, none = (uint64_t)-1;
    brood__arena_t arena = { 0, 0 };
    uint64_t after_first;

    CU_ASSERT_EQUAL(brood__arena_take(&arena, whole + 1), none);
    CU_ASSERT_EQUAL(brood__arena_take(&arena, 1), 0);
    after_first = arena.head;
    CU_ASSERT_EQUAL(after_first, BROOD__WIRE_ALIGN);
    CU_ASSERT_EQUAL(brood__arena_take(&arena, whole - 128), after_first);
    CU_ASSERT_EQUAL(brood__arena_take(&arena, 65), none); /* 64 are left */
    CU_ASSERT_EQUAL(arena.head, whole - 64); /* what fails takes nothing */
    arena.tail = after_first;                /* the first is read */
    CU_ASSERT_EQUAL(brood__arena_take(&arena, 65), none);
    CU_ASSERT_EQUAL(brood__arena_take(&arena, 64), whole - 64);
    CU_ASSERT_EQUAL(brood__arena_take(&arena, 64), 0);
    CU_ASSERT_EQUAL(brood__arena_take(&arena, 1), none); /* it is full */

    arena.tail = whole - 64; /* only those two are left */
    CU_ASSERT_EQUAL(brood__arena_take(&arena, 100), 64);
    arena.tail = arena.head; /* empty: it begins anew */
    CU_ASSERT_EQUAL(brood__arena_take(&arena, whole), 0);
    CU_ASSERT_EQUAL(brood__arena_take(&arena, 0), 0);
}

/* What does not fit before the end leaves that unused, and begins at 0. */
static void a_ring_leaves_its_end_unused_for_what_is_longer(void)
{
    const uint64_t whole = BROOD__WIRE_ARENA, none = (uint64_t)-1;
    brood__arena_t arena = { 0, 0 };
    uint64_t head;

    CU_ASSERT_EQUAL(brood__arena_take(&arena, whole - 1024), 0);
    CU_ASSERT_EQUAL(brood__arena_take(&arena, 512), whole - 1024);
    arena.tail = whole - 1024; /* the first is read */
    head = arena.head;
    CU_ASSERT_EQUAL(brood__arena_take(&arena, 1024), 0);
    CU_ASSERT_EQUAL(arena.head, head + 512 + 1024);
    CU_ASSERT_EQUAL(brood__arena_take(&arena, whole - 2048), 1024);
    CU_ASSERT_EQUAL(brood__arena_take(&arena, 64), none);
}

static const test_t tests[] = {
    TEST_KEEPS(a_result_may_be_cut, KEEPS_MEMORY),
    TEST_KEEPS(what_is_kept_or_wasted_takes_no_room_for_ever, KEEPS_MEMORY),
    TEST_KEEPS(payloads_and_results_go_around_the_ring, KEEPS_MEMORY),
    TEST(a_ring_gives_places_in_one_piece),
    TEST(a_ring_leaves_its_end_unused_for_what_is_longer),
};

PROCESS_MAIN_TABLE("buffers", tests, table)
