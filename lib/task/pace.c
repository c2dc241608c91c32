/* SPDX-License-Identifier: Apache-2.0 */

/* pace.c: how far to stay behind who brings work. */

#include "task/pace.h"

#define LITTLE 8     /* a take of fewer tasks was not worth a wait */
#define POOR   4     /* such takes: nobody brings a stream */
#define TAKES  32    /* of a window, or as many times that as take so long: */
#define LEAST  20000 /* ns */
#define TRY    4     /* takes of a window that tries to wait */
#define PAUSES 511   /* windows between two tries, at most */
#define LONGER 8     /* times: the windows of one that waits */

/* By a tenth: as much as two windows of one stream may differ by chance. */
static int is_faster(const brood__pace_window_t *a,
                     const brood__pace_window_t *b)
{
    return (double)a->tasks * (double)b->ns
           > 1.1 * (double)b->tasks * (double)a->ns;
}

static void set(brood__pace_t *pace, int waits)
{
    pace->waits = waits;
    pace->tries = 0;
    pace->rest = waits ? pace->pause / LONGER : pace->pause;
    pace->since = 0;
}

static void end_try(brood__pace_t *pace, int good)
{
    if (!good && pace->pause < PAUSES)
        pace->pause = 2 * pace->pause + 1;
    set(pace, good ? pace->waits : !pace->waits);
}

static void end_window(brood__pace_t *pace, const brood__pace_window_t *now)
{
    if (pace->tries) {
        end_try(pace, pace->waits ? is_faster(now, &pace->before)
                                  : !is_faster(&pace->before, now));
    } else if (pace->rest) {
        pace->rest--;
    } else {
        pace->before = *now;
        pace->waits = !pace->waits;
        pace->tries = 1;
        pace->poor = 0;
    }
}

void brood__pace_look(brood__pace_t *pace, unsigned long long ran, int64_t now)
{
    if (pace->since) {
        const brood__pace_window_t window = { ran - pace->ran,
                                              now - pace->since };

        if (window.ns < LEAST)
            return;
        end_window(pace, &window);
    }
    pace->since = now;
    pace->ran = ran;
    pace->takes = 0;
}

/* A take after a wait. */
static void count_poor(brood__pace_t *pace, unsigned n)
{
    pace->poor = n < LITTLE ? pace->poor + 1 : 0;
    if (pace->tries && pace->poor)
        end_try(pace, 0);
    else if (pace->poor >= POOR)
        set(pace, 0);
}

int brood__pace_take(brood__pace_t *pace, unsigned n)
{
    const unsigned due = pace->waits && pace->tries ? TRY : TAKES;

    if (pace->waits && !pace->large)
        count_poor(pace, n);
    pace->large = 0;
    pace->takes++;
    return !pace->since || pace->takes % due == 0;
}

void brood__pace_forget(brood__pace_t *pace)
{
    if (pace->tries)
        end_try(pace, 0);
    if (pace->waits)
        set(pace, 0);
    pace->since = 0;
}
