/* SPDX-License-Identifier: Apache-2.0 */

/* os_watcher.c: one thread waits for many descriptors. */

#include "os/process.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/alloc.h"

#define REFUSED 1 /* ms between looks, when it cannot be waited */

struct brood__os_watcher_t {
    brood__os_handle_t bell[2]; /* of wake() */
    struct pollfd *fds;         /* the first is bell[0] */
    int **ready;                /* beside each */
    size_t n, room;
    int rung;
};

static apr_status_t grow(brood__os_watcher_t *watcher);

apr_status_t brood__os_watcher_make(brood__os_watcher_t **watcher)
{
    brood__os_watcher_t *w = brood__alloc(sizeof(*w));
    apr_status_t rv;

    *watcher = NULL;
    if (!w)
        return APR_ENOMEM;
    rv = brood__os_bell_make(w->bell);
    if (rv != APR_SUCCESS) {
        brood__free(w);
        return rv;
    }
    rv = brood__os_watcher_add(w, w->bell[0], &w->rung);
    if (rv != APR_SUCCESS)
        brood__os_watcher_free(w);
    else
        *watcher = w;
    return rv;
}

void brood__os_watcher_free(brood__os_watcher_t *watcher)
{
    if (!watcher)
        return;
    brood__os_handle_close(watcher->bell[0]);
    brood__os_handle_close(watcher->bell[1]);
    brood__free(watcher->fds);
    brood__free(watcher->ready);
    brood__free(watcher);
}

apr_status_t brood__os_watcher_add(brood__os_watcher_t *watcher,
                                   brood__os_handle_t handle, int *ready)
{
    apr_status_t rv = watcher->n == watcher->room ? grow(watcher) : APR_SUCCESS;

    if (rv != APR_SUCCESS)
        return rv;
    watcher->fds[watcher->n].fd = handle;
    watcher->fds[watcher->n].events = POLLIN;
    watcher->fds[watcher->n].revents = 0;
    watcher->ready[watcher->n++] = ready;
    return APR_SUCCESS;
}

static apr_status_t grow(brood__os_watcher_t *watcher)
{
    const size_t room = watcher->room ? 2 * watcher->room : 16;
    struct pollfd *fds = brood__alloc(room * sizeof(*fds));
    int **ready = brood__alloc(room * sizeof(*ready));

    if (!fds || !ready) {
        brood__free(fds);
        brood__free(ready);
        return APR_ENOMEM;
    }
    if (watcher->n) {
        memcpy(fds, watcher->fds, watcher->n * sizeof(*fds));
        memcpy(ready, watcher->ready, watcher->n * sizeof(*ready));
    }
    brood__free(watcher->fds);
    brood__free(watcher->ready);
    watcher->fds = fds;
    watcher->ready = ready;
    watcher->room = room;
    return APR_SUCCESS;
}

void brood__os_watcher_remove(brood__os_watcher_t *watcher,
                              brood__os_handle_t handle)
{
    size_t i;

    for (i = 1; i < watcher->n; i++)
        if (watcher->fds[i].fd == handle) {
            watcher->n--;
            watcher->fds[i] = watcher->fds[watcher->n];
            watcher->ready[i] = watcher->ready[watcher->n];
            return;
        }
}

void brood__os_watcher_wait(brood__os_watcher_t *watcher, int64_t timeout)
{
    const nfds_t n = (nfds_t)watcher->n;
    size_t i;
    int ready;

#ifdef __linux__
    if (timeout >= 0) {
        struct timespec in;

        in.tv_sec = (time_t)(timeout / 1000000000);
        in.tv_nsec = (long)(timeout % 1000000000);
        ready = ppoll(watcher->fds, n, &in, NULL);
    } else
#endif
        ready = poll(watcher->fds, n,
                     timeout < 0 ? -1
                     : timeout > (int64_t)86400 * 1000000000
                         ? 86400000
                         : (int)((timeout + 999999) / 1000000));
    /* It refuses more descriptors than the process may have, and it may have been
     * allowed more before. The caller looks at everything, now and then. */
    if (ready < 0 && errno != EINTR)
        (void)poll(NULL, 0, timeout == 0 ? 0 : REFUSED);
    for (i = 0; ready > 0 && i < watcher->n; i++)
        if (watcher->fds[i].revents)
            *watcher->ready[i] = 1;
    if (ready > 0 && watcher->fds[0].revents)
        (void)brood__os_bell_clear(watcher->bell[0]);
}

void brood__os_watcher_wake(brood__os_watcher_t *watcher)
{
    brood__os_bell_ring(watcher->bell[1]);
}
