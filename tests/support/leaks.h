/* SPDX-License-Identifier: Apache-2.0 */

/* leaks.h: counts what a test may not leave behind. */

#ifndef BROOD_TESTS_LEAKS_H
#define BROOD_TESTS_LEAKS_H

typedef struct leaks_t {
    long memory;      /* blocks of lib/base/alloc.h */
    long threads;     /* -1 where nobody can tell */
    long descriptors; /* -1 where nobody can tell */
} leaks_t;

void leaks_count(leaks_t *leaks);

/* Wait up to `seconds` (a thread that was joined may still be leaving) until no
 * more is there than `before`. Returns the first kind that grew, as one of
 * KEEPS_*, and tells it in `text`; 0 if none did. Kinds in `keeps` may grow. */
unsigned leaks_find(const leaks_t *before, unsigned keeps, unsigned seconds,
                    char *text, unsigned len);

#endif /* BROOD_TESTS_LEAKS_H */
