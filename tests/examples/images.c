/* SPDX-License-Identifier: Apache-2.0 */

/*
 * images.c: pictures to test with, and a look at them.
 *
 *   images jpeg PATH WIDTH HEIGHT [gray|cmyk|progressive|scans|exif1...exif8]
 *   images png PATH WIDTH HEIGHT [rgba|gray|gray16|palette|bits|interlaced]
 *   images spoil PATH SEED         change a few bytes of a file
 *   images show PATH               "jpeg 160x120 RGBW": format, size, corners
 *
 * Their quarters are red, green, blue and white; black is all else. "bits" is
 * black and has one bit a pixel.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

#define CHECK(ok) ((ok) ? (void)0 : die(#ok))

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static FILE *open_file(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);

    if (!file)
        die(path);
    return file;
}

static void quarter_color(unsigned char *rgb, int right, int below)
{
    rgb[0] = right == below ? 255 : 0;
    rgb[1] = right ? 255 : 0;
    rgb[2] = below ? 255 : 0;
}

/* --- JPEG ---------------------------------------------------------------- */

/* A scan for each coefficient of each component, and one more each. */
static void ask_for_scans(struct jpeg_compress_struct *jpeg)
{
    static jpeg_scan_info scans[1 + 3 * 63 * 2];
    int n = 1, component, i, low;

    scans[0].comps_in_scan = 3;
    for (i = 0; i < 3; i++)
        scans[0].component_index[i] = i;
    for (low = 1; low >= 0; low--)
        for (component = 0; component < 3; component++)
            for (i = 1; i < 64; i++, n++) {
                scans[n].comps_in_scan = 1;
                scans[n].component_index[0] = component;
                scans[n].Ss = scans[n].Se = i;
                scans[n].Ah = low ? 0 : 1;
                scans[n].Al = low;
            }
    jpeg->scan_info = scans;
    jpeg->num_scans = n;
}

static void set_kind(struct jpeg_compress_struct *jpeg, const char *kind)
{
    const int is_gray = strcmp(kind, "gray") == 0;
    const int is_cmyk = strcmp(kind, "cmyk") == 0;

    jpeg->input_components = is_gray ? 1 : is_cmyk ? 4 : 3;
    jpeg->in_color_space = is_gray   ? JCS_GRAYSCALE
                           : is_cmyk ? JCS_CMYK
                                     : JCS_RGB;
    jpeg_set_defaults(jpeg);
    if (strcmp(kind, "progressive") == 0)
        jpeg_simple_progression(jpeg);
    if (strcmp(kind, "scans") == 0)
        ask_for_scans(jpeg);
}

static void write_exif(struct jpeg_compress_struct *jpeg, int orientation)
{
    unsigned char exif[] = "Exif\0\0II*\0\10\0\0\0\1\0\22\1\3\0\1\0\0\0?\0\0\0"
                           "\0\0\0";

    exif[24] = (unsigned char)orientation;
    jpeg_write_marker(jpeg, JPEG_APP0 + 1, exif, sizeof(exif));
}

static void jpeg_line(unsigned char *line, int width, int below, int components)
{
    unsigned char rgb[3];
    int x, i;

    for (x = 0; x < width; x++) {
        quarter_color(rgb, x >= (width + 1) / 2, below);
        if (components == 1)
            line[x] = (unsigned char)((rgb[0] + rgb[1] + rgb[2]) / 3);
        for (i = 0; i < 3 && components >= 3; i++)
            line[x * components + i] = rgb[i];
        if (components == 4)
            line[x * 4 + 3] = 255;
    }
}

