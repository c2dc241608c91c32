/* SPDX-License-Identifier: Apache-2.0 */

/* json.c: answers in JSON. */

#include "json.h"

#include <stdlib.h>
#include <string.h>

static void free_text(const void *data, size_t len, void *baton)
{
    (void)data;
    (void)len;
    free(baton);
}

apr_status_t json_answer(request_t *request, int code, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);
    evbuffer_drain(request->body, evbuffer_get_length(request->body));
    if (!text)
        return APR_ENOMEM;
    if (evbuffer_add_reference(request->body, text, strlen(text), free_text,
                               text)
        != 0) {
        free(text);
        return APR_ENOMEM;
    }
    request->code = code;
    return APR_SUCCESS;
}
