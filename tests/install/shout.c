/* SPDX-License-Identifier: Apache-2.0 */

/* shout.c: a stranger's module of functions for worker processes. */

#include <brood.h>

#include <ctype.h>

static apr_status_t shout(const void *in, apr_size_t len, brood_buffer_t **out)
{
    apr_status_t rv = brood_buffer_copy(out, in, len);
    apr_size_t i;

    for (i = 0; rv == APR_SUCCESS && i < len; i++) {
        char *c = (char *)brood_buffer_data(*out) + i;

        *c = (char)toupper((unsigned char)*c);
    }
    return rv;
}

#ifdef _WIN32
__declspec(dllexport)
#endif
    extern const brood_process_entry_t brood_process_table[];

const brood_process_entry_t brood_process_table[] = { { "shout", shout },
                                                      { NULL, NULL } };
