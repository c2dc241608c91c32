/* SPDX-License-Identifier: Apache-2.0 */

/*
 * os_block.c: shared memory without a name.
 *
 * There are no seals. What is only to be read is handed over with a handle that
 * cannot be mapped otherwise; the block's own access list is empty, so that
 * nobody gets more out of such a handle by duplicating it. But the receiver
 * cannot see whether the sender has kept a writable mapping: he copies.
 */

#include "os/win32/os_internal.h"

#define PSAPI_VERSION 2
#include <psapi.h>
#include <string.h>

#include "base/fault.h"
#include "os/process.h"

static HANDLE make_section(size_t size);
static int may_read(const void *base, size_t size);

apr_status_t brood__os_block_make(brood__os_block_t *block, size_t size)
{
    brood__os_handle_t object;
    HANDLE section;
    apr_status_t rv;

    memset(block, 0, sizeof(*block));
    section = make_section(size);
    if (!section)
        return brood__handle_error();
    object = brood__object_make(section);
    if (!object)
        return APR_ENOMEM;
    rv = brood__os_block_map(block, object, size, 1);
    if (rv != APR_SUCCESS) {
        brood__os_handle_close(object);
        memset(block, 0, sizeof(*block));
    }
    return rv;
}

/* Exchanged for a handle that can do no more than be read. */
apr_status_t brood__os_block_read_only(brood__os_block_t *block)
{
    const HANDLE self = GetCurrentProcess();
    HANDLE less;

    if (brood__table_full()
        || !DuplicateHandle(self, block->handle->handle, self, &less,
                            FILE_MAP_READ, FALSE, 0))
        return brood__handle_error();
    (void)CloseHandle(block->handle->handle);
    block->handle->handle = block->handle->wait = less;
    return APR_SUCCESS;
}

apr_status_t brood__os_block_freeze(brood__os_block_t *block)
{
    (void)UnmapViewOfFile(block->base);
    block->base = NULL;
    return brood__os_block_read_only(block);
}

/* A section that is too small, or something that is none, is refused by the
 * system; one of which not every byte is there (a file's, or reserved only)
 * could fail us later, while we read. */
apr_status_t brood__os_block_map(brood__os_block_t *block,
                                 brood__os_handle_t handle, size_t size,
                                 int writable)
{
    const DWORD access = writable ? FILE_MAP_READ | FILE_MAP_WRITE
                                  : FILE_MAP_READ;
    void *base;
    DWORD code;

    if (!size || !handle)
        return APR_EINVAL;
    if (brood__fault(BROOD__FAULT_MEMORY))
        return APR_ENOMEM;
    base = MapViewOfFile(handle->handle, access, 0, 0, size);
    if (!base) {
        code = GetLastError();
        return code == ERROR_NOT_ENOUGH_MEMORY || code == ERROR_COMMITMENT_LIMIT
                   ? APR_ENOMEM
                   : APR_EINVAL;
    }
    if (!may_read(base, size)) {
        (void)UnmapViewOfFile(base);
        return APR_EINVAL;
    }
    block->handle = handle;
    block->base = base;
    block->size = size;
    return APR_SUCCESS;
}

apr_status_t brood__os_block_open(brood__os_block_t *block,
                                  brood__os_handle_t handle, size_t size,
                                  int *safe)
{
    apr_status_t rv;

    *safe = 0;
    memset(block, 0, sizeof(*block));
    rv = brood__os_block_map(block, handle, size, 0);
    if (rv != APR_SUCCESS)
        brood__os_handle_close(handle);
    return rv;
}

void brood__os_block_free(brood__os_block_t *block)
{
    if (!block->size)
        return;
    if (block->base)
        (void)UnmapViewOfFile(block->base);
    brood__os_handle_close(block->handle);
    memset(block, 0, sizeof(*block));
}

/* With an access list that has no entry: opening it anew, or duplicating a
 * handle with more access than it has, is refused to everybody. */
static HANDLE make_section(size_t size)
{
    SECURITY_DESCRIPTOR nobody;
    SECURITY_ATTRIBUTES attributes = { sizeof(attributes), &nobody, FALSE };
    ACL list;

    if (brood__table_full()
        || !InitializeSecurityDescriptor(&nobody, SECURITY_DESCRIPTOR_REVISION)
        || !InitializeAcl(&list, sizeof(list), ACL_REVISION)
        || !SetSecurityDescriptorDacl(&nobody, TRUE, &list, FALSE))
        return NULL;
    return CreateFileMappingW(INVALID_HANDLE_VALUE, &attributes, PAGE_READWRITE,
                              (DWORD)((uint64_t)size >> 32), (DWORD)size, NULL);
}

/* Memory of the paging file, and all of it. What is committed in a section
 * stays so. */
static int may_read(const void *base, size_t size)
{
    const HANDLE self = GetCurrentProcess();
    MEMORY_BASIC_INFORMATION about;
    WCHAR name[MAX_PATH];

    return VirtualQuery(base, &about, sizeof(about)) == sizeof(about)
           && about.State == MEM_COMMIT && about.Type == MEM_MAPPED
           && about.RegionSize >= size
           && !K32GetMappedFileNameW(self, (void *)(uintptr_t)base, name,
                                     MAX_PATH);
}
