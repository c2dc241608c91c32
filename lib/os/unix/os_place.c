/* SPDX-License-Identifier: Apache-2.0 */

/* os_place.c: what was installed stays where it is. */

#include "os/place.h"

#include <string.h>

apr_status_t brood__os_place(char *path, size_t size, const char *installed,
                             const char *way)
{
    const size_t length = strlen(installed) + 1;

    (void)way;
    if (length > size)
        return APR_ENAMETOOLONG;
    memcpy(path, installed, length);
    return APR_SUCCESS;
}
