/* SPDX-License-Identifier: Apache-2.0 */

/* exif.c: one number out of EXIF data, each byte of which may be a lie. */

#include "formats.h"

#include <string.h>

#define TAG_ORIENTATION 0x0112
#define TYPE_SHORT      3
#define ENTRY_SIZE      12

typedef struct {
    const unsigned char *bytes; /* from the TIFF header on */
    apr_size_t len;
    int little; /* endian */
} exif_t;

/* 0 for what lies outside: that is no offset, no count and no orientation. */
static unsigned long read_at(const exif_t *exif, unsigned long at, int n)
{
    unsigned long value = 0;
    int i;

    if (at > exif->len || exif->len - at < (unsigned)n)
        return 0;
    for (i = 0; i < n; i++)
        value = value << 8
                | exif->bytes[at + (unsigned)(exif->little ? n - 1 - i : i)];
    return value;
}

static int find_orientation(const exif_t *exif)
{
    const unsigned long directory = read_at(exif, 4, 4);
    unsigned long left = read_at(exif, directory, 2);
    unsigned long at = directory + 2;
    unsigned long value;

    for (; left > 0 && at < exif->len; left--, at += ENTRY_SIZE)
        if (read_at(exif, at, 2) == TAG_ORIENTATION
            && read_at(exif, at + 2, 2) == TYPE_SHORT) {
            value = read_at(exif, at + 8, 2);
            return value >= 1 && value <= 8 ? (int)value : 1;
        }
    return 1;
}

int read_orientation(const unsigned char *data, apr_size_t len)
{
    static const unsigned char name[6] = "Exif\0";
    exif_t exif;

    if (len < sizeof(name) + 8 || memcmp(data, name, sizeof(name)) != 0)
        return 0;
    exif.bytes = data + sizeof(name);
    exif.len = len - sizeof(name);
    exif.little = exif.bytes[0] == 'I';
    return find_orientation(&exif);
}
