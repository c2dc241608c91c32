/* SPDX-License-Identifier: Apache-2.0 */

/* os_thread.c: names, signals, the end and the stack of the calling thread. */

#include "os/os.h"

#include <sched.h>
#include <string.h>
#if defined(__FreeBSD__) || defined(__OpenBSD__)
#include <pthread_np.h>
#endif

/* Linux refuses a name of more than 15 bytes and then sets none at all. Others
 * take more, but 15 are enough everywhere. */
#define NAME_MAX_BYTES 15u

/* What a thread causes itself; blocked, it would be killed without its
 * handler, or abort() would not be reported. */
static const int synchronous[] = { SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                                   SIGTRAP, SIGABRT, SIGSYS };

static brood__os_lock_t g_hook_lock = BROOD__OS_LOCK_INIT;
static int g_hook_made;          /* guarded by g_hook_lock */
static pthread_key_t g_hook_key; /* written once, under it */

/* The calling thread's stack; `high` 0: not asked yet, or unknown. */
static BROOD__THREAD_LOCAL struct {
    uintptr_t low;
    uintptr_t high;
    int asked;
} tl_stack;

static void find_stack(void);

void brood__os_thread_name(const char *name)
{
    char cut[NAME_MAX_BYTES + 1];
    size_t n = strlen(name);

    if (n > NAME_MAX_BYTES) {
        n = NAME_MAX_BYTES;
        while (n && ((unsigned char)name[n] & 0xC0u) == 0x80u)
            n--; /* not in the middle of a UTF-8 character */
    }
    memcpy(cut, name, n);
    cut[n] = '\0';
#if defined(__APPLE__)
    (void)pthread_setname_np(cut);
#elif defined(__FreeBSD__) || defined(__OpenBSD__)
    pthread_set_name_np(pthread_self(), cut);
#elif defined(__NetBSD__)
    (void)pthread_setname_np(pthread_self(), "%s", cut);
#else
    (void)pthread_setname_np(pthread_self(), cut);
#endif
}

void brood__os_signals_block(brood__os_sigmask_t *saved)
{
    sigset_t blocked;
    size_t i;

    (void)sigfillset(&blocked);
    for (i = 0; i < sizeof(synchronous) / sizeof(synchronous[0]); i++)
        (void)sigdelset(&blocked, synchronous[i]);
    (void)pthread_sigmask(SIG_SETMASK, &blocked, saved);
}

void brood__os_signals_restore(const brood__os_sigmask_t *saved)
{
    (void)pthread_sigmask(SIG_SETMASK, saved, NULL);
}

/*
 * The key's value is reset before its destructor runs, and POSIX repeats the
 * round over all keys while some destructor has set a value again: that is the
 * second call that os.h promises. It gives up after
 * PTHREAD_DESTRUCTOR_ITERATIONS rounds (4).
 */
apr_status_t brood__os_exit_hook(void (*fn)(void *data))
{
    apr_status_t rv = APR_SUCCESS;

    brood__os_lock(&g_hook_lock);
    if (!g_hook_made) {
        rv = pthread_key_create(&g_hook_key, fn);
        g_hook_made = rv == APR_SUCCESS;
    }
    brood__os_unlock(&g_hook_lock);
    return rv;
}

apr_status_t brood__os_exit_hook_set(void *data)
{
    return pthread_setspecific(g_hook_key, data);
}

void brood__os_yield(void)
{
    (void)sched_yield();
}

size_t brood__os_stack_left(void)
{
    /* Not the address of a variable: ASan may keep those elsewhere. */
    const uintptr_t here = (uintptr_t)__builtin_frame_address(0);

    if (!tl_stack.asked)
        find_stack();
    /* Outside: on a coroutine's stack, or a signal's. */
    if (here <= tl_stack.low || here >= tl_stack.high)
        return 0;
    return here - tl_stack.low;
}

/*
 * The main thread's stack grows on demand up to RLIMIT_STACK, and that is what
 * the C library tells, as of now: a limit that is lowered later is not seen.
 * It reads /proc for this, so the answer is kept.
 */
static void find_stack(void)
{
    void *start = NULL;
    size_t size = 0;
    size_t guard = 0;

    tl_stack.asked = 1;
#if defined(__APPLE__)
    size = pthread_get_stacksize_np(pthread_self());
    start = (char *)pthread_get_stackaddr_np(pthread_self()) - size;
#elif defined(__linux__) || defined(__FreeBSD__) || defined(__NetBSD__)
    {
        pthread_attr_t attr;

#if defined(__linux__)
        if (pthread_getattr_np(pthread_self(), &attr) != 0)
            return;
#else
        (void)pthread_attr_init(&attr);
        (void)pthread_attr_get_np(pthread_self(), &attr);
#endif
        if (pthread_attr_getstack(&attr, &start, &size) != 0)
            size = 0;
        (void)pthread_attr_getguardsize(&attr, &guard);
        (void)pthread_attr_destroy(&attr);
    }
#endif
    /* Some C libraries count the guard as part of the stack. */
    if (size <= guard)
        return;
    tl_stack.low = (uintptr_t)start + guard;
    tl_stack.high = (uintptr_t)start + size;
}
