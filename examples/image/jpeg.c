/* SPDX-License-Identifier: Apache-2.0 */

/* jpeg.c: JPEG, by libjpeg-turbo. */

#include "formats.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#define QUALITY 85

/* What libjpeg's callbacks need to leave a call of it. */
typedef struct {
    struct jpeg_error_mgr base; /* first: libjpeg knows no more */
    jmp_buf out;
    apr_status_t status;
} failure_t;

typedef struct {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_progress_mgr progress;
    failure_t failure;
    shrink_t *shrink;
    unsigned char *line;
} reader_t;

typedef struct {
    struct jpeg_compress_struct jpeg;
    failure_t failure;
    unsigned char *bytes; /* malloc()ed by libjpeg */
    unsigned long n_bytes;
} writer_t;

/* --- When it fails ------------------------------------------------------- */

static void leave(j_common_ptr jpeg, apr_status_t status)
{
    failure_t *failure = (failure_t *)jpeg->err;

    failure->status = status;
    longjmp(failure->out, 1);
}

static void fail(j_common_ptr jpeg)
{
    switch (jpeg->err->msg_code) {
    case JERR_IMAGE_TOO_BIG:
    case JERR_NO_BACKING_STORE:
    case JERR_OUT_OF_MEMORY:
        leave(jpeg, THUMB_EHUGE);
        break;
    default:
        leave(jpeg, THUMB_EBROKEN);
    }
}

/* libjpeg makes the best of a broken picture; a shop had better not. What does
 * no harm to the pixels is let pass. */
