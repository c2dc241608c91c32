/* SPDX-License-Identifier: Apache-2.0 */

/* cancel.c: settling instead of running; interrupting what waits. */

#include "observe/task_hooks.h"
#include "thread/worker.h"

static void refuse_calls(brood__executor_t *executor, apr_status_t status);

void brood__call_refuse(brood__executor_t *executor, const brood__call_t *call,
                        apr_status_t status)
{
    int ours = 1;

    if (call->fn == brood__run_future) {
        brood_future_t *future = call->baton;

        if (brood__future_claim(future, 0))
            brood__future_refuse(future, status);
        else
            ours = brood__future_drop(future);
    }
    if (!ours)
        return; /* who ran it in place has counted it, too */
    brood__add(&executor->unrun, 1, relaxed);
    brood__scope_release(call->scope, 1);
}

void brood__executor_refuse_queued(brood__executor_t *executor,
                                   apr_status_t status)
{
    brood__errand_t *errand;

    refuse_calls(executor, status);
    while ((errand = brood__errand_pop(executor, BROOD__LOW_TICK, 1))) {
        brood__call_t call;

        call.scope = errand->scope;
        if (errand->future) {
            call.fn = brood__run_future;
            call.baton = errand->future;
            brood__capacity_give(executor, 1);
            brood__call_refuse(executor, &call, status);
        } else {
            brood__frame_t saved;
            unsigned hooked = brood__task_hooks_on()
                                  ? brood__task_hook_before(NULL)
                                  : 0;

            brood__frame_begin(&saved, call.scope, NULL);
            errand->fn(errand->baton);
            brood__frame_end(&saved);
            brood__task_hook_after(hooked, NULL);
            brood__add(&executor->ran_outside, 1, relaxed);
            brood__scope_release(call.scope, 1);
        }
    }
}

/* Lanes and deques; each may be emptied from any thread. */
static void refuse_calls(brood__executor_t *executor, apr_status_t status)
{
    brood__call_t calls[BROOD__BATCH];
    unsigned turn = 0, n, i, n_workers;

    while ((n = brood__inbox_take(&executor->inbox, calls, &turn)))
        for (i = 0; i < n; i++) {
            brood__capacity_give(executor, 1);
            brood__call_refuse(executor, &calls[i], status);
        }
    n_workers = brood__load(&executor->n_workers, acquire);
    for (i = 0; i < n_workers; i++) {
        brood__deque_t *deque = &executor->workers[i]->deque;

        while (brood__deque_size(deque) > 0)
            if (brood__deque_steal(deque, &calls[0])) {
                brood__capacity_give(executor, 1);
                brood__call_refuse(executor, &calls[0], status);
            }
    }
}

/* Each waiting task of a stop with CANCEL: one wait is cut short. */
void brood__executor_interrupt(brood__executor_t *executor)
{
    unsigned n = brood__load(&executor->n_workers, acquire), i;

    brood__lock(&executor->lock);
    for (i = 0; i < n; i++) {
        brood__worker_t *worker = executor->workers[i];

        if (worker->sleep && !worker->sleep->firm && !worker->interrupted) {
            worker->interrupted = 1;
            brood__sleep_fire(worker->sleep, BROOD__SLEEP_INTERRUPTED);
        }
    }
    brood__unlock(&executor->lock);
}

/* Each record stays in its list, under the lock, until it was fired. */
void brood__sleepers_fire(brood__link_t *list)
{
    brood__link_t *link;

    while ((link = brood__list_pop(list)))
        brood__sleep_fire(
            &BROOD__CONTAINER(link, brood__sleeper_t, link)->sleep,
            BROOD__SLEEP_FIRED);
}

apr_status_t brood__sleeper_wait(brood__executor_t *executor,
                                 brood__sleeper_t *sleeper, int64_t deadline)
{
    apr_status_t rv = brood__sleep(&sleeper->sleep, deadline, NULL, 0);

    /* Fired under the lock, or still in the list: after this nobody looks at
     * the record any more. */
    brood__lock(&executor->lock);
    brood__list_remove(&sleeper->link);
    brood__unlock(&executor->lock);
    return rv;
}
