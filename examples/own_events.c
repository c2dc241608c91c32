/* SPDX-License-Identifier: Apache-2.0 */

/*
 * own_events.c: events of your own on brood's loop, next to coroutines.
 *
 * prints:
 *   tick 1
 *   tick 2
 *   tick 3
 *   a coroutine awaited the third tick
 */

#include <event2/event.h>

#include "example.h"

typedef struct {
    struct event *timer;
    brood_promise_t *third_tick;
    int ticks;
} clock_state_t;

/* A handler is no coroutine: it may settle a promise, but not await. */
static void tick(evutil_socket_t fd, short what, void *baton)
{
    clock_state_t *state = baton;

    (void)fd;
    (void)what;
    printf("tick %d\n", ++state->ticks);
    if (state->ticks == 3) {
        event_del(state->timer);
        must(brood_promise_settle(state->third_tick, APR_SUCCESS, NULL));
    }
}

static void on_start(struct event_base *base, void *baton)
{
    const struct timeval every = { 0, 1000 };
    clock_state_t *state = baton;

    state->timer = event_new(base, -1, EV_PERSIST, tick, state);
    must(state->timer ? event_add(state->timer, &every) : APR_ENOMEM);
}

static void on_exit_(struct event_base *base, void *baton)
{
    (void)base;
    event_free(((clock_state_t *)baton)->timer);
}

static apr_status_t wait_for_it(void *baton, void **result)
{
    (void)result;
    must(brood_await(baton, NULL));
    puts("a coroutine awaited the third tick");
    return APR_SUCCESS;
}

int main(void)
{
    brood_loop_manager_options_t options = BROOD_LOOP_MANAGER_OPTIONS_INIT;
    clock_state_t state = { NULL, NULL, 0 };
    brood_loop_manager_t *loop;
    brood_future_t *third_tick;

    must(brood_initialize());
    must(brood_promise_make(&state.third_tick, &third_tick, NULL));
    must(brood_loop_manager_get(&loop, NULL, 0));
    options.on_start = on_start;
    options.on_exit = on_exit_;
    options.hook_baton = &state;
    must(brood_loop_manager_start(loop, &options));
    must(brood_loop_manager_submit(NULL, loop, wait_for_it, third_tick, NULL));
    must(brood_loop_manager_stop(loop, BROOD_STOP_DRAIN, -1));
    brood_future_release(third_tick);
    brood_terminate();
    return 0;
}
