/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_park_table.c: test_park.c, without the system's call for it.
 *
 * What is defined here comes before the archive of the core, so the whole
 * program parks by the table. Both platforms have these files; the compiler is
 * told where.
 */

#ifndef BROOD_PARK_TABLE
#define BROOD_PARK_TABLE 1
#endif
#include "os_park.c"
#include "os_park_table.c"

#include "test_park.c"
