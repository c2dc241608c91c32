/* SPDX-License-Identifier: Apache-2.0 */

/* await.c: what a coroutine waits for, beside futures. */

#include <brood/await.h>
#include <brood/errors.h>

#include "lineage/life.h"
#include "loop/core.h"
#include "thread/executor.h"

#define KNOWN (BROOD_AWAIT_READ | BROOD_AWAIT_WRITE)

/* A thread that polls; its task's end sets off the waker. */
typedef struct polling_t {
    brood__place_t place; /* first */
    brood__os_waker_t waker;
    apr_os_sock_t fd;
    int what;
} polling_t;

static apr_status_t await_in_coroutine(apr_os_sock_t fd, int what,
                                       int64_t deadline);
static void on_ready(evutil_socket_t fd, short what, void *sleep);
static apr_status_t await_in_task(apr_os_sock_t fd, int what, int64_t deadline);
static apr_status_t poll_sleep(brood__place_t *place, brood__sleep_t *sleep,
                               int64_t deadline, brood_future_t *on);
static void poll_wake(brood__place_t *place, brood__sleep_t *sleep);
static int64_t left_until(int64_t deadline);
static int interrupted(void);

static const brood__place_ops_t polling_ops = { .sleep = poll_sleep,
                                                .wake = poll_wake };

apr_status_t brood_await_fd(apr_os_sock_t fd, int what,
                            apr_interval_time_t timeout)
{
    apr_status_t rv = brood__life_check();
    int64_t deadline;

    if (!what || (what & ~KNOWN))
        return APR_EINVAL;
    if (rv == APR_SUCCESS) /* often it is ready, or no socket at all */
        rv = brood__os_poll(fd, what, NULL, 0);
    if (rv != APR_TIMEUP || timeout == 0)
        return rv;
    deadline = brood__deadline(timeout);
    if (brood__in_coroutine())
        return await_in_coroutine(fd, what, deadline);
    if (brood__loop_here)
        return BROOD_EDEADLK;
    if (brood__self.now.task)
        return await_in_task(fd, what, deadline);
    brood__worker_block();
    rv = brood__os_poll(fd, what, NULL, left_until(deadline));
    brood__worker_unblock();
    return rv;
}

apr_status_t brood_sleep(apr_interval_time_t duration)
{
    const brood__place_ops_t *ops = brood__place()->ops;
    brood__sleep_t sleep;
    apr_status_t rv;

    if (duration <= 0)
        return brood_yield();
    rv = brood__life_check();
    if (rv == APR_SUCCESS && ops->may_block)
        rv = ops->may_block(brood__place());
    if (rv != APR_SUCCESS)
        return rv;
    brood__sleep_init(&sleep);
    rv = brood__sleep(&sleep, brood__deadline(duration), NULL, 0);
    return rv == APR_TIMEUP ? APR_SUCCESS : rv;
}

/* An interruption that comes meanwhile is the next wait's. */
apr_status_t brood_yield(void)
{
    apr_status_t rv = brood__life_check();

    if (rv != APR_SUCCESS)
        return rv;
    if (BROOD__UNLIKELY(interrupted()))
        return BROOD_EINTERRUPTED;
    if (brood__in_coroutine())
        brood__coroutine_yield();
    else if (!brood__loop_here)
        brood__os_yield();
    return APR_SUCCESS;
}

/* Is the running task's next wait to be cut short? Takes that back. */
static int interrupted(void)
{
    brood_future_t *task = brood__self.now.task;

    if (task)
        return (brood__load(&task->state, relaxed) & BROOD__INTERRUPT)
               && (brood__and(&task->state, ~(unsigned)BROOD__INTERRUPT,
                              acq_rel)
                   & BROOD__INTERRUPT);
    return brood__in_coroutine() && brood__coroutine_interrupted();
}

/* The event lies on the coroutine's stack, which stays until it is deleted. */
static apr_status_t await_in_coroutine(apr_os_sock_t fd, int what,
                                       int64_t deadline)
{
    short wanted = (short)((what & BROOD_AWAIT_READ ? EV_READ : 0)
                           | (what & BROOD_AWAIT_WRITE ? EV_WRITE : 0));
    brood__sleep_t sleep;
    struct event event;
    apr_status_t rv;

    brood__sleep_init(&sleep);
    if (event_assign(&event, brood__loop_here->evbase, (evutil_socket_t)fd,
                     wanted, on_ready, &sleep)
            != 0
        || event_add(&event, NULL) != 0)
        return APR_ENOMEM;
    rv = brood__sleep(&sleep, deadline, NULL, 0);
    (void)event_del(&event);
    event_debug_unassign(&event);
    return rv;
}

static void on_ready(evutil_socket_t fd, short what, void *sleep)
{
    (void)fd;
    (void)what;
    brood__sleep_fire(sleep, BROOD__SLEEP_FIRED);
}

/* A task on a thread: its end has to reach the poll. */
static apr_status_t await_in_task(apr_os_sock_t fd, int what, int64_t deadline)
{
    polling_t polling = { { &polling_ops }, { 0 }, fd, what };
    brood__sleep_t sleep;
    apr_status_t rv = brood__os_waker_make(&polling.waker);

    if (rv != APR_SUCCESS)
        return rv;
    brood__sleep_init(&sleep);
    sleep.place = &polling.place;
    brood__worker_block();
    rv = brood__sleep(&sleep, deadline, NULL, 0);
    brood__worker_unblock();
    brood__os_waker_free(&polling.waker);
    return rv;
}

/* Who wins against us sets the waker off, so it must not be freed before. */
static apr_status_t poll_sleep(brood__place_t *place, brood__sleep_t *sleep,
                               int64_t deadline, brood_future_t *on)
{
    polling_t *self = (polling_t *)(void *)place;
    apr_status_t rv = brood__os_poll(self->fd, self->what, &self->waker,
                                     left_until(deadline));

    (void)on;
    if (rv == APR_EINTR
        || !brood__sleep_try(sleep, rv == APR_TIMEUP ? BROOD__SLEEP_TIMEUP
                                                     : BROOD__SLEEP_FIRED))
        brood__os_waker_wait(&self->waker);
    return rv == APR_EINTR || rv == APR_TIMEUP ? APR_SUCCESS : rv;
}

static void poll_wake(brood__place_t *place, brood__sleep_t *sleep)
{
    (void)sleep;
    brood__os_waker_set(&((polling_t *)(void *)place)->waker);
}

/* ns; -1: for ever. */
static int64_t left_until(int64_t deadline)
{
    int64_t left;

    if (deadline < 0)
        return -1;
    left = deadline - brood__os_now();
    return left > 0 ? left : 0;
}
