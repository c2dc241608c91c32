/* SPDX-License-Identifier: Apache-2.0 */

/* test_worker_unix.c: descriptors, names and children, as only POSIX systems have
 * them. */

#include "process/tasks.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"

static brood_process_manager_t *workers(int n)
{
    brood_process_manager_options_t o = OPTIONS;

    o.max_workers = o.min_workers = n;
    o.process_name_prefix = "imp";
    o.restart_backoff = 1;
    o.crash_limit = -1;
    return process_manager(&o);
}

/* Those that are open in a worker, as "0 1 2 3 ". */
static const char *descriptors(brood_process_manager_t *m)
{
    static char line[200];
    brood_future_t *future = process_submit(m, "descriptors", NULL);
    void *value = NULL;
    size_t size;

    ASSERT_STATUS(APR_SUCCESS, brood_future_get(future, &value, -1));
    size = brood_buffer_size(value);
    CU_ASSERT_FATAL(size > 0 && size < sizeof(line));
    memcpy(line, brood_buffer_data(value), size);
    line[size] = '\0';
    (void)brood_future_release(future);
    return line;
}

static void only_its_own_descriptors_are_open(void)
{
    brood_process_manager_t *m;
    int inherited = open("/dev/null", O_RDONLY); /* without close-on-exec */
    int high = dup2(inherited, 200);
    const char *number;
    int most = 0;

    m = workers(1);
    number = descriptors(m);
    while (*number)
        most = (int)strtol(number, (char **)(uintptr_t)&number, 10),
        number += *number == ' ';
    CU_ASSERT_TRUE(most >= 7);
    CU_ASSERT_TRUE(most <= 8); /* 0, 1, 2 and six of ours */
    (void)close(inherited);
    (void)close(high);
    process_stop(m);
}

/* What is printed where there is no standard output reaches nothing of ours. */
static void standard_descriptors_that_are_closed_are_none_of_ours(void)
{
    const int kept = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
    brood_process_manager_t *m;
    const char *list;
    ssize_t printed;

    CU_ASSERT_FATAL(kept >= 0);
    (void)fflush(stdout);
    (void)close(STDOUT_FILENO);
    m = workers(2);
    list = descriptors(m);
    printed = write(STDOUT_FILENO, "x", 1);
    CU_ASSERT_EQUAL(dup2(kept, STDOUT_FILENO), STDOUT_FILENO);
    (void)close(kept);
    CU_ASSERT_EQUAL(printed, -1);
    CU_ASSERT_EQUAL(strncmp(list, "0 1 2 3 ", 8), 0);
    process_stop(m);
}

static void its_name_is_visible(void)
{
    brood_process_manager_t *m = workers(1);
    long pid = process_number(m, "pid", NULL);
    char path[64], name[64] = "";
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
    file = fopen(path, "r");
    if (!file) {
        process_stop(m);
        TEST_SKIP("there is no /proc");
    }
    CU_ASSERT_PTR_NOT_NULL(fgets(name, sizeof(name), file));
    (void)fclose(file);
    CU_ASSERT_STRING_EQUAL(name, "imp-0\n");
    process_stop(m);
}

static void it_works_though_the_host_ignores_its_children(void)
{
    brood_process_manager_t *m;
    brood_future_t *future;
    int code, number;

    (void)signal(SIGCHLD, SIG_IGN);
    m = workers(2);
    process_expect(m, "echo", "x", "x");
    future = process_submit(m, "exit", "3");
    ASSERT_STATUS(BROOD_EWORKERDIED, brood_future_get(future, NULL, -1));
    /* A fork server reaps its own. */
    ASSERT_STATUS(test_variant ? APR_SUCCESS : BROOD_ENOTFOUND,
                  brood_future_worker_exit(future, &code, &number));
    (void)brood_future_release(future);
    process_expect(m, "echo", "y", "y");
    process_stop(m);
    (void)signal(SIGCHLD, SIG_DFL);
}

static atomic_int g_go_on;

static void *reap_all(void *unused)
{
    (void)unused;
    while (brood__load(&g_go_on, relaxed))
        if (waitpid(-1, NULL, WNOHANG) <= 0)
            (void)usleep(100);
    return NULL;
}

static void it_works_though_the_host_reaps_everything(void)
{
    brood_process_manager_t *m;
    pthread_t thread;
    int i;

    brood__store(&g_go_on, 1, relaxed);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, reap_all, NULL), 0);
    m = workers(2);
    for (i = 0; i < 10; i++) {
        ASSERT_STATUS(BROOD_EWORKERDIED,
                      process_end(process_submit(m, "exit", "3")));
        process_expect(m, "echo", "x", "x");
    }
    process_stop(m);
    brood__store(&g_go_on, 0, relaxed);
    (void)pthread_join(thread, NULL);
}

static const test_t tests[] = {
    TEST_KEEPS(only_its_own_descriptors_are_open, KEEPS_MEMORY),
    TEST_KEEPS(standard_descriptors_that_are_closed_are_none_of_ours,
               KEEPS_MEMORY),
    TEST_KEEPS(its_name_is_visible, KEEPS_MEMORY),
    TEST_KEEPS(it_works_though_the_host_ignores_its_children, KEEPS_MEMORY),
    TEST_KEEPS(it_works_though_the_host_reaps_everything, KEEPS_MEMORY),
};

PROCESS_MAIN("worker_unix", tests)
