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
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <apr_file_io.h>
#include <apr_general.h>

#include <brood.h>
#include <event2/event.h>

#include "image/files.h"
#include "image/thumb.h"

#define MAX_FILE    (64 * 1024 * 1024)
#define MAX_WORKERS 256
#define MAX_OPEN    (2 * MAX_WORKERS) /* pictures on their way at once */
#define MAX_SIGNALS 4

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
    brood_loop_manager_t *loop; /* hears signals */
    struct event *signals[MAX_SIGNALS];
    int numbers[MAX_SIGNALS]; /* of these */
    int n_signals;
    apr_pool_t *pool;
    apr_pool_t *scratch; /* for one picture */
    int workers;         /* 0: as many as brood finds right */
    int seconds;
    const char *in; /* folders */
    const char *out;
    int terminal; /* standard output is one */
    int shown;    /* columns of progress there */
    names_t all;
    int next;                          /* of `all` */
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

static void show_progress(run_t *run)
{
    if (run->terminal)
        run->shown = printf("\r%d of %d made, %d failed", run->made, run->all.n,
                            run->failed);
    fflush(stdout); /* who reads it sees it come */
}

static void hide_progress(const run_t *run)
{
    if (run->terminal)
        printf("\r%*s\r", run->shown, "");
    fflush(stdout);
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
    hide_progress(run);
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
    if (files_strerror(rv))
        return files_strerror(rv);
    if (rv == FILES_ELONG)
        snprintf(text, sizeof(text), "longer than %d MiB", MAX_FILE >> 20);
    else if (rv == BROOD_EOVERRUN)
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

/* Not those that whoever started us wants us to ignore, as nohup does. Before
 * there are threads. */
static void choose_signals(run_t *run)
{
    static const int numbers[] = {
        SIGINT,
        SIGTERM,
#ifdef SIGHUP
        SIGHUP,
#endif
#ifdef SIGBREAK
        SIGBREAK,
#endif
    };
    size_t i;

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (signal(numbers[i], SIG_IGN) != SIG_IGN) {
            signal(numbers[i], SIG_DFL);
            run->numbers[run->n_signals++] = numbers[i];
        }
#ifdef SIGXFSZ
    signal(SIGXFSZ, SIG_IGN); /* an error will do */
#endif
}

/* The first one counts. What is on its way then ends at once. */
static void end_all(evutil_socket_t number, short what, void *baton)
{
    run_t *run = baton;
    int none = 0;

    (void)what;
    if (atomic_compare_exchange_strong(&g_signal, &none, (int)number))
        brood_process_manager_kill(run->manager);
}

/* On the loop's thread. A signal that cannot be heard does what it always does.
 */
static void hear_signals(struct event_base *base, void *baton)
{
    run_t *run = baton;
    int i;

    for (i = 0; i < run->n_signals; i++) {
        run->signals[i] = evsignal_new(base, run->numbers[i], end_all, run);
        if (run->signals[i])
            evsignal_add(run->signals[i], NULL);
    }
}

static void hear_no_more(struct event_base *base, void *baton)
{
    run_t *run = baton;
    int i;

    (void)base;
    for (i = 0; i < run->n_signals; i++)
        if (run->signals[i])
            event_free(run->signals[i]);
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
    void *bytes = NULL;
    apr_size_t len = 0;
    apr_status_t rv = files_read(run->in, name, MAX_FILE, &bytes, &len,
                                 run->scratch);

    if (rv == APR_SUCCESS)
        rv = submit(run, name, bytes, len);
    free(bytes);
    if (rv != APR_SUCCESS && !atomic_load(&g_signal))
        note_failed(run, name, reason(run, rv, NULL));
    apr_pool_clear(run->scratch);
}

static void store(run_t *run, const char *name, brood_future_t *future)
{
    void *value;
    apr_status_t rv = brood_future_result(future, &value);

    if (rv == APR_SUCCESS) {
        rv = files_write(run->out, name, brood_buffer_data(value),
                         brood_buffer_size(value), run->scratch);
        apr_pool_clear(run->scratch);
    }
    if (rv == APR_SUCCESS)
        note_made(run, name);
    else if (!atomic_load(&g_signal) || rv != BROOD_ECANCELED)
        note_failed(run, name, reason(run, rv, future));
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

/* Two for each worker, one at work and one that waits, and two for the worker
 * that brood starts when all have something to do. */
static int is_room(const run_t *run)
{
    brood_stats_t stats = BROOD_STATS_INIT;
    size_t most = 2;

    if (brood_process_manager_stats(run->manager, &stats) == APR_SUCCESS)
        most = 2 * ((size_t)stats.workers + 1);
    return run->n_open < (most < MAX_OPEN ? most : MAX_OPEN);
}

static apr_status_t make_all(run_t *run)
{
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS) {
        while (run->next < run->all.n && !atomic_load(&g_signal)
               && is_room(run))
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
    brood_loop_manager_options_t hear = BROOD_LOOP_MANAGER_OPTIONS_INIT;
    apr_status_t rv = brood_process_manager_get(&run->manager, NULL, 0);

    options.max_workers = run->workers;
    options.process_name_prefix = "thumbs";
    hear.on_start = hear_signals;
    hear.on_exit = hear_no_more;
    hear.hook_baton = run;
    if (rv == APR_SUCCESS)
        rv = brood_process_manager_start(run->manager, &options);
    if (rv == APR_SUCCESS)
        rv = brood_loop_manager_get(&run->loop, NULL, 0);
    if (rv == APR_SUCCESS)
        rv = brood_loop_manager_start(run->loop, &hear);
    return rv;
}

static int finish(const run_t *run, apr_status_t rv)
{
    const int number = atomic_load(&g_signal);
    char text[128];

    hide_progress(run);
    if (rv != APR_SUCCESS)
        fprintf(stderr, "thumbs: %s\n", brood_strerror(rv, text, sizeof(text)));
    if (number)
        fprintf(stderr, "thumbs: signal %d, %d left out\n", number,
                run->all.n - run->made - run->failed);
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
    apr_status_t rv = start(run);
    char text[128];

    if (rv != APR_SUCCESS) {
        fprintf(stderr, "thumbs: cannot start workers: %s\n",
                brood_strerror(rv, text, sizeof(text)));
        return 2;
    }
    rv = make_all(run);
    brood_process_manager_stop(run->manager, BROOD_STOP_CANCEL, -1);
    brood_loop_manager_stop(run->loop, BROOD_STOP_CANCEL, -1);
    return finish(run, rv);
}

static int refuse(const char *what, apr_status_t rv)
{
    char text[128];

    fprintf(stderr, "thumbs: %s: %s\n", clean(what),
            brood_strerror(rv, text, sizeof(text)));
    return 2;
}

/* Where standard descriptors are closed, a thumbnail's file would get the number
 * of one, and what is printed. Windows, where there is no such file, does not
 * use them again. */
static void fill_standard(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

static int open_folders(run_t *run)
{
    int same = 0;
    apr_status_t rv = files_folder(run->in, run->pool);

    if (rv != APR_SUCCESS)
        return refuse(run->in, rv);
    rv = apr_dir_make(run->out, APR_FPROT_OS_DEFAULT, run->pool);
    if (rv == APR_SUCCESS || APR_STATUS_IS_EEXIST(rv))
        rv = files_folder(run->out, run->pool);
    if (rv == APR_SUCCESS)
        rv = files_try(run->out, run->in, &same, run->pool);
    if (rv != APR_SUCCESS)
        return refuse(run->out, rv);
    if (same) {
        fprintf(stderr,
                "thumbs: %s: is IN_DIR too; the pictures would be lost\n",
                clean(run->out));
        return 2;
    }
    rv = files_list(&run->all, run->in, run->pool);
    return rv != APR_SUCCESS ? refuse(run->in, rv) : 0;
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
static int read_options(run_t *run, int argc, char *const *argv)
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
    run->in = argv[optind];
    run->out = argv[optind + 1];
    return -1;
}

int main(int argc, const char *const *argv)
{
    static run_t run;
    int code;

    brood_process_main(argc, argv, functions);
    fill_standard();
    choose_signals(&run);
    /* This form makes UTF-8 of the arguments everywhere. */
    if (apr_app_initialize(&argc, &argv, NULL) != APR_SUCCESS
        || apr_pool_create(&run.pool, NULL) != APR_SUCCESS
        || apr_pool_create(&run.scratch, run.pool) != APR_SUCCESS
        || brood_initialize() != APR_SUCCESS) {
        fputs("thumbs: cannot begin\n", stderr);
        return 2;
    }
    run.seconds = 20;
    run.terminal = isatty(STDOUT_FILENO);
    code = read_options(&run, argc, (char *const *)argv);
    if (code < 0)
        code = open_folders(&run);
    if (code == 0 && run.in)
        code = work(&run);
    brood_terminate();
    apr_pool_destroy(run.pool);
    apr_terminate();
    return code;
}
