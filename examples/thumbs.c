/* SPDX-License-Identifier: Apache-2.0 */

/*
 * thumbs.c: thumbnails of all images of a folder, made by worker processes.
 *
 *     IN_DIR/NAME -> bytes -> [worker process: thumb_make()] -> OUT_DIR/NAME
 *
 * The workers see bytes, and neither files nor names. One that dies of a
 * picture, or is killed, loses at most that picture; brood starts another and
 * tries again. Ends with the line "N made, M failed".
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <brood.h>

#include "image/files.h"
#include "image/thumb.h"

#define MAX_FILE    (64 * 1024 * 1024)
#define MAX_WORKERS 256
#define MAX_OPEN    (2 * MAX_WORKERS) /* pictures on their way at once */

static const char usage_text[] =
    "usage: thumbs [-w WORKERS] [-t SECONDS] IN_DIR OUT_DIR\n"
    "\n"
    "Makes a thumbnail of each JPEG and PNG in IN_DIR, with the same name in\n"
    "OUT_DIR, which is made if it is not there. Names that begin with a dot\n"
    "are left out.\n"
    "\n"
    "  -w WORKERS  processes, up to 256; default: one per CPU\n"
    "  -t SECONDS  what one picture may take; default 20\n"
    "  -h          show this\n"
    "\n"
    "Exit: 0 all were made, 1 some failed, 2 nothing was tried, 130 Ctrl-C.\n";

typedef struct run_t {
    brood_process_manager_t *manager;
    int workers;
    int seconds;
    int in; /* folders */
    int out;
    int terminal; /* standard output is one */
    names_t all;
    size_t next;                       /* of `all` */
    const char *names[MAX_OPEN];       /* on their way */
    brood_future_t *futures[MAX_OPEN]; /* theirs */
    size_t n_open;
    int made;
    int failed;
} run_t;

/* --- In the workers ------------------------------------------------------ */

static apr_status_t make_thumb(const void *in, apr_size_t len,
                               brood_buffer_t **out)
{
    return thumb_make(in, len, THUMB_SAME, out);
}

static const brood_process_entry_t functions[] = { { "thumb", make_thumb },
                                                   { NULL, NULL } };

/* --- What is shown ------------------------------------------------------- */

/* File names may hold what would move a terminal's cursor. */
static const char *clean(const char *name)
{
    static char text[1024];
    size_t i;

    snprintf(text, sizeof(text), "%s", name);
    for (i = 0; text[i]; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
    return text;
}

static void show_progress(const run_t *run)
{
    if (run->terminal) {
        printf("\r%d of %lu made, %d failed\033[K", run->made,
               (unsigned long)run->all.n, run->failed);
        fflush(stdout);
    }
}

static void note_made(run_t *run, const char *name)
{
    run->made++;
    if (!run->terminal)
        printf("%s: made\n", clean(name));
    show_progress(run);
}

static void note_failed(run_t *run, const char *name, const char *why)
{
    run->failed++;
    if (run->terminal)
        printf("\r\033[K");
    fflush(stdout);
    fprintf(stderr, "thumbs: %s: %s\n", clean(name), why);
    show_progress(run);
}

/* A static text, for one call at a time. */
static const char *reason(const run_t *run, apr_status_t rv,
                          brood_future_t *future)
{
    static char text[160];
    int code, number;

    if (thumb_strerror(rv))
        return thumb_strerror(rv);
    if (rv == BROOD_EOVERRUN)
        snprintf(text, sizeof(text), "took longer than %d s", run->seconds);
    else if (rv == BROOD_EWORKERDIED
             && brood_future_worker_exit(future, &code, &number) == APR_SUCCESS)
        snprintf(text, sizeof(text),
                 number ? "its worker was killed by signal %d"
                        : "its worker exited with %d",
                 number ? number : code);
    else
        brood_strerror(rv, text, sizeof(text));
    return text;
}

/* --- Ctrl-C -------------------------------------------------------------- */

static atomic_int g_signal; /* that ends us */
static atomic_int g_done;   /* nobody needs to wait for signals any more */

/* Not those that whoever started us wants us to ignore, as nohup does. */
static void list_signals(sigset_t *set)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction action;
    size_t i;

    sigemptyset(set);
    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (sigaction(numbers[i], NULL, &action) == 0
            && action.sa_handler != SIG_IGN)
            sigaddset(set, numbers[i]);
    sigaddset(set, SIGUSR1); /* from ourselves */
}

