/* SPDX-License-Identifier: Apache-2.0 */

/* user.c: what a stranger compiles against an installed brood, in C or C++. */

#include <stdio.h>
#include <string.h>

#include <brood.h>

int main(void)
{
    if (brood_initialize() != APR_SUCCESS)
        return 1;
    if (brood_version_number() != BROOD_VERSION_NUMBER) {
        fprintf(stderr, "the headers are of %d, the library of %d\n",
                BROOD_VERSION_NUMBER, brood_version_number());
        return 1;
    }
    puts(brood_version());
    brood_terminate();
    return 0;
}
