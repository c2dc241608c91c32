/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGE_SHRINK_H
#define IMAGE_SHRINK_H

/*
 * shrink.h: a picture gets smaller, line by line: each pixel that comes out is
 * the mean of the area that it covers. What is transparent counts as much less.
 *
 * Lines may come in any order and in pieces, as those of an interlaced PNG do.
 */

#include <apr_errno.h>

typedef struct shrink_t {
    int width; /* of what goes in */
    int height;
    int out_width; /* of what comes out: at most the same */
    int out_height;
    int orientation;   /* see read_orientation(); not applied here */
    float *line;       /* the line at hand, as wide as what comes out */
    float *sums;       /* of color times opacity, and of opacity */
    struct cut_t *cut; /* where each column falls */
} shrink_t;

/* The size at which a picture fits into a square. */
void shrink_fit(int width, int height, int edge, int *out_width,
                int *out_height);

/* Sizes are in *shrink. A failed one needs no shrink_free(). */
apr_status_t shrink_begin(shrink_t *shrink);

/* Pixels of line `y`, from column `first` on, each `step` columns; `channels`
 * bytes each: 3, or 4 with opacity. */
void shrink_add(shrink_t *shrink, const unsigned char *pixels, int channels,
                int y, int first, int step);

/* Write four bytes a pixel. True: all is opaque. */
int shrink_end(const shrink_t *shrink, unsigned char *pixels);

void shrink_free(shrink_t *shrink);

#endif /* IMAGE_SHRINK_H */
