/* SPDX-License-Identifier: Apache-2.0 */

/* files.c: folders and files, by APR. */

#include "files.h"

#include <stdlib.h>
#include <string.h>

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <apr_tables.h>

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

apr_status_t files_list(names_t *names, const char *folder, apr_pool_t *pool)
{
    apr_array_header_t *all = apr_array_make(pool, 64, sizeof(char *));
    apr_finfo_t info;
    apr_dir_t *dir;
    apr_status_t rv = apr_dir_open(&dir, folder, pool);

    if (rv != APR_SUCCESS)
        return rv;
    for (;;) {
        rv = apr_dir_read(&info, APR_FINFO_NAME, dir);
        if (rv != APR_SUCCESS && rv != APR_INCOMPLETE)
            break;
        if (info.name[0] != '.')
            APR_ARRAY_PUSH(all, const char *) = apr_pstrdup(pool, info.name);
    }
    (void)apr_dir_close(dir);
    if (!APR_STATUS_IS_ENOENT(rv)) /* the end */
        return rv;
    names->names = (const char **)(void *)all->elts;
    names->n = all->nelts;
    qsort(all->elts, (size_t)all->nelts, sizeof(char *), compare);
    return APR_SUCCESS;
}

apr_status_t files_folder(const char *path, apr_pool_t *pool)
{
    apr_finfo_t info;
    apr_status_t rv = apr_stat(&info, path, APR_FINFO_TYPE, pool);

    if (rv == APR_SUCCESS && info.filetype != APR_DIR)
        rv = APR_ENOTDIR;
    return rv;
}

const char *files_strerror(apr_status_t status)
{
    switch (status) {
    case FILES_EFOLDER:
        return "Is a directory";
    case FILES_EKIND:
        return "no regular file";
    default:
        return NULL;
    }
}

/* --- Reading ------------------------------------------------------------- */

/* A pipe must not hold us up, where a folder can have one. Where folders cannot
 * be opened, that is asked for. */
static apr_status_t open_file(apr_file_t **file, const char *path,
                              apr_pool_t *pool)
{
    const apr_int32_t flags = APR_FOPEN_READ | APR_FOPEN_BINARY;
    apr_status_t rv = apr_file_open(file, path, flags | APR_FOPEN_NONBLOCK,
                                    APR_FPROT_OS_DEFAULT, pool);

    if (APR_STATUS_IS_ENOTIMPL(rv))
        rv = apr_file_open(file, path, flags, APR_FPROT_OS_DEFAULT, pool);
    if (rv != APR_SUCCESS && files_folder(path, pool) == APR_SUCCESS)
        rv = FILES_EFOLDER;
    return rv;
}

static apr_status_t check(apr_file_t *file, apr_size_t most, apr_size_t *len)
{
    apr_finfo_t info;
    apr_status_t rv = apr_file_info_get(&info, APR_FINFO_TYPE | APR_FINFO_SIZE,
                                        file);

    if (rv != APR_SUCCESS)
        return rv;
    if (info.filetype == APR_DIR)
        return FILES_EFOLDER;
    if (info.filetype != APR_REG)
        return FILES_EKIND;
    if ((apr_uint64_t)info.size > most)
        return FILES_ELONG;
    *len = (apr_size_t)info.size;
    return APR_SUCCESS;
}

/* A file that became shorter meanwhile is short; one that grew is cut. */
static apr_status_t read_all(apr_file_t *file, void *to, apr_size_t *len)
{
    const apr_size_t most = *len;
    apr_status_t rv = apr_file_read_full(file, to, most, len);

    return rv == APR_EOF ? APR_SUCCESS : rv;
}

apr_status_t files_read(const char *folder, const char *name, apr_size_t most,
                        void **bytes, apr_size_t *len, apr_pool_t *pool)
{
    apr_file_t *file;
    apr_status_t rv = open_file(
        &file, apr_pstrcat(pool, folder, "/", name, NULL), pool);

    *bytes = NULL;
    if (rv != APR_SUCCESS)
        return rv;
    rv = check(file, most, len);
    if (rv == APR_SUCCESS) {
        *bytes = malloc(*len + 1);
        rv = *bytes ? read_all(file, *bytes, len) : APR_ENOMEM;
    }
    (void)apr_file_close(file);
    if (rv != APR_SUCCESS) {
        free(*bytes);
        *bytes = NULL;
    }
    return rv;
}

/* --- Writing ------------------------------------------------------------- */

/* Under a name that nobody has: `*name`. */
static apr_status_t make_temporary(apr_file_t **file, const char **name,
                                   const char *folder, apr_pool_t *pool)
{
    unsigned number;
    apr_status_t rv;

    do {
        rv = apr_generate_random_bytes((void *)&number, sizeof(number));
        if (rv != APR_SUCCESS)
            return rv;
        *name = apr_psprintf(pool, ".thumbs-%08x.tmp", number);
        rv = apr_file_open(file, apr_pstrcat(pool, folder, "/", *name, NULL),
                           APR_FOPEN_WRITE | APR_FOPEN_CREATE | APR_FOPEN_EXCL
                               | APR_FOPEN_BINARY,
                           APR_FPROT_OS_DEFAULT, pool);
    } while (APR_STATUS_IS_EEXIST(rv));
    return rv;
}

apr_status_t files_try(const char *folder, const char *other, int *same,
                       apr_pool_t *pool)
{
    const char *name;
    apr_finfo_t info;
    apr_file_t *file;
    apr_status_t rv = make_temporary(&file, &name, folder, pool);

    if (rv != APR_SUCCESS)
        return rv;
    (void)apr_file_close(file);
    *same = apr_stat(&info, apr_pstrcat(pool, other, "/", name, NULL),
                     APR_FINFO_TYPE, pool)
            == APR_SUCCESS;
    return apr_file_remove(apr_pstrcat(pool, folder, "/", name, NULL), pool);
}

apr_status_t files_write(const char *folder, const char *name,
                         const void *bytes, apr_size_t len, apr_pool_t *pool)
{
    const char *temporary, *path;
    apr_file_t *file;
    apr_status_t rv = make_temporary(&file, &temporary, folder, pool);
    apr_status_t closed;

    if (rv != APR_SUCCESS)
        return rv;
    path = apr_pstrcat(pool, folder, "/", temporary, NULL);
    rv = apr_file_write_full(file, bytes, len, NULL);
    closed = apr_file_close(file);
    if (rv == APR_SUCCESS)
        rv = closed;
    if (rv == APR_SUCCESS)
        rv = apr_file_rename(path, apr_pstrcat(pool, folder, "/", name, NULL),
                             pool);
    if (rv != APR_SUCCESS)
        (void)apr_file_remove(path, pool);
    return rv;
}
