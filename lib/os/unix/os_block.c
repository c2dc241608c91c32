/* SPDX-License-Identifier: Apache-2.0 */

/* os_block.c: shared memory without a name. */

#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "os/unix/os_internal.h"

#if defined(F_ADD_SEALS) && !defined(F_SEAL_FUTURE_WRITE)
#define F_SEAL_FUTURE_WRITE 0x0010 /* Linux 5.1 */
#endif

static int is_over_limit(size_t size);
static int make_object(void);
#ifdef F_ADD_SEALS
static int seal(int fd, int seals);
#endif

apr_status_t brood__os_block_make(brood__os_block_t *block, size_t size)
{
    apr_status_t rv = APR_SUCCESS;

    memset(block, 0, sizeof(*block));
    if (brood__fault(BROOD__FAULT_DESCRIPTOR))
        return APR_EMFILE;
    if (is_over_limit(size))
        return EFBIG;
    block->handle = brood__private(make_object());
    if (block->handle < 0)
        return errno;
    if (ftruncate(block->handle, (off_t)size) != 0)
        rv = errno;
#ifdef F_ADD_SEALS
    if (rv == APR_SUCCESS && !seal(block->handle, F_SEAL_SHRINK | F_SEAL_GROW))
        rv = errno;
#endif
    if (rv == APR_SUCCESS)
        rv = brood__os_block_map(block, block->handle, size, 1);
    if (rv != APR_SUCCESS) {
        (void)close(block->handle);
        memset(block, 0, sizeof(*block));
    }
    return rv;
}

/* For the system a block is a file. Asked for one over the limit of those, it
 * would answer with SIGXFSZ, which ends the program. */
static int is_over_limit(size_t size)
{
    struct rlimit most;

    return getrlimit(RLIMIT_FSIZE, &most) == 0 && most.rlim_cur != RLIM_INFINITY
           && size > most.rlim_cur;
}

apr_status_t brood__os_block_read_only(brood__os_block_t *block)
{
#ifdef F_ADD_SEALS
    if (seal(block->handle, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL))
        return APR_SUCCESS;
#else
    (void)block;
#endif
    return APR_ENOTIMPL;
}

apr_status_t brood__os_block_freeze(brood__os_block_t *block)
{
    (void)munmap(block->base, block->size);
    block->base = NULL;
#ifdef F_ADD_SEALS
    if (!seal(block->handle, F_SEAL_WRITE | F_SEAL_SEAL))
        return errno;
#endif
    return APR_SUCCESS;
}

apr_status_t brood__os_block_map(brood__os_block_t *block,
                                 brood__os_handle_t handle, size_t size,
                                 int writable)
{
    const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    struct stat about;
    void *base;

    if (fstat(handle, &about) != 0)
        return errno;
    if (about.st_size < 0 || (uint64_t)about.st_size < size || !size)
        return APR_EINVAL;
    if (brood__fault(BROOD__FAULT_MEMORY))
        return APR_ENOMEM;
    base = mmap(NULL, size, protection, MAP_SHARED, handle, 0);
    if (base == MAP_FAILED)
        return errno;
    block->handle = handle;
    block->base = base;
    block->size = size;
    return APR_SUCCESS;
}

/* Where there are no seals the size is fixed once it is set: an object of
 * shm_open() takes one ftruncate() only, or cannot shrink while it is mapped. */
apr_status_t brood__os_block_open(brood__os_block_t *block,
                                  brood__os_handle_t handle, size_t size,
                                  int *safe)
{
    apr_status_t rv;

    *safe = 0;
    memset(block, 0, sizeof(*block));
#ifdef F_ADD_SEALS
    {
        const int all = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
        const int seals = fcntl(handle, F_GET_SEALS);

        if (seals < 0 || (seals & all) != all) {
            (void)close(handle);
            return APR_EINVAL;
        }
        *safe = 1;
    }
#endif
    rv = brood__os_block_map(block, handle, size, 0);
    if (rv != APR_SUCCESS)
        (void)close(handle);
    return rv;
}

void brood__os_block_free(brood__os_block_t *block)
{
    if (!block->size)
        return;
    if (block->base)
        (void)munmap(block->base, block->size);
    (void)close(block->handle);
    memset(block, 0, sizeof(*block));
}

#ifdef F_ADD_SEALS

static int make_object(void)
{
    return memfd_create("brood", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

static int seal(int fd, int seals)
{
    return fcntl(fd, F_ADD_SEALS, seals) == 0;
}

#else

/* Under a name that nobody can guess, for no longer than it takes to unlink. */
static int make_object(void)
{
    unsigned char random[12];
    char name[32] = "/b.";
    size_t i;
    int fd;

    if (brood__os_random(random, sizeof(random)) != APR_SUCCESS)
        return -1;
    for (i = 0; i < sizeof(random); i++)
        (void)snprintf(name + 3 + 2 * i, 3, "%02x", random[i]);
    fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd >= 0) {
        (void)shm_unlink(name);
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    return fd;
}

#endif
