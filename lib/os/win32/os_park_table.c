/* SPDX-License-Identifier: Apache-2.0 */

/*
 * os_park_table.c: sleep on a word, where the system has no such call.
 *
 * A table of locks, picked by the word's address. A sleeper compares the word
 * under the lock and queues itself before it lets go; a waker changes the word
 * first and then takes the same lock. So the waker either comes first, and the
 * sleeper sees the new value, or comes second and finds the sleeper queued.
 *
 * Each sleeper has a condition of its own: waking one wakes that one. It is
 * signalled under the lock, so the sleeper cannot be gone yet.
 */

#include "os/win32/os_internal.h"

#include "os/sleepers.h"

#define LONGEST (INT64_C(365) * 24 * 3600 * 1000000000)
#define BUCKETS 64u

typedef struct bucket_t {
    BROOD__ALIGNED(BROOD__LINE) SRWLOCK lock;
    brood__link_t
        sleepers; /* oldest first; guarded by `lock`; NULL: none yet */
} bucket_t;

typedef struct sleeper_t {
    brood__sleeper_t listed; /* guarded by the bucket's lock, as all of this */
    CONDITION_VARIABLE wake;
} sleeper_t;

static bucket_t g_buckets[BUCKETS]; /* zeros are open locks */

static bucket_t *lock_bucket(const atomic_uint *word);
static int sleep_until(sleeper_t *self, bucket_t *bucket, int64_t deadline);

apr_status_t brood__table_park(atomic_uint *word, unsigned seen,
                               int64_t timeout)
{
    const int64_t limit = timeout < LONGEST ? timeout : LONGEST;
    const int64_t deadline = timeout < 0 ? -1 : brood__os_now() + limit;
    bucket_t *bucket = lock_bucket(word);
    sleeper_t self;
    int in_time = 1;

    /* Relaxed: the lock orders it, see above. */
    if (brood__load(word, relaxed) != seen) {
        ReleaseSRWLockExclusive(&bucket->lock);
        return APR_SUCCESS;
    }
    self.listed.word = word;
    self.listed.woken = 0;
    InitializeConditionVariable(&self.wake);
    brood__list_append(&bucket->sleepers, &self.listed.link);
    while (!self.listed.woken && in_time)
        in_time = sleep_until(&self, bucket, deadline);
    brood__list_remove(&self.listed.link); /* harmless when the waker did */
    ReleaseSRWLockExclusive(&bucket->lock);
    return self.listed.woken ? APR_SUCCESS : APR_TIMEUP;
}

void brood__table_unpark(atomic_uint *word, unsigned n)
{
    bucket_t *bucket = lock_bucket(word);
    brood__sleeper_t *next;

    while (n-- && (next = brood__sleepers_wake(&bucket->sleepers, word))) {
        sleeper_t *sleeper = BROOD__CONTAINER(next, sleeper_t, listed);

        WakeConditionVariable(&sleeper->wake);
    }
    ReleaseSRWLockExclusive(&bucket->lock);
}

static bucket_t *lock_bucket(const atomic_uint *word)
{
    const uint32_t key = (uint32_t)((uintptr_t)word >> 2);
    bucket_t *bucket = &g_buckets[(key * 2654435769u) >> 26];

    AcquireSRWLockExclusive(&bucket->lock);
    if (!bucket->sleepers.next)
        brood__list_init(&bucket->sleepers);
    return bucket;
}

/* False: the time is over. */
static int sleep_until(sleeper_t *self, bucket_t *bucket, int64_t deadline)
{
    const int64_t left = deadline < 0 ? -1 : deadline - brood__os_now();

    if (deadline >= 0 && left <= 0)
        return 0;
    (void)SleepConditionVariableSRW(&self->wake, &bucket->lock,
                                    brood__milliseconds(left), 0);
    return 1;
}
