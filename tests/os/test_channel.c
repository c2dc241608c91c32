/* SPDX-License-Identifier: Apache-2.0 */

/* test_channel.c: what worker processes stand on: blocks, channels, bells, the
 * watcher. Processes themselves: tests/process. */

#include <string.h>

#include "base/fault.h"
#include "os/process.h"
#include "support/support.h"

enum { BYTES = 8192 };

static void a_block_keeps_its_size_and_what_is_frozen_its_bytes(void)
{
    brood__os_block_t block, other = { 0 };
    int safe = 0;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_block_make(&block, BYTES));
    memset(block.base, 7, BYTES);
    ASSERT_STATUS(APR_EINVAL,
                  brood__os_block_map(&other, block.handle, BYTES + 1, 0));
    ASSERT_STATUS(APR_SUCCESS, brood__os_block_freeze(&block));
    CU_ASSERT_PTR_NULL(block.base);
    CU_ASSERT_NOT_EQUAL(brood__os_block_map(&other, block.handle, BYTES, 1),
                        APR_SUCCESS);
    ASSERT_STATUS_FATAL(
        APR_SUCCESS, brood__os_block_open(&other, block.handle, BYTES, &safe));
    if (safe) {
        char bytes[BYTES];

        ASSERT_STATUS(APR_SUCCESS, brood__os_block_read(&other, bytes, BYTES));
        CU_ASSERT(bytes[0] == 7 && bytes[BYTES - 1] == 7);
        ASSERT_STATUS(APR_EINVAL,
                      brood__os_block_read(&other, bytes, BYTES + 1));
    }
    brood__os_block_free(&other); /* it took the handle over */
    brood__os_block_free(&other); /* does nothing */
}

/* Where a receiver can see that a block is frozen, he must be told of one that
 * is not; elsewhere no block is called safe. */
static int freezing_shows(void)
{
    brood__os_block_t block, other;
    int safe = 0;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_block_make(&block, BYTES));
    ASSERT_STATUS(APR_SUCCESS, brood__os_block_freeze(&block));
    ASSERT_STATUS_FATAL(
        APR_SUCCESS, brood__os_block_open(&other, block.handle, BYTES, &safe));
    brood__os_block_free(&other);
    return safe;
}

static void a_block_that_is_not_frozen_is_not_called_safe(void)
{
    const int refused = freezing_shows();
    brood__os_block_t block, other = { 0 };
    int safe = 1;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_block_make(&block, BYTES));
    if (brood__os_block_read_only(&block) != APR_SUCCESS) {
        brood__os_block_free(&block);
        TEST_SKIP("there are no seals");
    }
    memset(block.base, 1, BYTES); /* ours stays writable */
    CU_ASSERT_NOT_EQUAL(brood__os_block_map(&other, block.handle, BYTES, 1),
                        APR_SUCCESS);
    ASSERT_STATUS(refused ? APR_EINVAL : APR_SUCCESS,
                  brood__os_block_open(&other, block.handle, BYTES, &safe));
    CU_ASSERT_EQUAL(safe, 0);
    brood__os_block_free(&other);
    block.handle = BROOD__OS_NO_HANDLE; /* taken over */
    brood__os_block_free(&block);
}

static void a_channel_carries_messages_with_a_handle_each(void)
{
    const brood__os_message_t sent = { 3, 4, 5 };
    brood__os_message_t got;
    brood__os_handle_t ends[2], handle;
    brood__os_block_t block, other = { 0 };

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_channel_make(ends));
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_block_make(&block, BYTES));
    memset(block.base, 9, BYTES);
    ASSERT_STATUS(APR_EAGAIN,
                  brood__os_channel_receive(ends[1], &got, &handle, 0));
    ASSERT_STATUS(APR_TIMEUP, brood__os_channel_wait(ends[1], 1000));
    ASSERT_STATUS(APR_SUCCESS,
                  brood__os_channel_send(ends[0], &sent, block.handle));
    ASSERT_STATUS(APR_SUCCESS,
                  brood__os_channel_send(ends[0], &sent, BROOD__OS_NO_HANDLE));
    ASSERT_STATUS(APR_SUCCESS, brood__os_channel_wait(ends[1], -1));
    ASSERT_STATUS(APR_SUCCESS,
                  brood__os_channel_receive(ends[1], &got, &handle, 0));
    CU_ASSERT(got.what == 3 && got.size == 4 && got.where == 5);
    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood__os_block_map(&other, handle, BYTES, 0));
    CU_ASSERT_EQUAL(*(char *)other.base, 9);
    ASSERT_STATUS(APR_SUCCESS,
                  brood__os_channel_receive(ends[1], &got, &handle, 1));
    CU_ASSERT_EQUAL(handle, BROOD__OS_NO_HANDLE);
    brood__os_channel_end(ends[0]);
    ASSERT_STATUS(APR_EOF,
                  brood__os_channel_receive(ends[0], &got, &handle, 1));
    brood__os_handle_close(ends[0]);
    ASSERT_STATUS(APR_EOF,
                  brood__os_channel_receive(ends[1], &got, &handle, 1));
    ASSERT_STATUS(APR_EOF,
                  brood__os_channel_send(ends[1], &sent, BROOD__OS_NO_HANDLE));
    brood__os_handle_close(ends[1]);
    brood__os_block_free(&block);
    brood__os_block_free(&other);
}

