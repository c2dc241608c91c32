/* SPDX-License-Identifier: Apache-2.0 */

/* test_place_win32.c: what was installed may have been moved, all of it. */

#include "os/win32/os_internal.h"

#include <stdio.h>
#include <string.h>

#include "os/place.h"
#include "os/process.h"
#include "support/support.h"

/* This program is what the code is part of. */
static void what_lies_beside_the_code_is_found_there(void)
{
    char self[1024], path[1024], installed[1100];

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_exe(self, sizeof(self)));
    (void)snprintf(installed, sizeof(installed), "/no/such%s",
                   strrchr(self, '\\'));
    ASSERT_STATUS(APR_SUCCESS,
                  brood__os_place(path, sizeof(path), installed, ""));
    CU_ASSERT_STRING_EQUAL(path, self);
}

static void the_way_to_it_may_lead_upwards(void)
{
    char self[1024], path[1024], expected[1024], *name;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_exe(self, sizeof(self)));
    *strrchr(self, '\\') = '\0';
    name = strrchr(self, '\\') + 1; /* the folder itself */
    (void)snprintf(expected, sizeof(expected), "%s\\../%s", self, name);
    (void)snprintf(path, sizeof(path), "/no/such/%s", name);
    ASSERT_STATUS(APR_SUCCESS,
                  brood__os_place(path, sizeof(path), path, "../"));
    CU_ASSERT_STRING_EQUAL(path, expected);
    CU_ASSERT_TRUE(GetFileAttributesA(path) & FILE_ATTRIBUTE_DIRECTORY);
}

static void what_is_beside_does_not_fit_either(void)
{
    char self[1024], path[20] = "untouched";

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__os_exe(self, sizeof(self)));
    ASSERT_STATUS(APR_ENAMETOOLONG,
                  brood__os_place(path, sizeof(path), strrchr(self, '\\'), ""));
    CU_ASSERT_STRING_EQUAL(path, "untouched");
}

static const test_t tests[] = {
    TEST(what_lies_beside_the_code_is_found_there),
    TEST(the_way_to_it_may_lead_upwards),
    TEST(what_is_beside_does_not_fit_either),
};
HARNESS_MAIN_BARE("place_win32", tests)
