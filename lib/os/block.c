/* SPDX-License-Identifier: Apache-2.0 */

/* block.c: what is the same of shared memory everywhere. */

#include "os/process.h"

#include <string.h>

apr_status_t brood__os_block_read(const brood__os_block_t *block, void *to,
                                  size_t size)
{
    if (size > block->size)
        return APR_EINVAL;
    memcpy(to, block->base, size);
    return APR_SUCCESS;
}
