/* SPDX-License-Identifier: Apache-2.0 */

/*
 * os_park_table.c: sleep on a word, where the kernel has no such call.
 *
 * A table of mutexes, picked by the word's address (as in WebKit's ParkingLot
 * and the kernel's own futex). A sleeper compares the word under the mutex and
 * queues itself before it lets go; a waker changes the word first and then
 * takes the same mutex. So the waker either comes first, and the sleeper sees
 * the new value, or comes second and finds the sleeper in the queue.
 *
 * Each sleeper has a condition of its own: waking one wakes that one. It is
 * signalled under the mutex, so the sleeper cannot be gone yet.
 *
 * Define BROOD_PARK_TABLE to have this on Linux, too.
 */

#include "os/os.h"

#ifdef __linux__
#include <sys/syscall.h>
#endif

#if !defined(__linux__) || !defined(SYS_futex) || defined(BROOD_PARK_TABLE)

#include <errno.h>

#include "os/sleepers.h"

#define SECOND  INT64_C(1000000000)
#define LONGEST (INT64_C(365) * 24 * 3600 * SECOND)
#define BUCKETS 64u

typedef struct bucket_t {
    BROOD__ALIGNED(BROOD__LINE) pthread_mutex_t mutex;
    brood__link_t sleepers; /* oldest first; guarded by `mutex` */
} bucket_t;

typedef struct sleeper_t {
    brood__sleeper_t listed; /* guarded by the bucket's lock, as all of this */
    pthread_cond_t wake;
} sleeper_t;

static bucket_t g_buckets[BUCKETS];
static pthread_once_t g_once = PTHREAD_ONCE_INIT;

static bucket_t *lock_bucket(const atomic_uint *word);
static void init_buckets(void);
static void init_condition(pthread_cond_t *cond);
static int sleep_until(sleeper_t *self, bucket_t *bucket, int64_t deadline);
static void wake(const atomic_uint *word, unsigned n);

apr_status_t brood__os_park(atomic_uint *word, unsigned seen, int64_t timeout)
{
    const int64_t limit = timeout < LONGEST ? timeout : LONGEST;
    const int64_t deadline = timeout < 0 ? -1 : brood__os_now() + limit;
    bucket_t *bucket = lock_bucket(word);
    sleeper_t self;
    int rc = 0;

    /* Relaxed: the mutex orders it, see above. */
    if (brood__load(word, relaxed) != seen) {
        (void)pthread_mutex_unlock(&bucket->mutex);
        return APR_SUCCESS;
    }
    self.listed.word = word;
    self.listed.woken = 0;
    init_condition(&self.wake);
    brood__list_append(&bucket->sleepers, &self.listed.link);
    while (!self.listed.woken && rc == 0)
        rc = sleep_until(&self, bucket, deadline);
    brood__list_remove(&self.listed.link); /* harmless when the waker did */
    (void)pthread_mutex_unlock(&bucket->mutex);
    (void)pthread_cond_destroy(&self.wake);
    return self.listed.woken || rc != ETIMEDOUT ? APR_SUCCESS : APR_TIMEUP;
}

void brood__os_unpark_one(atomic_uint *word)
{
    wake(word, 1);
}

void brood__os_unpark_all(atomic_uint *word)
{
    wake(word, ~0u);
}

static void wake(const atomic_uint *word, unsigned n)
{
    bucket_t *bucket = lock_bucket(word);
    brood__sleeper_t *next;

    while (n-- && (next = brood__sleepers_wake(&bucket->sleepers, word))) {
        sleeper_t *sleeper = BROOD__CONTAINER(next, sleeper_t, listed);

        (void)pthread_cond_signal(&sleeper->wake);
    }
    (void)pthread_mutex_unlock(&bucket->mutex);
}

static bucket_t *lock_bucket(const atomic_uint *word)
{
    const uint32_t key = (uint32_t)((uintptr_t)word >> 2);
    bucket_t *bucket = &g_buckets[(key * 2654435769u) >> 26];

    (void)pthread_once(&g_once, init_buckets);
    (void)pthread_mutex_lock(&bucket->mutex);
    return bucket;
}

static void init_buckets(void)
{
    unsigned i;

    for (i = 0; i < BUCKETS; i++) {
        (void)pthread_mutex_init(&g_buckets[i].mutex, NULL);
        brood__list_init(&g_buckets[i].sleepers);
    }
}

#ifdef __APPLE__

/* No clock can be chosen here, but waits can be relative. */
static void init_condition(pthread_cond_t *cond)
{
    (void)pthread_cond_init(cond, NULL);
}

static int sleep_until(sleeper_t *self, bucket_t *bucket, int64_t deadline)
{
    struct timespec left;
    int64_t ns;

    if (deadline < 0)
        return pthread_cond_wait(&self->wake, &bucket->mutex);
    ns = deadline - brood__os_now();
    if (ns <= 0)
        return ETIMEDOUT;
    left.tv_sec = (time_t)(ns / SECOND);
    left.tv_nsec = (long)(ns % SECOND);
    return pthread_cond_timedwait_relative_np(&self->wake, &bucket->mutex,
                                              &left);
}

#else

static void init_condition(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(cond, &attr);
    (void)pthread_condattr_destroy(&attr);
}

static int sleep_until(sleeper_t *self, bucket_t *bucket, int64_t deadline)
{
    struct timespec until;

    if (deadline < 0)
        return pthread_cond_wait(&self->wake, &bucket->mutex);
    until.tv_sec = (time_t)(deadline / SECOND);
    until.tv_nsec = (long)(deadline % SECOND);
    return pthread_cond_timedwait(&self->wake, &bucket->mutex, &until);
}

#endif

#else

/* ISO C wants something in every file. */
typedef int brood__park_table_is_not_needed_t;

#endif
