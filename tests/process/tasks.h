/* SPDX-License-Identifier: Apache-2.0 */

/*
 * tasks.h: functions that run in worker processes, good and bad. The worker is
 * the test program itself: PROCESS_MAIN() makes its main().
 */

#ifndef BROOD_TESTS_PROCESS_TASKS_H
#define BROOD_TESTS_PROCESS_TASKS_H

#include <brood.h>

#include <stdlib.h>
#include <string.h>

#include "support/support.h"

/* For tables of a test's own: what came in goes out; the worker's number. */
apr_status_t task_echo(const void *in, size_t len, brood_buffer_t **out);
apr_status_t task_pid(const void *in, size_t len, brood_buffer_t **out);

/* lib's table, or one that a test gives. */
extern const brood_process_entry_t process_tasks[];

#define PROCESS_MAIN(name, tests) PROCESS_MAIN_TABLE(name, tests, process_tasks)

#define PROCESS_MAIN_TABLE(name, tests, table)                                 \
    int main(int argc, char **argv)                                            \
    {                                                                          \
        brood_process_main(argc, (const char *const *)argv, table);            \
        return process_tests(name, tests, sizeof(tests) / sizeof((tests)[0]),  \
                             process_warm_up, argc, argv);                     \
    }

/* For tests that initialise by themselves, each once. */
#define PROCESS_MAIN_BARE(name, tests, table)                                  \
    int main(int argc, char **argv)                                            \
    {                                                                          \
        static const harness_t harness = { name,                               \
                                           tests,                              \
                                           sizeof(tests) / sizeof((tests)[0]), \
                                           apr_initialize,                     \
                                           apr_terminate,                      \
                                           NULL,                               \
                                           NULL };                             \
                                                                               \
        brood_process_main(argc, (const char *const *)argv, table);            \
        return harness_main(&harness, argc, (const char *const *)argv);        \
    }

/* Every test, with workers that are started anew; then, where there are fork
 * servers, every test again, with workers that one of these has made. */
int process_tests(const char *name, const test_t *tests, unsigned n,
                  void (*warm_up)(void), int argc, char **argv);

/* The supervisor and the collector stay until the end. */
void process_warm_up(void);

/* A started manager; options may be NULL: two workers at most. Its workers are
 * made as the run has it. */
brood_process_manager_t *process_manager(
    const brood_process_manager_options_t *options);
#define OPTIONS                                                                \
    ((brood_process_manager_options_t)BROOD_PROCESS_MANAGER_OPTIONS_INIT)

/* Stop it, and wait. */
void process_stop(brood_process_manager_t *manager);

/* A task, which must be accepted. */
brood_future_t *process_submit(brood_process_manager_t *manager,
                               const char *function, const char *in);
brood_future_t *process_submit_with(brood_process_manager_t *manager,
                                    const char *function, const char *in,
                                    const brood_task_options_t *options);

/* Its status; the future is released. */
apr_status_t process_end(brood_future_t *future);

/* Run one, and compare its result with `out`. */
void process_expect(brood_process_manager_t *manager, const char *function,
                    const char *in, const char *out);

/* The number that a task gives as text. */
long process_number(brood_process_manager_t *manager, const char *function,
                    const char *in);

/* Between the two: an error is logged, or what has that level. It is waited for,
 * and has this in it. */
#define process_listen() process_listen_to(BROOD_LOG_ERROR)
void process_listen_to(int level);
void process_heard(const char *part);

/* It has ended; perhaps nobody has reaped it. */
int process_is_gone(long pid);

/*
 * A door between processes: a file in a folder of its own. Tasks open doors that
 * the test waits for, and wait for doors that it opens.
 */
typedef struct file_door_t {
    char path[200];
} file_door_t;

void file_door_init(file_door_t *door, const char *name);
void file_door_open(const char *path);
int file_door_is_open(const char *path);
void file_door_fini(file_door_t *door);

#endif /* BROOD_TESTS_PROCESS_TASKS_H */
