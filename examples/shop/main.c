/* SPDX-License-Identifier: Apache-2.0 */

/*
 * main.c: a small shop that speaks HTTP and JSON, on brood.
 *
 *     GET  /items      what there is
 *     GET  /items/N    one of it
 *     POST /orders     {"item": N, "quantity": Q}: one transaction
 *     POST /thumb      a JPEG or PNG of up to 8 MiB: a small JPEG of it
 *     GET  /metrics    counters, for Prometheus
 *     GET  /healthz    is it there?
 *
 * and to HEAD what it would answer to GET, without the body.
 *
 * shop.h shows how the files hang together.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_getopt.h>
#include <apr_strings.h>

#include <brood.h>
#include <jansson.h>

#include "metrics.h"
#include "shop.h"
#include "thumbs.h"

static const char usage_text[] =
    "usage: shop [options]\n"
    "\n"
    "  -d DATABASE  sqlite:PATH or postgresql://...; default a file of SQLite\n"
    "               in a temporary folder, gone at the end\n"
    "  -b ADDRESS   where to listen; default 127.0.0.1\n"
    "  -p PORT      default 8080; 0: a free one\n"
    "  -t THREADS   threads with a database connection, at least 2; default\n"
    "               brood's\n"
    "  -s SECONDS   how long a client may take to send a request; default 10\n"
    "  -a           check the books of the database and exit: 0 if they "
    "balance\n"
    "  -v           log every request\n"
    "  -x           run the calls of an order outside of its transaction, to\n"
    "               see what the transaction is good for\n"
    "  -h           show this\n";

static int usage(const char *what, const char *value)
{
    if (what)
        fprintf(stderr, "shop: %s: %s\n", what, value);
    fputs(usage_text, what ? stderr : stdout);
    return what ? 2 : 0;
}

/* --- Arguments ----------------------------------------------------------- */

static int read_int(const char *text, int least, int most, int *number)
{
    char *rest;
    long value;

    errno = 0;
    value = strtol(text, &rest, 10);
    if (errno || rest == text || *rest || value < least || value > most)
        return 0;
    *number = (int)value;
    return 1;
}

/* -1: go on; else the exit code. */
static int read_options(shop_options_t *options, int *audit, int argc,
                        const char *const *argv, apr_pool_t *pool)
{
    apr_getopt_t *state;
    const char *value;
    char option[] = "-?";
    apr_status_t rv;
    char c = '?';

    apr_getopt_init(&state, pool, argc, argv);
    state->errfn = NULL;
    while ((rv = apr_getopt(state, "d:b:p:t:s:avxh", &c, &value))
           == APR_SUCCESS) {
        int good = 1;

        switch (c) {
        case 'd':
            options->database = value;
            break;
        case 'b':
            options->address = value;
            break;
        case 'p':
            good = read_int(value, 0, 65535, &options->port);
            break;
        case 't':
            good = read_int(value, 2, 1000, &options->threads);
            break;
        case 's':
            good = read_int(value, 1, 3600, &options->patience);
            break;
        case 'a':
            *audit = 1;
            break;
        case 'v':
            options->verbose = 1;
            break;
        case 'x':
            options->astray = 1;
            break;
        default:
            return usage(NULL, NULL);
        }
        if (!good)
            return usage("bad number", value);
    }
    option[1] = c;
    if (rv != APR_EOF)
        return usage("bad option", option);
    /* apr_getopt() takes whatever begins with -- for the end of the options. */
    if (state->ind > 1 && strncmp(argv[state->ind - 1], "--", 2) == 0) {
        const char *word = argv[state->ind - 1];

        if (strcmp(word, "--help") == 0)
            return usage(NULL, NULL);
        if (word[2])
            return usage("bad option", word);
    }
    if (state->ind < argc)
        return usage("what is this for", argv[state->ind]);
    return -1;
}

/* --- A database of our own ----------------------------------------------- */

static char g_folder[256]; /* empty: there is none */

static const char *make_folder(apr_pool_t *pool)
{
    const char *temp = NULL;
    unsigned number;
    char text[128];
    apr_status_t rv;

    if (apr_temp_dir_get(&temp, pool) != APR_SUCCESS)
        temp = ".";
    do { /* one that nobody has */
        rv = apr_generate_random_bytes((void *)&number, sizeof(number));
        apr_snprintf(g_folder, sizeof(g_folder), "%s/shop-%08x", temp, number);
        if (rv == APR_SUCCESS)
            rv = apr_dir_make(g_folder, APR_UREAD | APR_UWRITE | APR_UEXECUTE,
                              pool);
    } while (APR_STATUS_IS_EEXIST(rv));
    if (rv != APR_SUCCESS) {
        shop_log("cannot make a folder in %s: %s", temp,
                 apr_strerror(rv, text, sizeof(text)));
        g_folder[0] = '\0';
        return NULL;
    }
    return apr_psprintf(pool, "sqlite:%s/shop.db", g_folder);
}

