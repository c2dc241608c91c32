/* SPDX-License-Identifier: Apache-2.0 */

/*
 * rest.c: circles of tasks that wait for managers to rest.
 *
 * Why what is found is a circle: each of its waits was ARMED when it was read
 * for the second time, from the far end. The last one waits for the manager of
 * the caller, which cannot rest while the caller waits, and that does not move.
 * So the last wait is stable, and with it its task; so the manager of that task
 * cannot rest, and the wait before is stable, too; and so on to the caller's
 * own. What could still end one of them is a cancel, as with any circle. All
 * enter under one lock, so of several that close a circle the last one sees it,
 * and is told.
 */

#include "task/rest.h"

#include <brood/task.h>

#include "os/lock.h"

static brood__lock_t g_lock = BROOD__LOCK_INIT(BROOD__RANK_LEAF);
static brood__link_t g_waits = { &g_waits, &g_waits }; /* under g_lock */

static brood__rest_t *find_end(const brood__rest_t *rest)
    BROOD__REQUIRES(g_lock);
static int holds(const brood__rest_t *end);

static int is_armed(const brood__rest_t *rest)
{
    return brood__load(&rest->sleep->state, acquire) == BROOD__SLEEP_ARMED;
}

int brood__rest_enter(brood__rest_t *rest, const void *on,
                      brood__sleep_t *sleep)
{
    brood__place_t *place = sleep->place;
    brood__rest_t *end;
    int circle = 0;

    brood__list_init(&rest->link);
    /* The wait of one whose end was asked for may be cut short: no edge. */
    if (!place->ops->manager || brood_task_canceled())
        return 1;
    rest->of = place->ops->manager(place);
    rest->on = on;
    rest->sleep = sleep;
    brood__lock(&g_lock);
    end = find_end(rest);
    if (end && holds(end))
        circle = brood__sleep_try(sleep, BROOD__SLEEP_INTERRUPTED);
    if (!circle)
        brood__list_append(&g_waits, &rest->link);
    brood__unlock(&g_lock);
    return !circle;
}

void brood__rest_leave(brood__rest_t *rest)
{
    brood__lock(&g_lock);
    brood__list_remove(&rest->link);
    brood__unlock(&g_lock);
}

/* Does `rest` lead to the manager `of`? *step: the last wait on the way there;
 * NULL: `rest` itself. */
static int is_reached(const void *of, const brood__rest_t *rest,
                      brood__rest_t **step)
{
    brood__link_t *link;

    *step = NULL;
    if (of == rest->on)
        return 1;
    BROOD__LIST_EACH (&g_waits, link) {
        brood__rest_t *other = BROOD__CONTAINER(link, brood__rest_t, link);

        if (other->via && other->on == of) {
            *step = other;
            return 1;
        }
    }
    return 0;
}

/* A wait for the manager of `rest` by what it would wait for, over any number
 * of managers; `via` leads back, and from the first one to itself. */
static brood__rest_t *find_end(const brood__rest_t *rest)
{
    brood__link_t *link;
    int grew = 1;

    BROOD__LIST_EACH (&g_waits, link)
        BROOD__CONTAINER(link, brood__rest_t, link)->via = NULL;
    while (grew) {
        grew = 0;
        BROOD__LIST_EACH (&g_waits, link) {
            brood__rest_t *wait = BROOD__CONTAINER(link, brood__rest_t, link);
            brood__rest_t *step;

            if (wait->via || !is_armed(wait)
                || !is_reached(wait->of, rest, &step))
                continue;
            wait->via = step ? step : wait;
            if (wait->on == rest->of)
                return wait;
            grew = 1;
        }
    }
    return NULL;
}

static int holds(const brood__rest_t *end)
{
    int armed = is_armed(end);

    while (armed && end->via != end) {
        end = end->via;
        armed = is_armed(end);
    }
    return armed;
}