static void make_jpeg(const char *path, int width, int height, const char *kind)
{
    FILE *file = open_file(path, "wb");
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr error;
    unsigned char *line = malloc((size_t)width * 4);
    int y;

    CHECK(line);
    jpeg.err = jpeg_std_error(&error);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = (unsigned)width;
    jpeg.image_height = (unsigned)height;
    set_kind(&jpeg, kind);
    jpeg_start_compress(&jpeg, TRUE);
    if (strncmp(kind, "exif", 4) == 0)
        write_exif(&jpeg, atoi(kind + 4));
    for (y = 0; y < height; y++) {
        jpeg_line(line, width, y >= (height + 1) / 2, jpeg.input_components);
        jpeg_write_scanlines(&jpeg, &line, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    free(line);
    CHECK(fclose(file) == 0);
}

/* --- PNG ----------------------------------------------------------------- */

typedef struct {
    const char *name;
    int color;
    int depth;
    int bytes; /* of a pixel; 0: less than one */
} png_kind_t;

static const png_kind_t png_kinds[] = {
    { "", PNG_COLOR_TYPE_RGB, 8, 3 },
    { "interlaced", PNG_COLOR_TYPE_RGB, 8, 3 },
    { "rgba", PNG_COLOR_TYPE_RGB_ALPHA, 8, 4 },
    { "gray", PNG_COLOR_TYPE_GRAY, 8, 1 },
    { "gray16", PNG_COLOR_TYPE_GRAY, 16, 2 },
    { "palette", PNG_COLOR_TYPE_PALETTE, 8, 1 },
    { "bits", PNG_COLOR_TYPE_GRAY, 1, 0 },
    { NULL, 0, 0, 0 },
};

static void png_line(unsigned char *line, int width, int below,
                     const png_kind_t *kind)
{
    unsigned char rgb[3];
    int x;

    for (x = 0; x < width; x++, line += kind->bytes) {
        const int right = x >= (width + 1) / 2;

        quarter_color(rgb, right, below);
        if (kind->bytes >= 3)
            memcpy(line, rgb, 3);
        else
            memset(line, (rgb[0] + rgb[1] + rgb[2]) / 3, (size_t)kind->bytes);
        if (kind->bytes == 4)
            line[3] = right && below ? 0 : 255; /* nothing, or white */
        if (kind->color == PNG_COLOR_TYPE_PALETTE)
            line[0] = (unsigned char)(2 * below + right);
    }
}

static void begin_png(png_structp png, png_infop info, int width, int height,
                      const png_kind_t *kind)
{
    png_color palette[4];
    unsigned char rgb[3];
    int i;

    png_set_user_limits(png, 1000000, 1000000);
    png_set_compression_level(png, 1);
    png_set_IHDR(png, info, (unsigned)width, (unsigned)height, kind->depth,
                 kind->color,
                 strcmp(kind->name, "interlaced") == 0 ? PNG_INTERLACE_ADAM7
                                                       : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    for (i = 0; i < 4; i++) {
        quarter_color(rgb, i & 1, i >> 1);
        palette[i].red = rgb[0];
        palette[i].green = rgb[1];
        palette[i].blue = rgb[2];
    }
    if (kind->color == PNG_COLOR_TYPE_PALETTE)
        png_set_PLTE(png, info, palette, 4);
    png_write_info(png, info);
}

static void make_png(const char *path, int width, int height, const char *name)
{
    FILE *file = open_file(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL,
                                              NULL);
    png_infop info = png_create_info_struct(png);
    unsigned char *line = calloc((size_t)width, 4);
    const png_kind_t *kind = png_kinds;
    int passes, y;

    while (kind->name && strcmp(kind->name, name) != 0)
        kind++;
    CHECK(kind->name && png && info && line);
    png_init_io(png, file);
    begin_png(png, info, width, height, kind);
    passes = png_set_interlace_handling(png);
    while (passes-- > 0)
        for (y = 0; y < height; y++) {
            png_line(line, width, y >= (height + 1) / 2, kind);
            png_write_row(png, line);
        }
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    free(line);
    CHECK(fclose(file) == 0);
}

/* --- spoil --------------------------------------------------------------- */

static void spoil(const char *path, unsigned seed)
{
    FILE *file = open_file(path, "r+b");
    long len;
    int i;

    CHECK(fseek(file, 0, SEEK_END) == 0);
    len = ftell(file);
    CHECK(len > 0);
    for (i = 0; i < 4; i++) {
        seed = seed * 1664525u + 1013904223u;
        CHECK(fseek(file, (long)((seed >> 4) % (unsigned long)len), SEEK_SET)
              == 0);
        fputc((int)(seed >> 24), file);
    }
    CHECK(fclose(file) == 0);
}

/* --- show ---------------------------------------------------------------- */

static char letter(const unsigned char *rgb)
{
    const int r = rgb[0] > 127, g = rgb[1] > 127, b = rgb[2] > 127;

    return "KBG?R??W"[4 * r + 2 * g + b];
}

static void show(const char *format, unsigned width, unsigned height,
                 const unsigned char *rgb)
{
    const size_t row = 3 * (size_t)width, last = row * (height - 1);

    printf("%s %ux%u %c%c%c%c\n", format, width, height, letter(rgb),
           letter(rgb + row - 3), letter(rgb + last),
           letter(rgb + last + row - 3));
}

static void show_png(const char *path)
{
    const png_color white = { 255, 255, 255 };
    unsigned char *rgb;
    png_image image;

    memset(&image, 0, sizeof(image));
    image.version = PNG_IMAGE_VERSION;
    CHECK(png_image_begin_read_from_file(&image, path));
    image.format = PNG_FORMAT_RGB;
    rgb = malloc(PNG_IMAGE_SIZE(image));
    CHECK(rgb && png_image_finish_read(&image, &white, rgb, 0, NULL));
    show("png", image.width, image.height, rgb);
    free(rgb);
}

static void show_jpeg(const char *path)
{
    FILE *file = open_file(path, "rb");
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr error;
    unsigned char *rgb, *line;

    jpeg.err = jpeg_std_error(&error);
    jpeg_create_decompress(&jpeg);
    jpeg_stdio_src(&jpeg, file);
    jpeg_read_header(&jpeg, TRUE);
    jpeg.out_color_space = JCS_RGB;
    jpeg_start_decompress(&jpeg);
    rgb = line = malloc((size_t)jpeg.output_width * jpeg.output_height * 3);
    CHECK(rgb);
    for (; jpeg.output_scanline < jpeg.output_height;
         line += 3 * jpeg.output_width)
        jpeg_read_scanlines(&jpeg, &line, 1);
    jpeg_finish_decompress(&jpeg);
    CHECK(error.num_warnings == 0);
    show("jpeg", jpeg.output_width, jpeg.output_height, rgb);
    jpeg_destroy_decompress(&jpeg);
    free(rgb);
    fclose(file);
}

static void show_file(const char *path)
{
    FILE *file = open_file(path, "rb");
    const int first = fgetc(file);

    fclose(file);
    if (first == 0xff)
        show_jpeg(path);
    else
        show_png(path);
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";
    const char *kind = argc > 5 ? argv[5] : "";

    if (strcmp(what, "jpeg") == 0 && argc > 4)
        make_jpeg(argv[2], atoi(argv[3]), atoi(argv[4]), kind);
    else if (strcmp(what, "png") == 0 && argc > 4)
        make_png(argv[2], atoi(argv[3]), atoi(argv[4]), kind);
    else if (strcmp(what, "spoil") == 0 && argc == 4)
        spoil(argv[2], (unsigned)atoi(argv[3]));
    else if (strcmp(what, "show") == 0)
        show_file(argv[2]);
    else {
        fputs("usage: images jpeg|png PATH WIDTH HEIGHT [KIND]\n"
              "       images spoil PATH SEED\n"
              "       images show PATH\n",
              stderr);
        return 2;
    }
    return 0;
}