static void remove_folder(apr_pool_t *pool)
{
    static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
    char path[300];
    size_t i;

    if (!g_folder[0])
        return;
    for (i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        apr_snprintf(path, sizeof(path), "%s/shop.db%s", g_folder, suffixes[i]);
        (void)apr_file_remove(path, pool);
    }
    (void)apr_dir_remove(g_folder, pool);
}

/* --- The books ----------------------------------------------------------- */

static int check_books(store_t *store)
{
    store_sums_t sums;
    store_conn_t *conn;
    char error[256] = "";
    apr_status_t rv;
    int balanced;

    rv = store_open(&conn, store, error, sizeof(error));
    if (rv == APR_SUCCESS) {
        rv = store_sums(conn, &sums);
        apr_cpystrn(error, store_error(conn), sizeof(error));
        store_close(conn);
    }
    if (rv != APR_SUCCESS) {
        shop_log("cannot read the books: %s", error);
        return 1;
    }
    balanced = sums.wrong == 0 && sums.initial == sums.stock + sums.sold
               && sums.sold == sums.ordered;
    printf("initial %lld = stock %lld + sold %lld, ordered %lld in %lld "
           "orders, %lld items wrong: %s\n",
           (long long)sums.initial, (long long)sums.stock, (long long)sums.sold,
           (long long)sums.ordered, (long long)sums.orders,
           (long long)sums.wrong, balanced ? "balanced" : "NOT BALANCED");
    return balanced ? 0 : 1;
}

/* --- The shop ------------------------------------------------------------ */

static void log_brood(int level, const char *line, void *baton)
{
    static const char *const levels[] = { "error", "warning", "info" };

    (void)baton;
    shop_log("brood: %s: %s", level >= 0 && level <= 2 ? levels[level] : "?",
             line);
}

static int run(const shop_options_t *options, store_t *store, apr_pool_t *pool)
{
    brood_loop_manager_options_t loop_options = BROOD_LOOP_MANAGER_OPTIONS_INIT;
    brood_loop_manager_t *loop;
    shop_t shop;
    apr_status_t rv;
    char text[128];

    memset(&shop, 0, sizeof(shop));
    shop.options = options;
    rv = database_create(&shop.database, store, options->threads,
                         options->astray, pool);
    if (rv == APR_SUCCESS)
        rv = thumbs_start();
    if (rv == APR_SUCCESS)
        rv = brood_loop_manager_get(&loop, NULL, 0);
    if (rv == APR_SUCCESS) {
        loop_options.on_start = server_start;
        loop_options.on_exit = server_exit;
        loop_options.hook_baton = &shop;
        rv = brood_loop_manager_run(loop, &loop_options);
    }
    if (rv == APR_SUCCESS)
        rv = thumbs_stop();
    if (rv == APR_SUCCESS)
        rv = database_stop(shop.database);
    if (rv != APR_SUCCESS) {
        shop_log("%s", brood_strerror(rv, text, sizeof(text)));
        return 1;
    }
    shop_log("closed: %llu transactions committed, %llu rolled back",
             metrics_committed(), metrics_rolled_back());
    return shop.failed;
}

/* Open the database and do what was asked for. */
static int open_shop(const shop_options_t *options, int audit, apr_pool_t *pool)
{
    const char *url = options->database;
    apr_pool_t *threads_pool;
    char error[256] = "";
    store_t *store;
    apr_status_t rv;
    int code;

    if (!url && !(url = make_folder(pool)))
        return 1;
    rv = store_create(&store, url, pool);
    if (rv == STORE_EURL)
        return usage("no database that this shop knows", url);
    if (rv == APR_SUCCESS && !audit)
        rv = store_furnish(store, error, sizeof(error));
    if (rv != APR_SUCCESS) {
        shop_log("cannot open the database: %s", error);
        return 1;
    }
    if (audit)
        return check_books(store);

    rv = brood_initialize();
    if (rv != APR_SUCCESS) {
        shop_log("%s", brood_strerror(rv, error, sizeof(error)));
        return 1;
    }
    brood_log_hook_set(log_brood, NULL);
    rv = apr_pool_create(&threads_pool, pool);
    code = rv == APR_SUCCESS ? run(options, store, threads_pool) : 1;
    if (rv == APR_SUCCESS)
        apr_pool_destroy(threads_pool); /* before brood is gone */
    brood_terminate();
    return code;
}

int main(int argc, const char *const *argv)
{
    shop_options_t options = { "127.0.0.1", 8080, NULL, 0, 10, 0, 0 };
    apr_pool_t *pool;
    int audit = 0;
    int code;

    brood_process_main(argc, argv, thumbs_functions);
#ifdef SIGPIPE
    signal(SIGPIPE, SIG_IGN); /* clients leave, servers die */
#endif
    json_object_seed(0); /* before there are threads */
    /* This form makes UTF-8 of the arguments everywhere. */
    if (apr_app_initialize(&argc, &argv, NULL) != APR_SUCCESS
        || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        fputs("shop: cannot start\n", stderr);
        return 1;
    }
    code = read_options(&options, &audit, argc, argv, pool);
    if (code < 0 && audit && !options.database)
        code = usage("-a needs a database", "-d");
    if (code < 0)
        code = open_shop(&options, audit, pool);
    remove_folder(pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return code;
}