static void a_full_channel_does_not_block(void)
{
    const brood__os_message_t message = { 1, 2, 3 };
    brood__os_handle_t ends[2];
    apr_status_t rv = APR_SUCCESS;
    int n;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_channel_make(ends));
    for (n = 0; n < 1000000 && rv == APR_SUCCESS; n++)
        rv = brood__os_channel_send(ends[0], &message, BROOD__OS_NO_HANDLE);
    ASSERT_STATUS(APR_EAGAIN, rv);
    brood__os_handle_close(ends[0]);
    brood__os_handle_close(ends[1]);
}

static void a_bell_is_heard_and_its_end_is_seen(void)
{
    brood__os_watcher_t *watcher;
    brood__os_handle_t ends[20][2];
    int ready[20] = { 0 };
    int i;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_watcher_make(&watcher));
    for (i = 0; i < 20; i++) {
        ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_bell_make(ends[i]));
        ASSERT_STATUS(APR_SUCCESS,
                      brood__os_watcher_add(watcher, ends[i][0], &ready[i]));
    }
    brood__os_watcher_wait(watcher, 0);
    CU_ASSERT_EQUAL(ready[7], 0);
    brood__os_bell_ring(ends[7][1]);
    brood__os_watcher_wait(watcher, -1);
    CU_ASSERT(ready[7] == 1 && ready[6] == 0 && ready[8] == 0);
    CU_ASSERT_TRUE(brood__os_bell_clear(ends[7][0]));
    CU_ASSERT_TRUE(brood__os_bell_clear(ends[7][0])); /* nothing: no wait */
    brood__os_handle_close(ends[3][1]);
    brood__os_watcher_wait(watcher, -1);
    CU_ASSERT_EQUAL(ready[3], 1);
    CU_ASSERT_FALSE(brood__os_bell_clear(ends[3][0]));
    ends[3][1] = BROOD__OS_NO_HANDLE;
    brood__os_watcher_remove(watcher, ends[3][0]);
    brood__os_watcher_wake(watcher);
    brood__os_watcher_wait(watcher, -1);
    brood__os_watcher_wait(watcher, 1000);
    for (i = 0; i < 20; i++) {
        brood__os_watcher_remove(watcher, ends[i][0]);
        brood__os_handle_close(ends[i][0]);
        brood__os_handle_close(ends[i][1]);
    }
    brood__os_watcher_free(watcher);
    brood__os_watcher_free(NULL);
}

/* More than a system may wait for in one call; then most are taken away, so that
 * the rest are waited for in another way. */
static void a_watcher_hears_every_one_of_many(void)
{
    enum { N = 200, KEPT = 10 };
    brood__os_watcher_t *watcher;
    brood__os_handle_t ends[N][2];
    int ready[N] = { 0 };
    int i, round;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_watcher_make(&watcher));
    for (i = 0; i < N; i++) {
        ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_bell_make(ends[i]));
        ASSERT_STATUS_FATAL(
            APR_SUCCESS, brood__os_watcher_add(watcher, ends[i][0], &ready[i]));
    }
    for (round = 0; round < 3; round++) {
        const int first = round < 2 ? 0 : N - KEPT;

        for (i = 0; round == 2 && i < first; i++)
            brood__os_watcher_remove(watcher, ends[i][0]);
        for (i = N - 1; i >= first; i--)
            brood__os_bell_ring(ends[i][1]);
        for (i = first; i < N; i++) {
            while (!ready[i])
                brood__os_watcher_wait(watcher, -1);
            CU_ASSERT_TRUE(brood__os_bell_clear(ends[i][0]));
        }
        memset(ready, 0, sizeof(ready));
        brood__os_watcher_wait(watcher, 0);
        for (i = 0; i < N; i++)
            CU_ASSERT_EQUAL(ready[i], 0);
    }
    brood__os_watcher_free(watcher);
    for (i = 0; i < N; i++) {
        brood__os_handle_close(ends[i][0]);
        brood__os_handle_close(ends[i][1]);
    }
}

static void what_cannot_be_made_leaves_nothing(void)
{
    brood__os_watcher_t *watcher;
    brood__os_block_t block;
    brood__os_handle_t ends[2];

    brood__fault_at(BROOD__FAULT_DESCRIPTOR, 1);
    ASSERT_STATUS(APR_EMFILE, brood__os_block_make(&block, BYTES));
    brood__fault_at(BROOD__FAULT_DESCRIPTOR, 1);
    ASSERT_STATUS(APR_EMFILE, brood__os_channel_make(ends));
    brood__fault_at(BROOD__FAULT_DESCRIPTOR, 1);
    ASSERT_STATUS(APR_EMFILE, brood__os_watcher_make(&watcher));
    CU_ASSERT_PTR_NULL(watcher);
    brood__fault_at(BROOD__FAULT_MEMORY, 1);
    ASSERT_STATUS(APR_ENOMEM, brood__os_block_make(&block, BYTES));
    brood__fault_at(BROOD__FAULT_MEMORY, 2);
    ASSERT_STATUS(APR_ENOMEM, brood__os_watcher_make(&watcher));
    CU_ASSERT_PTR_NULL(watcher);
}

static const test_t tests[] = {
    TEST(a_block_keeps_its_size_and_what_is_frozen_its_bytes),
    TEST(a_block_that_is_not_frozen_is_not_called_safe),
    TEST(a_channel_carries_messages_with_a_handle_each),
    TEST(a_full_channel_does_not_block),
    TEST(a_bell_is_heard_and_its_end_is_seen),
    /* Where it takes threads of the system's, those stay for a while. */
    TEST_KEEPS(a_watcher_hears_every_one_of_many,
               KEEPS_THREADS | KEEPS_DESCRIPTORS),
    TEST(what_cannot_be_made_leaves_nothing),
};

HARNESS_MAIN_BARE("channel", tests)
