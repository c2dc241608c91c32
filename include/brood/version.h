/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROOD_VERSION_H
#define BROOD_VERSION_H

#include <brood/export.h>

/** @file brood/version.h
 *  @brief Which brood this is. The build takes the numbers from here.
 */

/** Grows when a program may have to change. */
#define BROOD_VERSION_MAJOR 0
/** Grows with what is added; before 1.0 a program may have to change, too. */
#define BROOD_VERSION_MINOR 1
/** Grows with what is mended. */
#define BROOD_VERSION_PATCH 0

/** The version of the headers, as one number that grows: 0.1.0 is 100. */
#define BROOD_VERSION_NUMBER                                                   \
    (BROOD_VERSION_MAJOR * 10000 + BROOD_VERSION_MINOR * 100                   \
     + BROOD_VERSION_PATCH)

BROOD_BEGIN_DECLS

/**
 * The version of the library that runs, as text.
 *
 * @return a text such as "0.1.0".
 *
 * @threads   any.
 * @ownership the text is the library's and never changes.
 * @blocks    never.
 */
BROOD_API const char *brood_version(void);

/**
 * The version of the library that runs, as in BROOD_VERSION_NUMBER.
 *
 * @return a number that grows; of version 0.1.0 it is 100.
 *
 * @threads   any.
 * @ownership nothing moves.
 * @blocks    never.
 */
BROOD_API int brood_version_number(void);

BROOD_END_DECLS

#endif /* BROOD_VERSION_H */
