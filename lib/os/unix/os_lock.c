/* SPDX-License-Identifier: Apache-2.0 */

/* os_lock.c: a plain mutex. */

#include "os/os.h"

#include <stdio.h>
#include <stdlib.h>

static void must(int rc, const char *what);

void brood__os_lock_init(brood__os_lock_t *lock)
{
    must(pthread_mutex_init(&lock->mutex, NULL), "init");
}

void brood__os_lock_fini(brood__os_lock_t *lock)
{
    must(pthread_mutex_destroy(&lock->mutex), "destroy");
}

void brood__os_lock(brood__os_lock_t *lock)
{
    must(pthread_mutex_lock(&lock->mutex), "lock");
}

int brood__os_trylock(brood__os_lock_t *lock)
{
    return pthread_mutex_trylock(&lock->mutex) == 0;
}

void brood__os_unlock(brood__os_lock_t *lock)
{
    must(pthread_mutex_unlock(&lock->mutex), "unlock");
}

/* A mutex fails only when it is misused, and what it guards is then lost. */
static void must(int rc, const char *what)
{
    if (BROOD__LIKELY(rc == 0))
        return;
    fprintf(stderr, "brood: pthread_mutex_%s: error %d\n", what, rc);
    abort();
}
