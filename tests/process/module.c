/* SPDX-License-Identifier: Apache-2.0 */

/* module.c: functions for worker processes, in a shared object. */

#include <brood/process.h>

#include <ctype.h>

static apr_status_t shout(const void *in, apr_size_t len, brood_buffer_t **out)
{
    apr_status_t rv = brood_buffer_copy(out, in, len);
    unsigned char *at = brood_buffer_data(*out);
    apr_size_t i;

    for (i = 0; rv == APR_SUCCESS && i < len; i++)
        at[i] = (unsigned char)toupper(at[i]);
    return rv;
}

extern BROOD_API const brood_process_entry_t brood_process_table[];
const brood_process_entry_t brood_process_table[] = { { "shout", shout },
                                                      { NULL, NULL } };
