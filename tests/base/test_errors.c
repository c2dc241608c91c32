/* SPDX-License-Identifier: Apache-2.0 */

/* test_errors.c: every status has its sentence, and it fits. */

#include <brood/errors.h>
#include <brood/version.h>

#include <stdio.h>
#include <string.h>

#include "support/support.h"

#define CODE(name, offset, text) BROOD_E##name,
static const apr_status_t codes[] = { BROOD_ERROR_MAP(CODE) };
#undef CODE

#define SENTENCE(name, offset, text) text,
static const char *const sentences[] = { BROOD_ERROR_MAP(SENTENCE) };
#undef SENTENCE

#define N_CODES (sizeof(codes) / sizeof(codes[0]))

static void every_code_has_its_sentence(void)
{
    char text[200];
    size_t i;

    for (i = 0; i < N_CODES; i++) {
        brood_strerror(codes[i], text, sizeof(text));
        CU_ASSERT_STRING_EQUAL(text, sentences[i]);
    }
}

static void no_two_codes_are_the_same(void)
{
    size_t i;
    size_t k;

    for (i = 0; i < N_CODES; i++)
        for (k = 0; k < i; k++)
            CU_ASSERT(codes[i] != codes[k]
                      && strcmp(sentences[i], sentences[k]) != 0);
}

/* These numbers are part of the ABI; this list only grows. */
static void numbers_never_change(void)
{
    CU_ASSERT_EQUAL(BROOD_ERROR_BASE, APR_OS_START_USERERR + 42000);
    CU_ASSERT_EQUAL(BROOD_ECANCELED - BROOD_ERROR_BASE, 1);
    CU_ASSERT_EQUAL(BROOD_EFULL - BROOD_ERROR_BASE, 9);
    CU_ASSERT_EQUAL(BROOD_EFORKED - BROOD_ERROR_BASE, 20);
}

static void other_statuses_are_aprs(void)
{
    static const apr_status_t statuses[] = {
        APR_SUCCESS, APR_ENOMEM,       APR_TIMEUP,
        APR_EOF,     BROOD_ERROR_BASE, BROOD_ERROR_BASE + 999
    };
    char mine[200];
    char theirs[200];
    size_t i;

    for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        brood_strerror(statuses[i], mine, sizeof(mine));
        apr_strerror(statuses[i], theirs, sizeof(theirs));
        CU_ASSERT_STRING_EQUAL(mine, theirs);
    }
}

static void a_sentence_is_cut_to_what_fits(void)
{
    static const apr_status_t statuses[] = { BROOD_ECANCELED, APR_ENOMEM };
    char whole[200];
    char text[200];
    size_t i;
    apr_size_t len;

    for (i = 0; i < 2; i++) {
        brood_strerror(statuses[i], whole, sizeof(whole));
        for (len = 1; len < 60; len++) {
            memset(text, '#', sizeof(text));
            CU_ASSERT_PTR_EQUAL(brood_strerror(statuses[i], text, len), text);
            CU_ASSERT(strlen(text) < len);
            CU_ASSERT_EQUAL(strncmp(text, whole, strlen(text)), 0);
            CU_ASSERT_EQUAL(text[len], '#'); /* not a byte too far */
        }
    }
}

static void no_room_writes_nothing(void)
{
    char text[] = "as it was";

    CU_ASSERT_PTR_EQUAL(brood_strerror(BROOD_EFULL, text, 0), text);
    CU_ASSERT_STRING_EQUAL(text, "as it was");
    CU_ASSERT_PTR_NULL(brood_strerror(BROOD_EFULL, NULL, 0));
}

static void the_version_is_the_same_as_text_and_number(void)
{
    char text[40];

    snprintf(text, sizeof(text), "%d.%d.%d", BROOD_VERSION_MAJOR,
             BROOD_VERSION_MINOR, BROOD_VERSION_PATCH);
    CU_ASSERT_STRING_EQUAL(brood_version(), text);
    CU_ASSERT_EQUAL(brood_version_number(), BROOD_VERSION_NUMBER);
}

static const test_t tests[] = {
    TEST(every_code_has_its_sentence),
    TEST(no_two_codes_are_the_same),
    TEST(numbers_never_change),
    TEST(other_statuses_are_aprs),
    TEST(a_sentence_is_cut_to_what_fits),
    TEST(no_room_writes_nothing),
    TEST(the_version_is_the_same_as_text_and_number),
};
HARNESS_MAIN_BARE("errors", tests)
