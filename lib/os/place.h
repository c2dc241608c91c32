/* SPDX-License-Identifier: Apache-2.0 */

/*
 * place.h: the platform contract for where the files of an installed brood are.
 *
 * unix/ and win32/ fulfil it in os_place.c, which brood-worker links as well;
 * so that needs no other part of the library.
 */

#ifndef BROOD_OS_PLACE_H
#define BROOD_OS_PLACE_H

#include <stddef.h>

#include <apr_errno.h>

/*
 * Where the file or folder is that was to be `installed`, an absolute path in
 * UTF-8. POSIX: there. Windows, where what is installed is put into any folder
 * and moved as a whole: if it is there, under its own name in `way` (empty, or
 * ending in a slash) from the folder of what this function is part of: of the
 * DLL, or of a program with the static library. APR_ENAMETOOLONG.
 */
apr_status_t brood__os_place(char *path, size_t size, const char *installed,
                             const char *way);

#endif /* BROOD_OS_PLACE_H */
