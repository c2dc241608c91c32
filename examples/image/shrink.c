/* SPDX-License-Identifier: Apache-2.0 */

/* shrink.c: means of areas. */

#include "shrink.h"

#include <stdlib.h>
#include <string.h>

#define CHANNELS 4

/* A column or line that goes in is no wider than one that comes out, so it
 * falls into one of these, or into one and the next. */
typedef struct cut_t {
    int index;   /* the first it falls into */
    float share; /* how much of it, up to 1; the rest is the next one's */
} cut_t;

static cut_t cut_at(int position, int size, int out_size)
{
    const long long left = (long long)position * out_size;
    const long long cell = left / size;
    const long long room = (cell + 1) * size - left;
    cut_t cut;

    cut.index = (int)cell;
    cut.share = room >= out_size ? 1.0f : (float)room / (float)out_size;
    return cut;
}

static int scaled(int size, int edge, int largest)
{
    const long long half = largest / 2;
    const int result = (int)(((long long)size * edge + half) / largest);

    return result > 0 ? result : 1;
}

void shrink_fit(int width, int height, int edge, int *out_width,
                int *out_height)
{
    const int largest = width > height ? width : height;

    *out_width = largest > edge ? scaled(width, edge, largest) : width;
    *out_height = largest > edge ? scaled(height, edge, largest) : height;
}

apr_status_t shrink_begin(shrink_t *shrink)
{
    const size_t line = (size_t)shrink->out_width * CHANNELS;
    int x;

    shrink->line = malloc(line * sizeof(*shrink->line));
    shrink->sums = calloc(line * (size_t)shrink->out_height,
                          sizeof(*shrink->sums));
    shrink->cut = malloc((size_t)shrink->width * sizeof(*shrink->cut));
    if (!shrink->line || !shrink->sums || !shrink->cut) {
        shrink_free(shrink);
        return APR_ENOMEM;
    }
    for (x = 0; x < shrink->width; x++)
        shrink->cut[x] = cut_at(x, shrink->width, shrink->out_width);
    return APR_SUCCESS;
}

/* Add a pixel to one of the line at hand. */
static void add_pixel(float *to, const unsigned char *pixel, int channels,
                      float share)
{
    const float opacity = channels == CHANNELS ? (float)pixel[3] / 255 : 1;
    const float weight = share * opacity;

    to[0] += weight * (float)pixel[0];
    to[1] += weight * (float)pixel[1];
    to[2] += weight * (float)pixel[2];
    to[3] += weight;
}

/* Add the line at hand to one of those that come out. */
static void add_line(shrink_t *shrink, int y, float share)
{
    const size_t n = (size_t)shrink->out_width * CHANNELS;
    float *to = shrink->sums + n * (size_t)y;
    size_t i;

    for (i = 0; i < n; i++)
        to[i] += share * shrink->line[i];
}

void shrink_add(shrink_t *shrink, const unsigned char *pixels, int channels,
                int y, int first, int step)
{
    const cut_t across = cut_at(y, shrink->height, shrink->out_height);
    int x;

    memset(shrink->line, 0,
           (size_t)shrink->out_width * CHANNELS * sizeof(*shrink->line));
    for (x = first; x < shrink->width; x += step, pixels += channels) {
        const cut_t cut = shrink->cut[x];
        float *to = shrink->line + (size_t)cut.index * CHANNELS;

        add_pixel(to, pixels, channels, cut.share);
        if (cut.share < 1)
            add_pixel(to + CHANNELS, pixels, channels, 1 - cut.share);
    }
    add_line(shrink, across.index, across.share);
    if (across.share < 1)
        add_line(shrink, across.index + 1, 1 - across.share);
}

static unsigned char to_byte(float value)
{
    return value >= 255 ? 255 : (unsigned char)(value + 0.5f);
}

int shrink_end(const shrink_t *shrink, unsigned char *pixels)
{
    const size_t n = (size_t)shrink->out_width * (size_t)shrink->out_height;
    const float area = (float)shrink->width / (float)shrink->out_width
                       * ((float)shrink->height / (float)shrink->out_height);
    int opaque = 1;
    size_t i;

    for (i = 0; i < n; i++, pixels += CHANNELS) {
        const float *sum = shrink->sums + i * CHANNELS;
        const float weight = sum[3] > 0 ? sum[3] : 1;

        pixels[0] = to_byte(sum[0] / weight);
        pixels[1] = to_byte(sum[1] / weight);
        pixels[2] = to_byte(sum[2] / weight);
        pixels[3] = to_byte(255 * sum[3] / area);
        opaque &= pixels[3] == 255;
    }
    return opaque;
}

void shrink_free(shrink_t *shrink)
{
    free(shrink->line);
    free(shrink->sums);
    free(shrink->cut);
    shrink->line = NULL;
    shrink->sums = NULL;
    shrink->cut = NULL;
}
