/* SPDX-License-Identifier: Apache-2.0 */

/* files.c: folders and files. */

#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int append(names_t *names, const char *name)
{
    char **more = realloc(names->names, (names->n + 1) * sizeof(*more));

    if (more) {
        names->names = more;
        names->names[names->n] = strdup(name);
    }
    if (!more || !names->names[names->n])
        return ENOMEM;
    names->n++;
    return 0;
}

int files_list(names_t *names, int folder)
{
    const int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    int error = dir ? 0 : errno;

    names->names = NULL;
    names->n = 0;
    while (!error) {
        errno = 0;
        entry = readdir(dir);
        if (!entry)
            error = errno;
        else if (entry->d_name[0] != '.')
            error = append(names, entry->d_name);
        if (!entry)
            break;
    }
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
    if (error)
        files_forget(names);
    else if (names->n)
        qsort(names->names, names->n, sizeof(*names->names), compare);
    return error;
}

void files_forget(names_t *names)
{
    while (names->n > 0)
        free(names->names[--names->n]);
    free(names->names);
    names->names = NULL;
}

/* --- Reading ------------------------------------------------------------- */

static int check(int fd, size_t most, size_t *len)
{
    struct stat info;

    if (fstat(fd, &info) != 0)
        return errno;
    if (S_ISDIR(info.st_mode))
        return EISDIR;
    if (!S_ISREG(info.st_mode))
        return ENOTSUP;
    if ((unsigned long long)info.st_size > most)
        return EFBIG;
    *len = (size_t)info.st_size;
    return 0;
}

/* A file that became shorter meanwhile is short; one that grew is cut. */
static int read_all(int fd, char *to, size_t *len)
{
    size_t done = 0;

    while (done < *len) {
        const ssize_t n = read(fd, to + done, *len - done);

        if (n < 0 && errno != EINTR)
            return errno;
        if (n == 0)
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    *len = done;
    return 0;
}

int files_read(int folder, const char *name, size_t most, void **bytes,
               size_t *len)
{
    /* O_NONBLOCK: a pipe must not hold us up. */
    const int fd = openat(folder, name,
                          O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    int error;

    *bytes = NULL;
    if (fd < 0)
        return errno;
    error = check(fd, most, len);
    if (!error) {
        *bytes = malloc(*len + 1);
        error = *bytes ? read_all(fd, *bytes, len) : ENOMEM;
    }
    close(fd);
    if (error) {
        free(*bytes);
        *bytes = NULL;
    }
    return error;
}

/* --- Writing ------------------------------------------------------------- */

static int write_all(int fd, const char *from, size_t len)
{
    while (len > 0) {
        const ssize_t n = write(fd, from, len);

        if (n < 0 && errno != EINTR)
            return errno;
        from += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int files_write(int folder, const char *name, const void *bytes, size_t len)
{
    char temporary[64];
    int error, fd;

    snprintf(temporary, sizeof(temporary), ".thumbs-%ld.tmp", (long)getpid());
    unlinkat(folder, temporary, 0); /* one killed, whose number we have */
    fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                0666);
    if (fd < 0)
        return errno;
    error = write_all(fd, bytes, len);
    if (close(fd) != 0 && !error)
        error = errno;
    if (!error && renameat(folder, temporary, folder, name) != 0)
        error = errno;
    if (error)
        unlinkat(folder, temporary, 0);
    return error;
}
