/* SPDX-License-Identifier: Apache-2.0 */

/* thumbs.c: POST /thumb, which awaits another process. */

#include "thumbs.h"

#include <string.h>

#include <brood.h>

#include "image/thumb.h"
#include "metrics.h"

#define WORKERS         2
#define MAX_OPEN        32 /* more at once are asked to come again */
#define RUN_SECONDS     5
#define QUEUE_SECONDS   10
#define RESTART_SECONDS 10

/* The loop's thread alone changes these. */
static brood_process_manager_t *g_manager;
static int g_n_open;
static apr_time_t g_started;
static unsigned long long g_made, g_refused, g_busy, g_failed;

/* --- In the worker processes --------------------------------------------- */

static apr_status_t make_thumb(const void *in, apr_size_t len,
                               brood_buffer_t **out)
{
    return thumb_make(in, len, THUMB_JPEG, out);
}

const brood_process_entry_t thumbs_functions[] = { { "thumb", make_thumb },
                                                   { NULL, NULL } };

/* --- Start and stop ------------------------------------------------------ */

static apr_status_t start(void)
{
    brood_process_manager_options_t options =
        BROOD_PROCESS_MANAGER_OPTIONS_INIT;

    options.max_workers = WORKERS;
    options.process_name_prefix = "shop-thumb";
    options.payload_limit = THUMB_MAX_BODY;
    g_started = apr_time_now();
    return brood_process_manager_start(g_manager, &options);
}

apr_status_t thumbs_start(void)
{
    apr_status_t rv = brood_process_manager_get(&g_manager, "thumbs", 0);

    return rv == APR_SUCCESS ? start() : rv;
}

apr_status_t thumbs_stop(void)
{
    apr_status_t rv = brood_process_manager_kill(g_manager);

    if (rv == APR_SUCCESS)
        rv = brood_process_manager_stop(g_manager, BROOD_STOP_CANCEL, -1);
    return rv;
}

/* Workers died faster than they lived, so brood has given up. Somebody has to
 * say that it is worth another try; now and then we do. */
static void start_again(void)
{
    apr_status_t rv;
    char text[128];

    if (apr_time_now() - g_started < apr_time_from_sec(RESTART_SECONDS))
        return;
    rv = start();
    shop_log("workers that make thumbnails died; starting them again: %s",
             brood_strerror(rv, text, sizeof(text)));
}

/* --- The answer ---------------------------------------------------------- */

static void release_buffer(const void *data, size_t len, void *buffer)
{
    (void)data;
    (void)len;
    brood_buffer_release(buffer);
}

static void answer_picture(request_t *request, brood_buffer_t *picture)
{
    if (evbuffer_add_reference(request->body, brood_buffer_data(picture),
                               brood_buffer_size(picture), release_buffer,
                               picture)
        != 0)
        return; /* http.c sees that there is no answer */
    brood_buffer_retain(picture);
    request->code = 200;
    request->type = "image/jpeg";
    g_made++;
}

static void answer_failure(request_t *request, apr_status_t rv)
{
    const int busy = rv == BROOD_EEXPIRED || rv == BROOD_EOVERRUN;

    if (thumb_strerror(rv)) {
        http_error(request, rv == THUMB_EFORMAT ? 415 : 422, "the picture: %s",
                   thumb_strerror(rv));
        g_refused++;
    } else if (rv == BROOD_ECRASHLOOP) {
        start_again();
        http_error(request, 503, "no thumbnails at the moment, try again");
        g_failed++;
    } else if (rv == BROOD_EWORKERDIED) {
        http_error(request, 500, "the picture's worker process died");
        g_failed++;
    } else if (busy) {
        http_error(request, 503, "the picture took too long");
        g_busy++;
    } else {
        http_failure(request, rv);
        g_failed++;
    }
}

/* --- The coroutine ------------------------------------------------------- */

/* The bytes are copied by the submit, so the request's own can go. */
static apr_status_t submit(brood_future_t **future, struct evbuffer *in)
{
    brood_task_options_t options = BROOD_TASK_OPTIONS_INIT;
    const size_t len = evbuffer_get_length(in);
    const void *bytes = evbuffer_pullup(in, -1);
    apr_status_t rv;

    if (len && !bytes)
        return APR_ENOMEM;
    options.name = "make a thumbnail";
    options.flags = BROOD_TASK_QUIET;
    options.run_timeout = apr_time_from_sec(RUN_SECONDS);
    options.queue_timeout = apr_time_from_sec(QUEUE_SECONDS);
    rv = brood_process_manager_submit(future, g_manager, "thumb", bytes, len,
                                      &options);
    evbuffer_drain(in, len);
    return rv;
}

void thumbs_make(request_t *request)
{
    brood_future_t *future = NULL;
    void *picture = NULL;
    apr_status_t rv;

    if (g_n_open >= MAX_OPEN) {
        g_busy++;
        http_error(request, 503, "too many pictures at once, try again");
        return;
    }
    g_n_open++;
    rv = submit(&future, evhttp_request_get_input_buffer(request->http));
    if (rv == APR_SUCCESS)
        rv = brood_await(future, &picture);
    g_n_open--;
    if (rv == APR_SUCCESS)
        answer_picture(request, picture);
    else
        answer_failure(request, rv);
    brood_future_release(future);
}

/* --- GET /metrics -------------------------------------------------------- */

void thumbs_show(struct evbuffer *out)
{
    const struct {
        const char *outcome;
        unsigned long long n;
    } rows[] = { { "made", g_made },
                 { "refused", g_refused },
                 { "busy", g_busy },
                 { "failed", g_failed } };
    brood_stats_t stats = BROOD_STATS_INIT;
    size_t i;

    evbuffer_add_printf(out, "# HELP shop_thumbs_total pictures sent, by what "
                             "became of them\n"
                             "# TYPE shop_thumbs_total counter\n");
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        evbuffer_add_printf(out, "shop_thumbs_total{outcome=\"%s\"} %llu\n",
                            rows[i].outcome, rows[i].n);
    if (brood_process_manager_stats(g_manager, &stats) != APR_SUCCESS)
        return;
    evbuffer_add_printf(out,
                        "# HELP shop_thumb_workers processes that make "
                        "thumbnails, now\n"
                        "# TYPE shop_thumb_workers gauge\n"
                        "shop_thumb_workers %llu\n"
                        "# HELP shop_thumbs_running pictures that a worker "
                        "looks at, now\n"
                        "# TYPE shop_thumbs_running gauge\n"
                        "shop_thumbs_running %llu\n"
                        "# HELP shop_thumb_workers_started_total processes "
                        "that ever did\n"
                        "# TYPE shop_thumb_workers_started_total counter\n"
                        "shop_thumb_workers_started_total %llu\n",
                        (unsigned long long)stats.workers,
                        (unsigned long long)stats.running,
                        (unsigned long long)stats.started);
}
