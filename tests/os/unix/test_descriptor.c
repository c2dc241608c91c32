/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_descriptor.c: what tells of a process' end. Both ways: that of this
 * system's, and kqueue, with a stand-in for the system call where there is none.
 */

#include "os/unix/os_internal.h"

#include "support/support.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"

/* ---- the other way, under names of its own ------------------------------------ */

#if defined(__linux__)
#define BROOD_DEATH_WATCH_KQUEUE 1
#define brood__descriptor_own    queue_own
#define brood__descriptor_pass   queue_pass
#define brood__descriptor_adopt  queue_adopt
#define brood__descriptor_signal queue_signal
int queue_own(pid_t pid);
int queue_pass(pid_t pid);
int queue_adopt(pid_t pid);
int queue_signal(int descriptor, pid_t pid, int number);
#include "os_descriptor.c"
#undef brood__descriptor_own
#undef brood__descriptor_pass
#undef brood__descriptor_adopt
#undef brood__descriptor_signal
#else
#define queue_own    brood__descriptor_own
#define queue_pass   brood__descriptor_pass
#define queue_adopt  brood__descriptor_adopt
#define queue_signal brood__descriptor_signal
#endif

static const struct {
    const char *name;
    int (*own)(pid_t pid);
    int (*pass)(pid_t pid);
    int (*adopt)(pid_t pid);
    int (*signal)(int descriptor, pid_t pid, int number);
} ways[] = {
    { "the system's", brood__descriptor_own, brood__descriptor_pass,
      brood__descriptor_adopt, brood__descriptor_signal },
    { "kqueue", queue_own, queue_pass, queue_adopt, queue_signal },
};

enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

/* ---- tests -------------------------------------------------------------------- */

/* A child that lives until it is killed. */
static pid_t child(void)
{
    const pid_t pid = fork();

    if (pid == 0)
        for (;;)
            (void)pause();
    return pid;
}

static void await_death(pid_t pid)
{
    siginfo_t info;

    CU_ASSERT_EQUAL(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static void reap(pid_t pid)
{
    CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
}

/* Before, after, and for ever after. */
static void it_is_readable_from_the_end_on(void)
{
    int i, j;

    for (i = 0; i < WAYS; i++) {
        const pid_t pid = child();
        const int descriptor = ways[i].own(pid);

        CU_ASSERT_FATAL(descriptor >= 0);
        CU_ASSERT_FALSE(brood__os_readable(descriptor));
        CU_ASSERT_EQUAL(kill(pid, SIGKILL), 0);
        await_death(pid);
        WAIT_UNTIL(brood__os_readable(descriptor));
        for (j = 0; j < 3; j++)
            CU_ASSERT_TRUE(brood__os_readable(descriptor));
        reap(pid);
        CU_ASSERT_TRUE(brood__os_readable(descriptor));
        (void)close(descriptor);
    }
}

/* Though the end is seen, somebody else has reaped it before. */
static void it_tells_of_one_that_nobody_waits_for(void)
{
    int i;

    for (i = 0; i < WAYS; i++) {
        pid_t pid;
        int descriptor;

        (void)signal(SIGCHLD, SIG_IGN);
        pid = child();
        descriptor = ways[i].own(pid);
        CU_ASSERT_FATAL(descriptor >= 0);
        CU_ASSERT_TRUE(ways[i].signal(descriptor, pid, SIGKILL));
        WAIT_UNTIL(brood__os_readable(descriptor));
        (void)close(descriptor);
        (void)signal(SIGCHLD, SIG_DFL);
    }
}

static void who_has_ended_gets_no_signal(void)
{
    int i;

    for (i = 0; i < WAYS; i++) {
        const pid_t pid = child();
        const int descriptor = ways[i].own(pid);

        CU_ASSERT_TRUE(ways[i].signal(descriptor, pid, 0));
        CU_ASSERT_TRUE(ways[i].signal(-1, pid, 0));
        CU_ASSERT_TRUE(ways[i].signal(descriptor, pid, SIGTERM));
        await_death(pid);
        reap(pid);
        CU_ASSERT_FALSE(ways[i].signal(descriptor, pid, SIGTERM));
        CU_ASSERT_FALSE(ways[i].signal(-1, pid, SIGTERM));
        CU_ASSERT_FALSE(ways[i].signal(-1, 0, SIGTERM)); /* our own group */
        (void)close(descriptor);
    }
}

/* One way or the other: handed over, or made by who did not make the child. */
static void one_side_can_watch_a_strangers_child(void)
{
    int i;

    for (i = 0; i < WAYS; i++) {
        const pid_t pid = child();
        const int passed = ways[i].pass(pid), adopted = ways[i].adopt(pid);

        CU_ASSERT_TRUE((passed >= 0) != (adopted >= 0));
        CU_ASSERT_EQUAL(kill(pid, SIGKILL), 0);
        WAIT_UNTIL(brood__os_readable(passed >= 0 ? passed : adopted));
        reap(pid);
        (void)close(passed >= 0 ? passed : adopted);
    }
}

static void nobody_is_watched_who_is_gone(void)
{
    int i;

    for (i = 0; i < WAYS; i++) {
        const pid_t pid = child();

        CU_ASSERT_EQUAL(kill(pid, SIGKILL), 0);
        reap(pid);
        CU_ASSERT_EQUAL(ways[i].own(pid), -1);
        brood__fault_at(BROOD__FAULT_PIDFD, 1);
        CU_ASSERT_EQUAL(ways[i].own(getpid()), -1);
        brood__fault_at(BROOD__FAULT_PIDFD, 0);
    }
}

static const test_t tests[] = {
    TEST(it_is_readable_from_the_end_on),
    TEST(it_tells_of_one_that_nobody_waits_for),
    TEST(who_has_ended_gets_no_signal),
    TEST(one_side_can_watch_a_strangers_child),
    TEST(nobody_is_watched_who_is_gone),
};
HARNESS_MAIN_BARE("descriptor", tests)