/* All threads block these signals; this one waits for the first. What is on its
 * way then ends at once. */
static void *await_signal(void *manager)
{
    sigset_t set;
    int number = 0;

    list_signals(&set);
    do
        sigwait(&set, &number);
    while (number == SIGUSR1 && !atomic_load(&g_done));
    if (!atomic_load(&g_done)) {
        atomic_store(&g_signal, number);
        brood_process_manager_kill(manager);
    }
    return NULL;
}

/* --- One picture after the other ----------------------------------------- */

static apr_status_t submit(run_t *run, const char *name, const void *bytes,
                           size_t len)
{
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;
    apr_status_t rv;

    options.name = name;
    options.flags = BROOD_TASK_IDEMPOTENT;
    options.run_timeout = apr_time_from_sec(run->seconds);
    rv = brood_process_manager_submit(&run->futures[run->n_open], run->manager,
                                      "thumb", bytes, len, &options);
    if (rv == APR_SUCCESS)
        run->names[run->n_open++] = name;
    return rv;
}

static void send_next(run_t *run)
{
    const char *name = run->all.names[run->next++];
    char why[80];
    void *bytes = NULL;
    size_t len = 0;
    int error = files_read(run->in, name, MAX_FILE, &bytes, &len);
    apr_status_t rv;

    if (error) {
        snprintf(why, sizeof(why), "longer than %d MiB", MAX_FILE >> 20);
        note_failed(run, name,
                    error == EFBIG     ? why
                    : error == ENOTSUP ? "no regular file"
                                       : strerror(error));
        return;
    }
    rv = submit(run, name, bytes, len);
    free(bytes);
    if (rv != APR_SUCCESS && !atomic_load(&g_signal))
        note_failed(run, name, reason(run, rv, NULL));
}

static void store(run_t *run, const char *name, brood_future_t *future)
{
    void *value;
    apr_status_t rv = brood_future_result(future, &value);
    int error;

    if (rv == APR_SUCCESS) {
        error = files_write(run->out, name, brood_buffer_data(value),
                            brood_buffer_size(value));
        if (error)
            note_failed(run, name, strerror(error));
        else
            note_made(run, name);
    } else if (!atomic_load(&g_signal) || rv != BROOD_ECANCELED) {
        note_failed(run, name, reason(run, rv, future));
    }
}

/* Whichever is ready first. */
static apr_status_t receive_one(run_t *run)
{
    apr_size_t i;
    apr_status_t rv = brood_future_wait_any(run->futures, run->n_open, &i, -1);

    if (rv != APR_SUCCESS)
        return rv;
    store(run, run->names[i], run->futures[i]);
    brood_future_release(run->futures[i]);
    run->n_open--;
    run->names[i] = run->names[run->n_open];
    run->futures[i] = run->futures[run->n_open];
    return APR_SUCCESS;
}

/* Two for each worker: one at work and one that waits. */
static apr_status_t make_all(run_t *run)
{
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS) {
        while (run->next < run->all.n && !atomic_load(&g_signal)
               && run->n_open < 2 * (size_t)run->workers)
            send_next(run);
        if (run->n_open == 0)
            break;
        rv = receive_one(run);
    }
    return rv;
}

/* --- The beginning and the end ------------------------------------------- */

static apr_status_t start(run_t *run)
{
    brood_process_manager_options_t options =
        BROOD_PROCESS_MANAGER_OPTIONS_INIT;
    apr_status_t rv = brood_process_manager_get(&run->manager, NULL, 0);

    options.max_workers = run->workers;
    options.process_name_prefix = "thumbs";
    if (rv == APR_SUCCESS)
        rv = brood_process_manager_start(run->manager, &options);
    return rv;
}

static int finish(const run_t *run, apr_status_t rv)
{
    const int number = atomic_load(&g_signal);
    char text[128];

    if (run->terminal)
        printf("\r\033[K");
    fflush(stdout);
    if (rv != APR_SUCCESS)
        fprintf(stderr, "thumbs: %s\n", brood_strerror(rv, text, sizeof(text)));
    if (number)
        fprintf(stderr, "thumbs: signal %d, %lu left out\n", number,
                (unsigned long)run->all.n
                    - (unsigned long)(run->made + run->failed));
    printf("%d made, %d failed\n", run->made, run->failed);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("thumbs: standard output could not be written\n", stderr);
        return 1;
    }
    if (number)
        return 128 + number;
    return run->failed > 0 || rv != APR_SUCCESS;
}