static void hear(j_common_ptr jpeg, int level)
{
    static const int harmless[] = { JWRN_ADOBE_XFORM, JWRN_EXTRANEOUS_DATA,
                                    JWRN_JFIF_MAJOR, JWRN_BOGUS_ICC };
    size_t i;

    if (level >= 0)
        return; /* no warning */
    for (i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        if (jpeg->err->msg_code == harmless[i])
            return;
    leave(jpeg, THUMB_EBROKEN);
}

static struct jpeg_error_mgr *expect_failure(failure_t *failure)
{
    jpeg_std_error(&failure->base);
    failure->base.error_exit = fail;
    failure->base.emit_message = hear;
    failure->status = APR_SUCCESS;
    return &failure->base;
}

/* A small file may have thousands of scans, each of which costs as much as the
 * whole picture. */
static void count_scans(j_common_ptr jpeg)
{
    if (((j_decompress_ptr)jpeg)->input_scan_number > THUMB_MAX_SCANS)
        leave(jpeg, THUMB_EHUGE);
}

/* --- Reading ------------------------------------------------------------- */

/* libjpeg shrinks by 1, 2, 4 and 8 for almost nothing. It does the first part,
 * as long as enough is left for fair means. */
static void choose_scale(struct jpeg_decompress_struct *jpeg,
                         const shrink_t *shrink)
{
    unsigned eighths = 1;

    while (eighths < 8
           && jpeg->image_width * eighths / 8
                  < 2u * (unsigned)shrink->out_width)
        eighths *= 2;
    jpeg->scale_num = eighths;
    jpeg->scale_denom = 8;
}

static void begin_reading(reader_t *reader)
{
    struct jpeg_decompress_struct *jpeg = &reader->jpeg;
    shrink_t *shrink = reader->shrink;

    jpeg_read_header(jpeg, TRUE);
    if (jpeg->image_width > THUMB_MAX_SIDE
        || jpeg->image_height > THUMB_MAX_SIDE
        || (long long)jpeg->image_width * jpeg->image_height > THUMB_MAX_PIXELS)
        leave((j_common_ptr)jpeg, THUMB_EHUGE);
    shrink_fit((int)jpeg->image_width, (int)jpeg->image_height, THUMB_EDGE,
               &shrink->out_width, &shrink->out_height);
    choose_scale(jpeg, shrink);
    if (jpeg->jpeg_color_space == JCS_CMYK
        || jpeg->jpeg_color_space == JCS_YCCK)
        jpeg->out_color_space = JCS_CMYK;
    else
        jpeg->out_color_space = JCS_RGB;
    jpeg->dct_method = JDCT_ISLOW;
    jpeg_start_decompress(jpeg);
    shrink->width = (int)jpeg->output_width;
    shrink->height = (int)jpeg->output_height;
    reader->line = malloc((size_t)jpeg->output_width
                          * (size_t)jpeg->output_components);
    if (!reader->line || shrink_begin(shrink) != APR_SUCCESS)
        leave((j_common_ptr)jpeg, APR_ENOMEM);
}

/* Ink on paper, in place. Adobe writes how much is left white. */
static void paint(reader_t *reader)
{
    const struct jpeg_decompress_struct *jpeg = &reader->jpeg;
    const unsigned flip = jpeg->saw_Adobe_marker ? 0 : 255;
    unsigned char *to = reader->line;
    const unsigned char *ink = reader->line;
    unsigned x;

    for (x = 0; x < jpeg->output_width; x++, to += 3, ink += 4) {
        const unsigned key = ink[3] ^ flip;

        to[0] = (unsigned char)((ink[0] ^ flip) * key / 255);
        to[1] = (unsigned char)((ink[1] ^ flip) * key / 255);
        to[2] = (unsigned char)((ink[2] ^ flip) * key / 255);
    }
}

static void read_lines(reader_t *reader)
{
    struct jpeg_decompress_struct *jpeg = &reader->jpeg;

    while (jpeg->output_scanline < jpeg->output_height) {
        const int y = (int)jpeg->output_scanline;

        jpeg_read_scanlines(jpeg, &reader->line, 1);
        if (jpeg->out_color_space == JCS_CMYK)
            paint(reader);
        shrink_add(reader->shrink, reader->line, 3, y, 0, 1);
    }
    jpeg_finish_decompress(jpeg);
}

static int orientation_of(const struct jpeg_decompress_struct *jpeg)
{
    const struct jpeg_marker_struct *marker;
    int orientation = 0;

    for (marker = jpeg->marker_list; marker && !orientation;
         marker = marker->next)
        orientation = read_orientation(marker->data, marker->data_length);
    return orientation ? orientation : 1;
}

static void read_all(reader_t *reader, const void *in, apr_size_t len)
{
    struct jpeg_decompress_struct *jpeg = &reader->jpeg;

    if (setjmp(reader->failure.out) != 0) {
        shrink_free(reader->shrink);
        return;
    }
    jpeg_create_decompress(jpeg);
    reader->progress.progress_monitor = count_scans;
    jpeg->progress = &reader->progress;
    jpeg->mem->max_memory_to_use = THUMB_MAX_MEMORY;
    jpeg_mem_src(jpeg, in, (unsigned long)len);
    jpeg_save_markers(jpeg, JPEG_APP0 + 1, 0xffff);
    begin_reading(reader);
    reader->shrink->orientation = orientation_of(jpeg);
    read_lines(reader);
}

apr_status_t read_jpeg(shrink_t *shrink, const void *in, apr_size_t len)
{
    reader_t reader;

    memset(&reader, 0, sizeof(reader));
    reader.shrink = shrink;
    reader.jpeg.err = expect_failure(&reader.failure);
    read_all(&reader, in, len);
    free(reader.line);
    jpeg_destroy_decompress(&reader.jpeg);
    return reader.failure.status;
}

/* --- Writing ------------------------------------------------------------- */

/* White shines through. */
static void flatten(unsigned char *to, const unsigned char *pixel, int width)
{
    int x, i;

    for (x = 0; x < width; x++, to += 3, pixel += 4)
        for (i = 0; i < 3; i++)
            to[i] = (unsigned char)((pixel[i] * pixel[3]
                                     + 255 * (255 - pixel[3]) + 127)
                                    / 255);
}

static void write_all(writer_t *writer, const unsigned char *pixels, int width,
                      int height)
{
    struct jpeg_compress_struct *jpeg = &writer->jpeg;
    unsigned char line[THUMB_EDGE * 3];
    JSAMPROW lines[1];

    if (setjmp(writer->failure.out) != 0)
        return;
    jpeg_create_compress(jpeg);
    jpeg_mem_dest(jpeg, &writer->bytes, &writer->n_bytes);
    jpeg->image_width = (unsigned)width;
    jpeg->image_height = (unsigned)height;
    jpeg->input_components = 3;
    jpeg->in_color_space = JCS_RGB;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, QUALITY, TRUE);
    jpeg_start_compress(jpeg, TRUE);
    lines[0] = line;
    while (jpeg->next_scanline < jpeg->image_height) {
        flatten(line, pixels + (size_t)jpeg->next_scanline * (size_t)width * 4,
                width);
        jpeg_write_scanlines(jpeg, lines, 1);
    }
    jpeg_finish_compress(jpeg);
}

apr_status_t write_jpeg(brood_buffer_t **out, const unsigned char *pixels,
                        int width, int height)
{
    apr_status_t rv;
    writer_t writer;

    memset(&writer, 0, sizeof(writer));
    writer.jpeg.err = expect_failure(&writer.failure);
    write_all(&writer, pixels, width, height);
    jpeg_destroy_compress(&writer.jpeg);
    rv = writer.failure.status;
    if (rv == APR_SUCCESS)
        rv = brood_buffer_copy(out, writer.bytes, writer.n_bytes);
    free(writer.bytes);
    return rv;
}
