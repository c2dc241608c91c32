/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGE_FORMATS_H
#define IMAGE_FORMATS_H

/* formats.h: what the files that know a format offer to thumb.c. */

#include "shrink.h"
#include "thumb.h"

/* Shrink what was read. On APR_SUCCESS the caller owns what is in *shrink, else
 * there is nothing in it. */
apr_status_t read_jpeg(shrink_t *shrink, const void *in, apr_size_t len);
apr_status_t read_png(shrink_t *shrink, const void *in, apr_size_t len);

/* Read what stands in a JPEG's EXIF data: how the camera was held, 1 to 8 as
 * EXIF counts; 1, upright, when it does not say; 0: this is no EXIF. `data` is
 * what an APP1 marker holds. */
int read_orientation(const unsigned char *data, apr_size_t len);

/* `pixels` is four bytes each, which write_png() may change. */
apr_status_t write_jpeg(brood_buffer_t **out, const unsigned char *pixels,
                        int width, int height);
apr_status_t write_png(brood_buffer_t **out, unsigned char *pixels, int width,
                       int height, int opaque);

#endif /* IMAGE_FORMATS_H */