static int work(run_t *run)
{
    pthread_t watcher;
    apr_status_t rv = start(run);
    char text[128];

    if (rv == APR_SUCCESS)
        rv = pthread_create(&watcher, NULL, await_signal, run->manager);
    if (rv != APR_SUCCESS) {
        fprintf(stderr, "thumbs: cannot start workers: %s\n",
                brood_strerror(rv, text, sizeof(text)));
        return 2;
    }
    rv = make_all(run);
    brood_process_manager_stop(run->manager, BROOD_STOP_CANCEL, -1);
    atomic_store(&g_done, 1);
    pthread_kill(watcher, SIGUSR1);
    pthread_join(watcher, NULL);
    return finish(run, rv);
}

static int refuse(const char *what, const char *why)
{
    fprintf(stderr, "thumbs: %s: %s\n", clean(what), why);
    return 2;
}

/* Where standard descriptors are closed, a thumbnail's file would get the number
 * of one, and what is printed. */
static void fill_standard(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

static int open_folders(run_t *run, const char *in, const char *out)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    struct stat a, b;
    int error;

    run->in = open(in, flags);
    if (run->in < 0)
        return refuse(in, strerror(errno));
    if (mkdir(out, 0777) != 0 && errno != EEXIST)
        return refuse(out, strerror(errno));
    run->out = open(out, flags);
    if (run->out < 0 || faccessat(run->out, ".", W_OK | X_OK, AT_EACCESS) != 0)
        return refuse(out, strerror(errno));
    if (fstat(run->in, &a) != 0 || fstat(run->out, &b) != 0)
        return refuse(in, strerror(errno));
    if (a.st_dev == b.st_dev && a.st_ino == b.st_ino)
        return refuse(out, "is IN_DIR too; the pictures would be lost");
    error = files_list(&run->all, run->in);
    return error ? refuse(in, strerror(error)) : 0;
}

static int read_number(const char *text, int most, int *number)
{
    char *rest;
    long value;

    errno = 0;
    value = strtol(text, &rest, 10);
    if (errno || rest == text || *rest || value < 1 || value > most)
        return 0;
    *number = (int)value;
    return 1;
}

/* -1: go on; else the exit code. */
static int read_options(run_t *run, int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "w:t:h")) != -1)
        if (option == 'h') {
            fputs(usage_text, stdout);
            return 0;
        } else if (option == '?'
                   || (option == 'w'
                       && !read_number(optarg, MAX_WORKERS, &run->workers))
                   || (option == 't'
                       && !read_number(optarg, 86400, &run->seconds))) {
            fputs(usage_text, stderr);
            return 2;
        }
    if (argc - optind != 2) {
        fputs(usage_text, stderr);
        return 2;
    }
    return -1;
}

int main(int argc, char **argv)
{
    static run_t run;
    sigset_t set;
    long cpus;
    int code;

    brood_process_main(argc, (const char *const *)argv, functions);
    fill_standard();
    cpus = sysconf(_SC_NPROCESSORS_ONLN);
    run.workers = cpus < 1 ? 1 : cpus > MAX_WORKERS ? MAX_WORKERS : (int)cpus;
    run.seconds = 20;
    run.in = run.out = -1;
    run.terminal = isatty(STDOUT_FILENO);
    setvbuf(stdout, NULL, _IOLBF, 0); /* who reads it sees it come */
    code = read_options(&run, argc, argv);
    if (code >= 0)
        return code;
    code = open_folders(&run, argv[optind], argv[optind + 1]);
    if (code == 0) {
        list_signals(&set);
        pthread_sigmask(SIG_BLOCK, &set, NULL); /* before there are threads */
        signal(SIGXFSZ, SIG_IGN);               /* EFBIG will do */
        if (brood_initialize() != APR_SUCCESS)
            return refuse("brood", "cannot begin");
        code = work(&run);
        brood_terminate();
    }
    files_forget(&run.all);
    return code;
}
