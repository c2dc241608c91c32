/* SPDX-License-Identifier: Apache-2.0 */

/* thumb.c: from bytes to bytes. */

#include "thumb.h"

#include <stdlib.h>
#include <string.h>

#include "formats.h"

const char *thumb_strerror(apr_status_t status)
{
    switch (status) {
    case THUMB_EFORMAT:
        return "neither a JPEG nor a PNG";
    case THUMB_EBROKEN:
        return "broken, cut off, or of a kind that is not read";
    case THUMB_EHUGE:
        return "too many pixels or scans";
    default:
        return NULL;
    }
}

static apr_status_t format_of(thumb_format_e *format, const void *in,
                              apr_size_t len)
{
    static const unsigned char jpeg[] = { 0xff, 0xd8, 0xff };
    static const unsigned char png[] = "\x89PNG\r\n\x1a\n";

    if (len >= sizeof(jpeg) && memcmp(in, jpeg, sizeof(jpeg)) == 0)
        *format = THUMB_JPEG;
    else if (len >= 8 && memcmp(in, png, 8) == 0)
        *format = THUMB_PNG;
    else
        return THUMB_EFORMAT;
    return APR_SUCCESS;
}

/*
 * Turn it as the camera was held. As EXIF counts: from 5 on rows and columns
 * are swapped; 2, 3, 6 and 7 take columns from the right; 3, 4, 7 and 8 rows
 * from below, both after the swap.
 */
static void turn(unsigned char *to, const unsigned char *from,
                 const shrink_t *shrink, int width, int height)
{
    const int how = shrink->orientation;
    const int right = how == 2 || how == 3 || how == 6 || how == 7;
    const int below = how == 3 || how == 4 || how == 7 || how == 8;
    int x, y;

    for (y = 0; y < height; y++)
        for (x = 0; x < width; x++, to += 4) {
            const int column = right ? width - 1 - x : x;
            const int row = below ? height - 1 - y : y;
            const int at = how >= 5 ? column * shrink->out_width + row
                                    : row * shrink->out_width + column;

            memcpy(to, from + 4 * at, 4);
        }
}

static apr_status_t write_thumb(brood_buffer_t **out, thumb_format_e format,
                                const shrink_t *shrink)
{
    const int swap = shrink->orientation >= 5;
    const int width = swap ? shrink->out_height : shrink->out_width;
    const int height = swap ? shrink->out_width : shrink->out_height;
    const size_t size = (size_t)width * (size_t)height * 4;
    unsigned char *pixels = malloc(2 * size);
    apr_status_t rv;
    int opaque;

    if (!pixels)
        return APR_ENOMEM;
    opaque = shrink_end(shrink, pixels + size);
    turn(pixels, pixels + size, shrink, width, height);
    if (format == THUMB_JPEG)
        rv = write_jpeg(out, pixels, width, height);
    else
        rv = write_png(out, pixels, width, height, opaque);
    free(pixels);
    return rv;
}

apr_status_t thumb_make(const void *in, apr_size_t len, thumb_format_e format,
                        brood_buffer_t **out)
{
    thumb_format_e given;
    shrink_t shrink;
    apr_status_t rv;

    memset(&shrink, 0, sizeof(shrink));
    shrink.orientation = 1;
    rv = format_of(&given, in, len);
    if (rv == APR_SUCCESS)
        rv = given == THUMB_JPEG ? read_jpeg(&shrink, in, len)
                                 : read_png(&shrink, in, len);
    if (rv != APR_SUCCESS)
        return rv;
    rv = write_thumb(out, format == THUMB_SAME ? given : format, &shrink);
    shrink_free(&shrink);
    return rv;
}
