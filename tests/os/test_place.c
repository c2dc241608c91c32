/* SPDX-License-Identifier: Apache-2.0 */

/* test_place.c: where the files of an installed brood are. */

#include "os/place.h"

#include <string.h>

#include "support/support.h"

static const char g_nowhere[] = "/no/such folder/file";

static void what_lies_nowhere_else_is_where_it_was_installed(void)
{
    char path[200];

    ASSERT_STATUS(APR_SUCCESS,
                  brood__os_place(path, sizeof(path), g_nowhere, ""));
    CU_ASSERT_STRING_EQUAL(path, g_nowhere);
    ASSERT_STATUS(APR_SUCCESS,
                  brood__os_place(path, sizeof(path), g_nowhere, "../x/"));
    CU_ASSERT_STRING_EQUAL(path, g_nowhere);
}

static void a_path_fits_or_is_refused(void)
{
    char path[sizeof(g_nowhere) + 1] = "untouched";

    ASSERT_STATUS(APR_ENAMETOOLONG,
                  brood__os_place(path, sizeof(g_nowhere) - 1, g_nowhere, ""));
    CU_ASSERT_STRING_EQUAL(path, "untouched");
    ASSERT_STATUS(APR_SUCCESS,
                  brood__os_place(path, sizeof(g_nowhere), g_nowhere, ""));
    CU_ASSERT_STRING_EQUAL(path, g_nowhere);
}

static const test_t tests[] = {
    TEST(what_lies_nowhere_else_is_where_it_was_installed),
    TEST(a_path_fits_or_is_refused),
};
HARNESS_MAIN_BARE("place", tests)
