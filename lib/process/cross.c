/* SPDX-License-Identifier: Apache-2.0 */

/*
 * cross.c: context variables as bytes, and back.
 *
 * One after the other: the length of the name (1 byte), of the value (4 bytes,
 * this machine's order), the name, the value.
 */

#include "process/cross.h"

#include <string.h>

#include <brood/errors.h>

#include "lineage/context.h"
#include "lineage/values.h"

#define HEAD 5u
#define MOST ((size_t)1 << 20) /* bytes of all variables */

static int find(brood__crossing_t *crossing, const unsigned char *name,
                size_t length);
static apr_status_t add(brood__values_t **values,
                        const brood__crossing_t *crossing,
                        const unsigned char *bytes, size_t size);
static apr_status_t append(brood_buffer_t **all,
                           const brood__crossing_t *crossing,
                           brood_buffer_t *value);

apr_status_t brood__cross_encode(brood_buffer_t **bytes)
{
    brood__crossing_t crossing;
    apr_status_t rv = APR_SUCCESS;
    size_t n;

    *bytes = NULL;
    for (n = 0; rv == APR_SUCCESS && brood__crossing(n, &crossing); n++) {
        void *value = brood__context_get(crossing.key);
        brood_buffer_t *one = NULL;

        if (!value)
            continue;
        rv = crossing.encode(value, &one);
        if (rv == APR_SUCCESS)
            rv = append(bytes, &crossing, one);
        (void)brood_buffer_release(one);
    }
    if (rv != APR_SUCCESS)
        *bytes = brood_buffer_release(*bytes);
    return rv;
}

static apr_status_t append(brood_buffer_t **all,
                           const brood__crossing_t *crossing,
                           brood_buffer_t *value)
{
    const size_t before = brood_buffer_size(*all);
    const size_t length = strlen(crossing->name);
    const size_t size = brood_buffer_size(value);
    const uint32_t shown = (uint32_t)size;
    brood_buffer_t *more = NULL;
    unsigned char *to;
    apr_status_t rv;

    if (size > MOST || before + HEAD + length + size > MOST)
        return BROOD_ETOOBIG;
    rv = brood_buffer_make(&more, before + HEAD + length + size);
    if (rv != APR_SUCCESS)
        return rv;
    to = brood_buffer_data(more);
    if (before)
        memcpy(to, brood_buffer_data(*all), before);
    to += before;
    *to = (unsigned char)length;
    memcpy(to + 1, &shown, sizeof(shown));
    memcpy(to + HEAD, crossing->name, length);
    if (size)
        memcpy(to + HEAD + length, brood_buffer_data(value), size);
    (void)brood_buffer_release(*all);
    *all = more;
    return APR_SUCCESS;
}

apr_status_t brood__cross_decode(brood__scope_t **scope,
                                 const unsigned char *bytes, size_t size)
{
    brood__node_t *node = (*scope)->node;
    brood__values_t *values = NULL;
    brood__crossing_t crossing;
    brood__scope_t *made;
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && size >= HEAD) {
        const size_t length = bytes[0];
        uint32_t shown;

        memcpy(&shown, bytes + 1, sizeof(shown));
        bytes += HEAD;
        size -= HEAD;
        if (length > size || shown > size - length)
            rv = APR_EINVAL;
        else if (find(&crossing, bytes, length))
            rv = add(&values, &crossing, bytes + length, shown);
        bytes += length + shown;
        size -= length + shown;
    }
    if (rv == APR_SUCCESS) {
        brood__node_live(node);
        made = brood__scope_make(node, values);
        if (made)
            *scope = made;
        return made ? APR_SUCCESS : APR_ENOMEM;
    }
    brood__values_release(values);
    return rv;
}

static int find(brood__crossing_t *crossing, const unsigned char *name,
                size_t length)
{
    size_t n;

    for (n = 0; brood__crossing(n, crossing); n++)
        if (strlen(crossing->name) == length
            && memcmp(crossing->name, name, length) == 0)
            return 1;
    return 0;
}

static apr_status_t add(brood__values_t **values,
                        const brood__crossing_t *crossing,
                        const unsigned char *bytes, size_t size)
{
    brood__values_t *more;
    void *value = NULL;
    int failed = 0;
    apr_status_t rv = crossing->decode(bytes, size, &value);

    if (rv != APR_SUCCESS || !value)
        return rv;
    more = brood__values_with(*values, crossing->key, value, crossing->release,
                              &failed);
    if (failed) {
        if (crossing->release)
            crossing->release(value);
        return APR_ENOMEM;
    }
    brood__values_release(*values);
    *values = more;
    return APR_SUCCESS;
}
