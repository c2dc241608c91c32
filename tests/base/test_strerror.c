/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_strerror.c: sentences of a host whose language is not written in ASCII.
 *
 * The making of sentences is compiled here once more, with a system that speaks
 * such a language; it comes before that of the core's archive.
 */

#include <apr_errno.h>

#include <string.h>

static char *speak(apr_status_t status, char *buf, apr_size_t len);

#define apr_strerror speak
#include "base/errors.c"
#undef apr_strerror

#include "support/support.h"

/* One, two, three and four bytes: a, umlaut, euro sign, a face. */
#define WORDS "a\xc3\xb6\xe2\x82\xac\xf0\x9f\x99\x82"

static char *speak(apr_status_t status, char *buf, apr_size_t len)
{
    (void)status;
    return strncpy(buf, WORDS, len);
}

static void no_character_is_split(void)
{
    static const size_t whole[] = { 0, 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10 };
    char text[16];
    size_t room;

    for (room = 1; room < sizeof(whole) / sizeof(whole[0]); room++) {
        memset(text, '?', sizeof(text));
        CU_ASSERT_PTR_EQUAL(brood_strerror(1, text, room), text);
        CU_ASSERT_EQUAL(strlen(text), whole[room]);
        CU_ASSERT_EQUAL(memcmp(text, WORDS, whole[room]), 0);
        CU_ASSERT_EQUAL(text[room], '?');
    }
}

static void no_room_is_not_written_to(void)
{
    char text[2] = "?";

    CU_ASSERT_PTR_EQUAL(brood_strerror(1, text, 0), text);
    CU_ASSERT_STRING_EQUAL(text, "?");
    CU_ASSERT_PTR_NULL(brood_strerror(1, NULL, 2));
}

static const test_t tests[] = {
    TEST(no_character_is_split),
    TEST(no_room_is_not_written_to),
};
HARNESS_MAIN_BARE("strerror", tests)
