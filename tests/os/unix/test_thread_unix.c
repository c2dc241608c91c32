/* SPDX-License-Identifier: Apache-2.0 */

/* test_thread_unix.c: names and signals of threads. */

#include "os/thread.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "support/support.h"

/* What a thread saw; read after its join. */
typedef struct seen_t {
    char name[64];
    sigset_t mask;
} seen_t;

static void look_around(void *arg)
{
    seen_t *seen = arg;

    pthread_getname_np(pthread_self(), seen->name, sizeof(seen->name));
    pthread_sigmask(SIG_SETMASK, NULL, &seen->mask);
}

static seen_t seen_by_thread(const char *name)
{
    brood__thread_t *thread = NULL;
    seen_t seen;

    memset(&seen, 0, sizeof(seen));
    ASSERT_STATUS(APR_SUCCESS,
                  brood__thread_start(&thread, look_around, &seen, name, 0));
    if (thread)
        brood__thread_join(thread);
    return seen;
}

static void names_are_cut_between_characters(void)
{
    static const char *const rows[][2] = {
        { "brood/io", "brood/io" },
        { "exactly-15-byte", "exactly-15-byte" },
        { "more-than-15-bytes", "more-than-15-by" },
        { "fourteen-byte-\xc3\xa9", "fourteen-byte-" },
        { "thirteen-byte\xc3\xa9", "thirteen-byte\xc3\xa9" },
        { "twelve-bytes\xf0\x9f\x90\xa3\xf0\x9f\x90\xa3", "twelve-bytes" },
        { "eleven-byte\xf0\x9f\x90\xa3!", "eleven-byte\xf0\x9f\x90\xa3" },
        { "much longer than any platform takes, whatever it is, really",
          "much longer tha" },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        seen_t seen = seen_by_thread(rows[i][0]);

        CU_ASSERT_STRING_EQUAL(seen.name, rows[i][1]);
    }
}

static void a_thread_may_have_no_name(void)
{
    CU_ASSERT(seen_by_thread(NULL).name[0]);
    CU_ASSERT(seen_by_thread("").name[0]); /* it has its starter's */
}

static void only_synchronous_signals_reach_a_thread(void)
{
    static const int open_signals[] = { SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                                        SIGTRAP, SIGABRT, SIGSYS };
    static const int shut_signals[] = { SIGINT,  SIGTERM, SIGCHLD, SIGALRM,
                                        SIGPIPE, SIGUSR1, SIGHUP };
    seen_t seen = seen_by_thread("signals");
    sigset_t mine;
    size_t i;

    for (i = 0; i < 7; i++) {
        CU_ASSERT_FALSE(sigismember(&seen.mask, open_signals[i]));
        CU_ASSERT(sigismember(&seen.mask, shut_signals[i]));
    }
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    CU_ASSERT_FALSE(sigismember(&mine, SIGINT)); /* the starter's is as was */
}

static atomic_uint g_word;
static atomic_uint g_asleep;

/* Sleeps until the word is no longer 0. */
static void *sleeper(void *woken)
{
    brood__store(&g_asleep, 1, relaxed);
    while (brood__load(&g_word, acquire) == 0)
        (void)brood__os_park(&g_word, 0, -1);
    return woken;
}

static void do_nothing(int signal_number)
{
    (void)signal_number;
}

static void a_signal_is_not_the_end_of_the_time(void)
{
    struct sigaction act = { 0 };
    struct sigaction old;
    pthread_t thread;

    act.sa_handler = do_nothing;
    sigaction(SIGUSR1, &act, &old);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, sleeper, NULL), 0);
    WAIT_UNTIL(brood__load(&g_asleep, relaxed) == 1);
    pthread_kill(thread, SIGUSR1);
    brood__store(&g_word, 1, release);
    brood__os_unpark_one(&g_word);
    pthread_join(thread, NULL);
    sigaction(SIGUSR1, &old, NULL);
}

static const test_t tests[] = {
    TEST(names_are_cut_between_characters),
    TEST(a_thread_may_have_no_name),
    TEST(only_synchronous_signals_reach_a_thread),
    TEST(a_signal_is_not_the_end_of_the_time),
};
HARNESS_MAIN_BARE("thread_unix", tests)
