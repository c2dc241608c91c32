/* SPDX-License-Identifier: Apache-2.0 */

/* os_lock.c: a plain mutex. A slim lock needs no making and no freeing, and
 * fails never. */

#include "os/win32/os_internal.h"

_Static_assert(sizeof(SRWLOCK) == sizeof(brood__os_lock_t),
               "os_types.h says what an SRWLOCK is");

static SRWLOCK *srw(brood__os_lock_t *lock)
{
    return (SRWLOCK *)(void *)&lock->srw;
}

void brood__os_lock_init(brood__os_lock_t *lock)
{
    InitializeSRWLock(srw(lock));
}

void brood__os_lock_fini(brood__os_lock_t *lock)
{
    (void)lock;
}

void brood__os_lock(brood__os_lock_t *lock)
{
    AcquireSRWLockExclusive(srw(lock));
}

int brood__os_trylock(brood__os_lock_t *lock)
{
    return TryAcquireSRWLockExclusive(srw(lock)) != 0;
}

void brood__os_unlock(brood__os_lock_t *lock)
{
    ReleaseSRWLockExclusive(srw(lock));
}
