/* SPDX-License-Identifier: Apache-2.0 */

/* leaks.c: memory, threads and descriptors, before and after a test. */

#include "support/leaks.h"

#include <stdio.h>

#include "base/alloc.h"
#include "os/os.h"
#include "support/support.h"

static unsigned grown(const leaks_t *before, const leaks_t *now,
                      unsigned keeps);
static void say(unsigned kind, const leaks_t *before, const leaks_t *now,
                char *text, unsigned len);

void leaks_count(leaks_t *leaks)
{
    leaks->memory = (long)brood__alloc_live();
    leaks->threads = platform_threads();
    leaks->descriptors = platform_descriptors();
}

unsigned leaks_find(const leaks_t *before, unsigned keeps, unsigned seconds,
                    char *text, unsigned len)
{
    const int64_t end = brood__os_now() + seconds * INT64_C(1000000000);
    leaks_t now;
    unsigned kind;
    int late;

    for (;;) {
        late = brood__os_now() >= end;
        leaks_count(&now);
        kind = grown(before, &now, keeps);
        if (!kind || late)
            break;
        platform_nap(1000);
    }

    if (kind)
        say(kind, before, &now, text, len);
    return kind;
}

static unsigned grown(const leaks_t *before, const leaks_t *now, unsigned keeps)
{
    if (now->memory > before->memory && !(keeps & KEEPS_MEMORY))
        return KEEPS_MEMORY;
    if (now->threads > before->threads && !(keeps & KEEPS_THREADS))
        return KEEPS_THREADS;
    if (now->descriptors > before->descriptors && !(keeps & KEEPS_DESCRIPTORS))
        return KEEPS_DESCRIPTORS;
    return 0;
}

static void say(unsigned kind, const leaks_t *before, const leaks_t *now,
                char *text, unsigned len)
{
    const char *what = kind == KEEPS_MEMORY    ? "blocks of memory"
                       : kind == KEEPS_THREADS ? "threads"
                                               : "descriptors";
    long was = kind == KEEPS_MEMORY    ? before->memory
               : kind == KEEPS_THREADS ? before->threads
                                       : before->descriptors;
    long is = kind == KEEPS_MEMORY    ? now->memory
              : kind == KEEPS_THREADS ? now->threads
                                      : now->descriptors;

    snprintf(text, len, "the test left %ld %s behind", is - was, what);
}
