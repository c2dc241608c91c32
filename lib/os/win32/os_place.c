/* SPDX-License-Identifier: Apache-2.0 */

/* os_place.c: what was installed is found from where this code lies. */

#include "os/place.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

enum { LONGEST = 1024 };

static int folder_of_code(char *path);
static const char *name_in(const char *path);
static int is_there(const char *path);

apr_status_t brood__os_place(char *path, size_t size, const char *installed,
                             const char *way)
{
    char beside[4 * LONGEST];
    const char *found = installed;
    size_t length = 0;

    if (folder_of_code(beside)) {
        length = strlen(beside);
        (void)snprintf(beside + length, sizeof(beside) - length, "%s%s", way,
                       name_in(installed));
        if (is_there(beside))
            found = beside;
    }
    length = strlen(found) + 1;
    if (length > size)
        return APR_ENAMETOOLONG;
    memcpy(path, found, length);
    return APR_SUCCESS;
}

/* With its last backslash. A character is three bytes at most, and a pair of
 * them four. */
static int folder_of_code(char *path)
{
    wchar_t wide[LONGEST];
    HMODULE code;
    DWORD n;

    if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS
                                | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                            (LPCWSTR)(void (*)(void))brood__os_place, &code))
        return 0;
    n = GetModuleFileNameW(code, wide, LONGEST);
    while (n && n < LONGEST && wide[n - 1] != L'\\')
        n--;
    if (n == 0 || n == LONGEST)
        return 0;
    wide[n] = L'\0';
    return WideCharToMultiByte(CP_UTF8, 0, wide, -1, path, 3 * LONGEST, NULL,
                               NULL)
           != 0;
}

static const char *name_in(const char *path)
{
    const char *name = path;

    for (; *path; path++)
        if (*path == '/' || *path == '\\')
            name = path + 1;
    return name;
}

static int is_there(const char *path)
{
    wchar_t wide[2 * LONGEST];

    return MultiByteToWideChar(CP_UTF8, 0, path, -1, wide, 2 * LONGEST)
           && GetFileAttributesW(wide) != INVALID_FILE_ATTRIBUTES;
}
