/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_context_ucontext.c: test_context.c, without our assembler.
 *
 * What is defined here comes before the archive of the core.
 */

#ifndef BROOD_CONTEXT_UCONTEXT
#define BROOD_CONTEXT_UCONTEXT 1
#endif
#include "os/unix/os_context.c"
#include "os/unix/os_context_ucontext.c"

#include "test_context.c"
