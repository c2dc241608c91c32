/* SPDX-License-Identifier: Apache-2.0 */

/* test_buffer.c: bytes that travel. */

#include <brood/buffer.h>
#include <brood/init.h>

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "support/support.h"

static brood_buffer_t *copy_of(const char *text)
{
    brood_buffer_t *buffer = NULL;

    ASSERT_STATUS_FATAL(APR_SUCCESS,
                        brood_buffer_copy(&buffer, text, strlen(text)));
    return buffer;
}

static void a_copy_has_the_bytes(void)
{
    char text[] = "abc";
    brood_buffer_t *buffer = copy_of(text);

    text[0] = 'x';
    CU_ASSERT_EQUAL(brood_buffer_size(buffer), 3);
    CU_ASSERT_EQUAL(memcmp(brood_buffer_data(buffer), "abc", 3), 0);
    CU_ASSERT_EQUAL((uintptr_t)brood_buffer_data(buffer) % 16, 0);
    CU_ASSERT_PTR_NULL(brood_buffer_release(buffer));
}

static void one_may_have_no_bytes(void)
{
    brood_buffer_t *buffers[2];
    int i;

    ASSERT_STATUS(APR_SUCCESS, brood_buffer_make(&buffers[0], 0));
    ASSERT_STATUS(APR_SUCCESS, brood_buffer_copy(&buffers[1], NULL, 0));
    for (i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(brood_buffer_size(buffers[i]), 0);
        CU_ASSERT_PTR_NOT_NULL(brood_buffer_data(buffers[i]));
        ASSERT_STATUS(APR_SUCCESS, brood_buffer_truncate(buffers[i], 0));
        ASSERT_STATUS(APR_EINVAL, brood_buffer_truncate(buffers[i], 1));
        (void)brood_buffer_release(buffers[i]);
    }
}

static void it_only_gets_shorter(void)
{
    brood_buffer_t *buffer = copy_of("abcdef");

    ASSERT_STATUS(APR_SUCCESS, brood_buffer_truncate(buffer, 6));
    ASSERT_STATUS(APR_SUCCESS, brood_buffer_truncate(buffer, 4));
    CU_ASSERT_EQUAL(brood_buffer_size(buffer), 4);
    ASSERT_STATUS(APR_EINVAL, brood_buffer_truncate(buffer, 5));
    CU_ASSERT_EQUAL(brood_buffer_size(buffer), 4);
    CU_ASSERT_EQUAL(memcmp(brood_buffer_data(buffer), "abcd", 4), 0);
    (void)brood_buffer_release(buffer);
}

static void it_lives_as_long_as_a_reference(void)
{
    brood_buffer_t *buffer = copy_of("abc");
    const size_t live = brood__alloc_live();

    CU_ASSERT_PTR_EQUAL(brood_buffer_retain(buffer), buffer);
    CU_ASSERT_PTR_NULL(brood_buffer_release(buffer));
    CU_ASSERT_EQUAL(brood__alloc_live(), live);
    CU_ASSERT_EQUAL(memcmp(brood_buffer_data(buffer), "abc", 3), 0);
    CU_ASSERT_PTR_NULL(brood_buffer_release(buffer));
    CU_ASSERT_EQUAL(brood__alloc_live(), live - 1);
}

static void null_is_nothing(void)
{
    brood_buffer_t *buffer = (brood_buffer_t *)(void *)&buffer;

    CU_ASSERT_PTR_NULL(brood_buffer_data(NULL));
    CU_ASSERT_EQUAL(brood_buffer_size(NULL), 0);
    CU_ASSERT_PTR_NULL(brood_buffer_retain(NULL));
    CU_ASSERT_PTR_NULL(brood_buffer_release(NULL));
    ASSERT_STATUS(APR_EINVAL, brood_buffer_make(NULL, 1));
    ASSERT_STATUS(APR_EINVAL, brood_buffer_copy(NULL, "x", 1));
    ASSERT_STATUS(APR_EINVAL, brood_buffer_truncate(NULL, 0));
    ASSERT_STATUS(APR_EINVAL, brood_buffer_copy(&buffer, NULL, 1));
    CU_ASSERT_PTR_NULL(buffer);
}

/* Also where the bytes and what is known of them would not fit into a size. */
static void without_memory_there_is_none(void)
{
    static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 8, SIZE_MAX - 16,
                                    SIZE_MAX - 32 };
    brood_buffer_t *buffer;
    size_t i;

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        buffer = (brood_buffer_t *)(void *)&buffer;
        ASSERT_STATUS(APR_ENOMEM, brood_buffer_make(&buffer, sizes[i]));
        CU_ASSERT_PTR_NULL(buffer);
    }
    brood__fault_at(BROOD__FAULT_MEMORY, 1);
    buffer = (brood_buffer_t *)(void *)&buffer;
    ASSERT_STATUS(APR_ENOMEM, brood_buffer_copy(&buffer, "x", 1));
    CU_ASSERT_PTR_NULL(buffer);
    CU_ASSERT_FALSE(brood__fault_pending(BROOD__FAULT_MEMORY));
}

static const test_t tests[] = {
    TEST(a_copy_has_the_bytes), TEST(one_may_have_no_bytes),
    TEST(it_only_gets_shorter), TEST(it_lives_as_long_as_a_reference),
    TEST(null_is_nothing),      TEST(without_memory_there_is_none),
};
HARNESS_MAIN("buffer", tests)
