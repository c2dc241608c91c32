/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGE_FILES_H
#define IMAGE_FILES_H

/* files.h: what thumbs.c does with the disk. Names are UTF-8 on Windows and
 * bytes elsewhere, as APR has them; `pool` holds what is only needed during the
 * call. */

#include <apr_errno.h>
#include <apr_pools.h>

/* What a file is, if it cannot be read. */
#define FILES_EFOLDER (APR_OS_START_USERERR + 211)
#define FILES_EKIND   (APR_OS_START_USERERR + 212)
#define FILES_ELONG   (APR_OS_START_USERERR + 213)

typedef struct names_t {
    const char **names; /* sorted */
    int n;
} names_t;

/* All entries but those whose name begins with a dot; kept in `pool`. */
apr_status_t files_list(names_t *names, const char *folder, apr_pool_t *pool);

/* Is it a folder? APR_ENOTDIR */
apr_status_t files_folder(const char *path, apr_pool_t *pool);

/* May files be made in `folder`, and are they also there in `other`? Tells by
 * making one. */
apr_status_t files_try(const char *folder, const char *other, int *same,
                       apr_pool_t *pool);

/* Read a whole regular file of at most `most` bytes, to be freed by free(); or
 * say what it is instead. */
apr_status_t files_read(const char *folder, const char *name, apr_size_t most,
                        void **bytes, apr_size_t *len, apr_pool_t *pool);

/* Write a file whole or not at all: nobody ever sees a part of it. */
apr_status_t files_write(const char *folder, const char *name,
                         const void *bytes, apr_size_t len, apr_pool_t *pool);

/* The sentence for FILES_EFOLDER and FILES_EKIND; NULL: it is neither. */
const char *files_strerror(apr_status_t status);

#endif /* IMAGE_FILES_H */
