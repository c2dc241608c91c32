/* SPDX-License-Identifier: Apache-2.0 */

/*
 * choose.c: which worker gets a task.
 *
 * A worker gets more than one task at a time only while they are short, so that
 * it need not be woken for each: a window that its recent tasks have earned.
 * What was handed out too early is taken back as soon as another worker has
 * nothing to do, so a long task never holds up those behind it while somebody
 * is idle.
 *
 * While tasks come fast, a worker that sleeps is not woken for what one that is
 * awake will have begun before: the tasks in front of it, each as long as they
 * last were, take less than a wake-up does. And where a task takes less than
 * handing it over, one worker has them all: a second one would only take the CPU
 * from us, and sleep and be woken all the time. What has no room there stays
 * queued until its results are read.
 *
 * Both are guesses. So while something waits behind others, and somebody is idle
 * or could be started, the supervisor looks again after LOOK. A worker that has
 * not answered since is stuck, and what waits behind it moves. And if nobody but
 * the supervisor reads results, so that the queue moves only when it looks,
 * everybody gets something.
 */

#include "process/core.h"

#include "task/spin.h"

#define LOOK ((int64_t)100000) /* ns */
#define TINY 300               /* ns; what handing over takes us */
#define MANY 16                /* in a row */

static int is_quick(const brood__child_t *child, unsigned before);
static int is_tiny(const brood__child_t *child);
static int has_room(const brood__child_t *child);
static brood__child_t *wait_for_room(brood_process_manager_t *m);
static unsigned load(const brood__child_t *child);
static unsigned window(const brood__child_t *child);
static int take_half(brood__child_t *child);
static void look_later(brood_process_manager_t *m);

brood__child_t *brood__feed_choose(brood_process_manager_t *m,
                                   const brood__order_t *order)
{
    const int joins = !(order->flags & BROOD__ORDER_ALONE);
    const int slight = joins && order->size <= BROOD__WIRE_INLINE;
    brood__child_t *best = NULL, *idle = NULL;
    brood__link_t *link;

    BROOD__LIST_EACH (&m->children, link) {
        brood__child_t *child = BROOD__CONTAINER(link, brood__child_t, link);

        if (!brood__child_can_take(child))
            continue;
        if (slight && is_tiny(child))
            return has_room(child) ? child : wait_for_room(m);
        if (!has_room(child))
            continue;
        if (!child->n_out)
            idle = idle ? idle : child;
        else if (joins && (!best || load(child) < load(best)))
            best = child;
    }
    return idle && !(slight && best && brood__child_is_quick(best)) ? idle
                                                                    : best;
}

int brood__child_can_take(const brood__child_t *child)
{
    const int most = child->manager->set.max_tasks;

    return child->state == BROOD__CHILD_READY && !child->closed && !child->gone
           && !child->check_rss && (!most || child->served < (uint64_t)most);
}

int brood__child_is_quick(const brood__child_t *child)
{
    return is_quick(child, child->n_out);
}

/* Would it begin one that has so many before it sooner than a sleeping worker
 * were awake? */
static int is_quick(const brood__child_t *child, unsigned before)
{
    return child->run > 0 && child->streak >= MANY && !child->stuck
           && before * child->run < brood__spin_limit();
}

/* And would a second one not help? */
static int is_tiny(const brood__child_t *child)
{
    return child->n_out && child->run < TINY && brood__child_is_quick(child)
           && !child->manager->fill && !child->manager->set.max_rss;
}

/* Who is stuck comes last. */
static unsigned load(const brood__child_t *child)
{
    return child->n_out + (child->stuck ? BROOD__WIRE_SLOTS : 0);
}

static brood__child_t *wait_for_room(brood_process_manager_t *m)
{
    if (m->set.max_workers > 1)
        look_later(m);
    return NULL;
}

/* Positions that were taken back are out until what is before them has ended. */
static int has_room(const brood__child_t *child)
{
    return child->n_out < window(child)
           && child->next - brood__load(&child->answered, relaxed)
                  < BROOD__WIRE_SLOTS;
}

static unsigned window(const brood__child_t *child)
{
    const int64_t run = child->run;

    if (child->manager->set.max_rss)
        return 1;
    if (run <= 0)
        return 2;
    return run < 10000 ? BROOD__WIRE_SLOTS : run < 100000 ? 16 : 2;
}

/* The queue is empty. Is there somebody with too much, and somebody idle, or one
 * more to be had? Who is quick may keep for now what he would be given: else it
 * would come back to him at once. */
int brood__feed_take_back(brood_process_manager_t *m)
{
    const int more = m->n_ready + m->n_starting < (unsigned)m->set.max_workers;
    brood__child_t *most = NULL;
    brood__link_t *link;
    int idle = 0, quick = 0;

    if (m->n_ready < 2 && !more)
        return 0;
    BROOD__LIST_EACH (&m->children, link) {
        brood__child_t *child = BROOD__CONTAINER(link, brood__child_t, link);

        idle |= !child->n_out && brood__child_can_take(child)
                && has_room(child);
        if (child->n_out < 2 || child->state != BROOD__CHILD_READY)
            continue;
        if (is_quick(child, child->n_out - 1))
            quick = 1;
        else if (!most || child->n_out > most->n_out)
            most = child;
    }
    if (quick && (idle || more))
        look_later(m);
    if (most && !idle && !m->n_starting) /* else one is coming */
        brood__feed_want_more(m);
    return idle && most ? take_half(most) : 0;
}

/* The last half, to be queued again. Of the positions that are out some may have
 * been taken back before. */
static int take_half(brood__child_t *child)
{
    const uint64_t first = brood__load(&child->answered, relaxed);
    const unsigned half = child->n_out / 2;
    uint64_t position = child->next;
    unsigned n = 0;

    while (n < half && position-- > first) {
        brood__order_t *order = child->sent[BROOD__WIRE_SLOT(position)];

        if (order && brood__child_recall(child, position)) {
            brood__order_requeue(order);
            n++;
        }
    }
    child->manager->steals += n;
    return n > 0;
}

/* ---- one more worker ----------------------------------------------------- */

void brood__feed_want_more(brood_process_manager_t *m)
{
    if (m->demand || m->n_ready + m->n_starting >= (unsigned)m->set.max_workers)
        return;
    m->demand = 1;
    if (!m->tended)
        brood__supervisor_wake();
}

/* ---- who is stuck -------------------------------------------------------- */

static void look_later(brood_process_manager_t *m)
{
    brood__link_t *link;

    if (m->look_at)
        return;
    BROOD__LIST_EACH (&m->children, link) {
        brood__child_t *child = BROOD__CONTAINER(link, brood__child_t, link);

        child->seen = brood__load(&child->answered, relaxed);
    }
    m->look_at = brood__os_now() + LOOK;
    brood__supervisor_wake_at(m->look_at);
}

void brood__feed_look(brood_process_manager_t *m)
{
    brood__link_t *link;

    m->look_at = 0;
    m->fill = !m->helped;
    m->helped = 0;
    BROOD__LIST_EACH (&m->children, link) {
        brood__child_t *child = BROOD__CONTAINER(link, brood__child_t, link);

        child->stuck = child->n_out
                       && child->seen == brood__load(&child->answered, relaxed);
    }
}
