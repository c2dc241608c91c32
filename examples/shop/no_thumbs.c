/* SPDX-License-Identifier: Apache-2.0 */

/* no_thumbs.c: in place of thumbs.c, where libjpeg or libpng is absent. */

#include "thumbs.h"

const brood_process_entry_t thumbs_functions[] = { { NULL, NULL } };

apr_status_t thumbs_start(void)
{
    return APR_SUCCESS;
}

apr_status_t thumbs_stop(void)
{
    return APR_SUCCESS;
}

void thumbs_make(request_t *request)
{
    http_error(request, 501, "this shop was built without libjpeg and libpng");
}

void thumbs_show(struct evbuffer *out)
{
    (void)out;
}
