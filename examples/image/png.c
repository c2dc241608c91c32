/* SPDX-License-Identifier: Apache-2.0 */

/* png.c: PNG, by libpng. */

#include "formats.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

/* Text and profiles may be compressed, too. */
#define MAX_CHUNK  (1024 * 1024)
#define MAX_CHUNKS 1000

typedef struct {
    png_structp png;
    png_infop info;
    const unsigned char *next; /* what is not read yet */
    size_t left;
    shrink_t *shrink;
    unsigned char *line;
    apr_status_t status;
} reader_t;

/* --- Reading ------------------------------------------------------------- */

static void leave(reader_t *reader, apr_status_t status)
{
    reader->status = status;
    png_longjmp(reader->png, 1);
}

static void fail(png_structp png, png_const_charp message)
{
    (void)message;
    leave(png_get_error_ptr(png), THUMB_EBROKEN);
}

static void hear(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void give(png_structp png, png_bytep to, size_t len)
{
    reader_t *reader = png_get_io_ptr(png);

    if (len > reader->left)
        leave(reader, THUMB_EBROKEN);
    memcpy(to, reader->next, len);
    reader->next += len;
    reader->left -= len;
}

/* Whatever it was, it becomes four bytes a pixel. */
static void begin_reading(reader_t *reader)
{
    png_structp png = reader->png;
    shrink_t *shrink = reader->shrink;

    png_read_info(png, reader->info);
    shrink->width = (int)png_get_image_width(png, reader->info);
    shrink->height = (int)png_get_image_height(png, reader->info);
    if (shrink->width > THUMB_MAX_SIDE || shrink->height > THUMB_MAX_SIDE
        || (long long)shrink->width * shrink->height > THUMB_MAX_PIXELS)
        leave(reader, THUMB_EHUGE);
    shrink_fit(shrink->width, shrink->height, THUMB_EDGE, &shrink->out_width,
               &shrink->out_height);
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_gray_to_rgb(png);
    png_set_add_alpha(png, 255, PNG_FILLER_AFTER);
    png_read_update_info(png, reader->info);
    reader->line = malloc(png_get_rowbytes(png, reader->info));
    if (!reader->line || shrink_begin(shrink) != APR_SUCCESS)
        leave(reader, APR_ENOMEM);
}

/* Pixels of a pass, and of no other, come packed at the line's beginning. */
static void read_pass(reader_t *reader, int pass)
{
    const int first = PNG_PASS_START_COL(pass);
    const int step = 1 << PNG_PASS_COL_SHIFT(pass);
    int y = PNG_PASS_START_ROW(pass);

    if (first >= reader->shrink->width)
        return;
    for (; y < reader->shrink->height; y += 1 << PNG_PASS_ROW_SHIFT(pass)) {
        png_read_row(reader->png, reader->line, NULL);
        shrink_add(reader->shrink, reader->line, 4, y, first, step);
    }
}

static void read_lines(reader_t *reader)
{
    int i;

    if (png_get_interlace_type(reader->png, reader->info)
        == PNG_INTERLACE_ADAM7) {
        for (i = 0; i < PNG_INTERLACE_ADAM7_PASSES; i++)
            read_pass(reader, i);
    } else {
        for (i = 0; i < reader->shrink->height; i++) {
            png_read_row(reader->png, reader->line, NULL);
            shrink_add(reader->shrink, reader->line, 4, i, 0, 1);
        }
    }
    png_read_end(reader->png, NULL);
}

static void read_all(reader_t *reader)
{
    png_structp png = reader->png;

    if (setjmp(png_jmpbuf(png)) != 0) {
        shrink_free(reader->shrink);
        return;
    }
    reader->info = png_create_info_struct(png);
    if (!reader->info)
        leave(reader, APR_ENOMEM);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_malloc_max(png, MAX_CHUNK);
    png_set_chunk_cache_max(png, MAX_CHUNKS);
    png_set_read_fn(png, reader, give);
    begin_reading(reader);
    read_lines(reader);
}

apr_status_t read_png(shrink_t *shrink, const void *in, apr_size_t len)
{
    reader_t reader;

    memset(&reader, 0, sizeof(reader));
    reader.next = in;
    reader.left = len;
    reader.shrink = shrink;
    reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, fail,
                                        hear);
    if (!reader.png)
        return APR_ENOMEM;
    read_all(&reader);
    free(reader.line);
    png_destroy_read_struct(&reader.png, &reader.info, NULL);
    return reader.status;
}

/* --- Writing ------------------------------------------------------------- */

/* In place: from four bytes a pixel to three. */
static void drop_opacity(unsigned char *pixels, int width, int height)
{
    const size_t n = (size_t)width * (size_t)height;
    size_t i;

    for (i = 0; i < n; i++)
        memmove(pixels + 3 * i, pixels + 4 * i, 3);
}

apr_status_t write_png(brood_buffer_t **out, unsigned char *pixels, int width,
                       int height, int opaque)
{
    png_alloc_size_t size;
    png_image image;
    apr_status_t rv;

    memset(&image, 0, sizeof(image));
    image.version = PNG_IMAGE_VERSION;
    image.width = (png_uint_32)width;
    image.height = (png_uint_32)height;
    image.format = opaque ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
    size = PNG_IMAGE_PNG_SIZE_MAX(image);
    rv = brood_buffer_make(out, size);
    if (rv != APR_SUCCESS)
        return rv;
    if (opaque)
        drop_opacity(pixels, width, height);
    if (png_image_write_to_memory(&image, brood_buffer_data(*out), &size, 0,
                                  pixels, 0, NULL))
        return brood_buffer_truncate(*out, size);
    *out = brood_buffer_release(*out);
    return APR_EGENERAL;
}
