/* SPDX-License-Identifier: Apache-2.0 */

/* version.c: the version that was compiled in. */

#include <brood/version.h>

#define QUOTE(x)   #x
#define TEXT_OF(x) QUOTE(x)
#define VERSION                                                                \
    TEXT_OF(BROOD_VERSION_MAJOR)                                               \
    "." TEXT_OF(BROOD_VERSION_MINOR) "." TEXT_OF(BROOD_VERSION_PATCH)

const char *brood_version(void)
{
    return VERSION;
}

int brood_version_number(void)
{
    return BROOD_VERSION_NUMBER;
}
