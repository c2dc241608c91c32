/* SPDX-License-Identifier: Apache-2.0 */

/*
 * sleepers.h: who sleeps on a word, where the system has no such call: what is
 * the same of both os_park_table.c. All under the lock of the list.
 */

#ifndef BROOD_OS_SLEEPERS_H
#define BROOD_OS_SLEEPERS_H

#include "base/atomic.h"
#include "base/list.h"

typedef struct brood__sleeper_t {
    brood__link_t link;
    const atomic_uint *word;
    int woken;
} brood__sleeper_t;

/* The oldest one that sleeps on `word` is woken, as far as the list goes; NULL:
 * there is none. */
BROOD__INLINE brood__sleeper_t *brood__sleepers_wake(brood__link_t *list,
                                                     const atomic_uint *word)
{
    brood__link_t *link;

    BROOD__LIST_EACH (list, link) {
        brood__sleeper_t *sleeper = BROOD__CONTAINER(link, brood__sleeper_t,
                                                     link);

        if (sleeper->word == word) {
            brood__list_remove(&sleeper->link);
            sleeper->woken = 1;
            return sleeper;
        }
    }
    return NULL;
}

#endif /* BROOD_OS_SLEEPERS_H */
