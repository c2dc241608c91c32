/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pthread.h: what the tests use of POSIX threads, made of what Windows has.
 *
 * mingw-w64 has all of them, but its own keep handles: an event for each lock
 * that was ever waited for, also for one that is none of ours, and two handles
 * for each foreign thread that has waited. They come when threads happen to
 * meet, so that a test could not be asked to leave as many as it found. Here
 * nothing but a thread has one, until it is joined.
 */

#ifndef BROOD_TESTS_PTHREAD_H
#define BROOD_TESTS_PTHREAD_H

#include <winsock2.h>
#include <windows.h>

#include <errno.h>
#include <process.h>
#include <stdlib.h>

/* ---- keys ---------------------------------------------------------------- */

/* One at a time, for the threads that the same file makes. Its handler runs
 * when their function has returned, so before what Windows runs at the end. */
typedef DWORD pthread_key_t;

static pthread_key_t pthread_the_key = TLS_OUT_OF_INDEXES;
static void (*pthread_at_end)(void *value);

static inline int pthread_key_create(pthread_key_t *key, void (*end)(void *))
{
    if (pthread_the_key != TLS_OUT_OF_INDEXES)
        return EAGAIN;
    pthread_at_end = end;
    *key = pthread_the_key = TlsAlloc();
    return *key == TLS_OUT_OF_INDEXES ? EAGAIN : 0;
}

static inline int pthread_key_delete(pthread_key_t key)
{
    pthread_the_key = TLS_OUT_OF_INDEXES;
    return TlsFree(key) ? 0 : EINVAL;
}

static inline int pthread_setspecific(pthread_key_t key, void *value)
{
    return TlsSetValue(key, value) ? 0 : ENOMEM;
}

/* ---- threads ------------------------------------------------------------- */

typedef struct pthread_call_t {
    void *(*fn)(void *);
    void *arg; /* then the result */
} pthread_call_t;

typedef struct pthread_t {
    HANDLE handle; /* NULL in what pthread_self() gives */
    unsigned id;
    pthread_call_t *call;
} pthread_t;

static inline unsigned __stdcall pthread_begin(void *call)
{
    pthread_call_t *c = call;
    void *value = NULL;

    c->arg = c->fn(c->arg);
    if (pthread_the_key != TLS_OUT_OF_INDEXES)
        value = TlsGetValue(pthread_the_key);
    if (value) {
        TlsSetValue(pthread_the_key, NULL);
        pthread_at_end(value);
    }
    return 0;
}

/* No test asks for attributes. */
static inline int pthread_create(pthread_t *thread, const void *none,
                                 void *(*fn)(void *), void *arg)
{
    pthread_call_t *call = none ? NULL : malloc(sizeof(*call));
    uintptr_t handle = 0;

    if (call) {
        call->fn = fn;
        call->arg = arg;
        handle = _beginthreadex(NULL, 0, pthread_begin, call, 0, &thread->id);
    }
    if (!handle) {
        free(call);
        return EAGAIN;
    }
    thread->handle = (HANDLE)handle;
    thread->call = call;
    return 0;
}

static inline int pthread_join(pthread_t thread, void **result)
{
    if (WaitForSingleObject(thread.handle, INFINITE) != WAIT_OBJECT_0)
        abort(); /* it was joined before, or never began */
    CloseHandle(thread.handle);
    if (result)
        *result = thread.call->arg;
    free(thread.call);
    return 0;
}

static inline pthread_t pthread_self(void)
{
    const pthread_t self = { NULL, GetCurrentThreadId(), NULL };

    return self;
}

static inline int pthread_equal(pthread_t a, pthread_t b)
{
    return a.id == b.id;
}

/* ---- locks and conditions ------------------------------------------------ */

typedef SRWLOCK pthread_mutex_t;
typedef CONDITION_VARIABLE pthread_cond_t;

#define PTHREAD_MUTEX_INITIALIZER SRWLOCK_INIT

static inline int pthread_mutex_init(pthread_mutex_t *lock, const void *none)
{
    InitializeSRWLock(lock);
    return none ? EINVAL : 0;
}

static inline int pthread_mutex_destroy(pthread_mutex_t *lock)
{
    (void)lock;
    return 0;
}

static inline int pthread_mutex_lock(pthread_mutex_t *lock)
{
    AcquireSRWLockExclusive(lock);
    return 0;
}

static inline int pthread_mutex_unlock(pthread_mutex_t *lock)
{
    ReleaseSRWLockExclusive(lock);
    return 0;
}

static inline int pthread_cond_init(pthread_cond_t *cond, const void *none)
{
    InitializeConditionVariable(cond);
    return none ? EINVAL : 0;
}

static inline int pthread_cond_destroy(pthread_cond_t *cond)
{
    (void)cond;
    return 0;
}

static inline int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock)
{
    return SleepConditionVariableSRW(cond, lock, INFINITE, 0) ? 0 : EINVAL;
}

static inline int pthread_cond_broadcast(pthread_cond_t *cond)
{
    WakeAllConditionVariable(cond);
    return 0;
}

#endif /* BROOD_TESTS_PTHREAD_H */
