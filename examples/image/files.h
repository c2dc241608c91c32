/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGE_FILES_H
#define IMAGE_FILES_H

/* files.h: what thumbs.c does with the disk. All return 0 or an errno. */

#include <stddef.h>

typedef struct names_t {
    char **names; /* sorted */
    size_t n;
} names_t;

/* All entries but those whose name begins with a dot. */
int files_list(names_t *names, int folder);
void files_forget(names_t *names);

/* Read a whole regular file of at most `most` bytes; EFBIG: it has more;
 * EISDIR, ENOTSUP: it is another thing. The bytes are malloc()ed. */
int files_read(int folder, const char *name, size_t most, void **bytes,
               size_t *len);

/* Write a file whole or not at all: nobody ever sees a part of it. */
int files_write(int folder, const char *name, const void *bytes, size_t len);

#endif /* IMAGE_FILES_H */
