/* SPDX-License-Identifier: Apache-2.0 */

/* log.c: lines for the operator. */

#include <stdarg.h>
#include <stdio.h>

#include <apr_time.h>

#include "shop.h"

void shop_log(const char *format, ...)
{
    char line[1024];
    apr_time_exp_t now;
    size_t len, i;
    va_list args;

    apr_time_exp_gmt(&now, apr_time_now());
    len = (size_t)snprintf(
        line, sizeof(line),
        "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ shop: ", now.tm_year + 1900,
        now.tm_mon + 1, now.tm_mday, now.tm_hour, now.tm_min, now.tm_sec,
        now.tm_usec / 1000);
    va_start(args, format);
    vsnprintf(line + len, sizeof(line) - len - 1, format, args);
    va_end(args);

    /* What a client sent must not look like a line of ours, nor move the
     * cursor of whoever reads it. */
    for (i = len; line[i]; i++)
        if ((unsigned char)line[i] < 0x20 || (unsigned char)line[i] >= 0x7f)
            line[i] = '?';
    line[i] = '\n';
    line[i + 1] = '\0';
    fputs(line, stderr);
}
