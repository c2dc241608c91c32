/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGE_THUMB_H
#define IMAGE_THUMB_H

/*
 * thumb.h: a small picture from the bytes of a large one, JPEG or PNG.
 *
 *     bytes -> [read_jpeg | read_png] -> lines -> [shrink] -> [write] -> bytes
 *
 * The bytes may be anything: this is meant for a worker process, whose time is
 * limited and which may die alone. It needs little memory all the same, since
 * no more than one line of the large picture is kept (but see
 * THUMB_MAX_MEMORY).
 */

#include <stddef.h>

#include <apr_errno.h>

#include <brood/buffer.h>

/* A picture of at most this many pixels a side comes out; smaller ones stay as
 * they are. */
#define THUMB_EDGE 160

/* What is not even tried. */
#define THUMB_MAX_PIXELS (100 * 1000 * 1000)
#define THUMB_MAX_SIDE   65500

/* A progressive JPEG is kept whole until its last scan. */
#define THUMB_MAX_MEMORY (256L * 1024 * 1024)
#define THUMB_MAX_SCANS  100

/* Why there is none. */
#define THUMB_EFORMAT (APR_OS_START_USERERR + 201)
#define THUMB_EBROKEN (APR_OS_START_USERERR + 202)
#define THUMB_EHUGE   (APR_OS_START_USERERR + 203)

typedef enum { THUMB_JPEG, THUMB_PNG, THUMB_SAME } thumb_format_e;

/* What comes out has `format`; THUMB_SAME: that of what goes in, whatever a
 * file's name says. JPEG knows no transparency: white shines through. */
apr_status_t thumb_make(const void *in, apr_size_t len, thumb_format_e format,
                        brood_buffer_t **out);

/* The sentence for a status of thumb_make(); NULL: it is none of these. */
const char *thumb_strerror(apr_status_t status);

#endif /* IMAGE_THUMB_H */
