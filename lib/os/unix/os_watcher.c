/* SPDX-License-Identifier: Apache-2.0 */

/* os_watcher.c: one thread waits for many descriptors. */

#include "os/process.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/alloc.h"

struct brood__os_watcher_t {
    brood__os_handle_t bell[2]; /* of wake() */
    struct pollfd *fds;         /* the first is bell[0] */
    size_t n, room;
};

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
    rv = brood__os_watcher_add(w, w->bell[0]);
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
    brood__free(watcher);
}

apr_status_t brood__os_watcher_add(brood__os_watcher_t *watcher,
                                   brood__os_handle_t handle)
{
    if (watcher->n == watcher->room) {
        const size_t room = watcher->room ? 2 * watcher->room : 16;
        struct pollfd *fds = brood__alloc(room * sizeof(*fds));

        if (!fds)
            return APR_ENOMEM;
        if (watcher->n)
            memcpy(fds, watcher->fds, watcher->n * sizeof(*fds));
        brood__free(watcher->fds);
        watcher->fds = fds;
        watcher->room = room;
    }
    watcher->fds[watcher->n].fd = handle;
    watcher->fds[watcher->n].events = POLLIN;
    watcher->fds[watcher->n].revents = 0;
    watcher->n++;
    return APR_SUCCESS;
}

void brood__os_watcher_remove(brood__os_watcher_t *watcher,
                              brood__os_handle_t handle)
{
    size_t i;

    for (i = 1; i < watcher->n; i++)
        if (watcher->fds[i].fd == handle) {
            watcher->fds[i] = watcher->fds[--watcher->n];
            return;
        }
}

void brood__os_watcher_wait(brood__os_watcher_t *watcher, int64_t timeout)
{
    const nfds_t n = (nfds_t)watcher->n;
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
    if (ready > 0 && watcher->fds[0].revents)
        brood__os_bell_clear(watcher->bell[0]);
}

void brood__os_watcher_wake(brood__os_watcher_t *watcher)
{
    brood__os_bell_ring(watcher->bell[1]);
}
