/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_context_system.c: test_context.c, with the system's switch, not ours.
 *
 * What is defined here comes before the archive of the core. Both platforms
 * have these files; the compiler is told where.
 */

#ifndef BROOD_CONTEXT_SYSTEM
#define BROOD_CONTEXT_SYSTEM 1
#endif
#include "os_context.c"
#include "os_context_system.c"

#include "test_context.c"
