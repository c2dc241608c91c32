/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_park_table.c: test_park.c, without a futex.
 *
 * What is defined here comes before the archive of the core, so the whole
 * program parks by the table.
 */

#ifndef BROOD_PARK_TABLE
#define BROOD_PARK_TABLE 1
#endif
#include "os/unix/os_park_table.c"

#include "test_park.c"
