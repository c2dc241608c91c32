/* SPDX-License-Identifier: Apache-2.0 */

/* os_init.c: look once at what the kernel offers. */

#include "os/unix/os_internal.h"

static pthread_once_t g_once = PTHREAD_ONCE_INIT;

apr_status_t brood__os_init(void)
{
    return pthread_once(&g_once, brood__cpu_init);
}
