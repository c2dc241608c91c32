/* SPDX-License-Identifier: Apache-2.0 */

/* errors.c: the sentence for a status. */

#include <brood/errors.h>

#include <string.h>

static const char *own_sentence(apr_status_t status);
static void copy_cut(char *buf, apr_size_t len, const char *text);

char *brood_strerror(apr_status_t status, char *buf, apr_size_t len)
{
    char whole[256]; /* apr_strerror() may need room that `buf` has not */
    const char *text = own_sentence(status);

    if (!buf || !len)
        return buf;
    if (!text)
        text = apr_strerror(status, whole, sizeof(whole));
    copy_cut(buf, len, text);
    return buf;
}

static const char *own_sentence(apr_status_t status)
{
    switch (status) {
#define SENTENCE(name, offset, text)                                           \
    case BROOD_ERROR_BASE + (offset):                                          \
        return text;
        BROOD_ERROR_MAP(SENTENCE)
#undef SENTENCE
    default:
        return NULL;
    }
}

/* strncpy() that always ends the text, and does not split a character: a host
 * may have a locale whose messages are UTF-8. */
static void copy_cut(char *buf, apr_size_t len, const char *text)
{
    apr_size_t n = strlen(text);

    if (n >= len) {
        n = len - 1;
        while (n && ((unsigned char)text[n] & 0xC0u) == 0x80u)
            n--;
    }
    memcpy(buf, text, n);
    buf[n] = '\0';
}
