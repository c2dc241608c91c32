/* SPDX-License-Identifier: Apache-2.0 */

/* pace.c: how far to stay behind who brings work. */

#include "task/pace.h"

#define LITTLE 8     /* a take of fewer tasks was not worth a wait */
#define POOR   4     /* such takes, or broken windows: nobody brings a stream */
#define TAKES  32    /* small ones in a window; more if they took less than */
#define LEAST  20000 /* ns */
#define TRY    4     /* takes of a window that tries to wait */
#define PAUSES 511   /* windows until the next try to wait, at most */
#define HOLDS  63    /* ... not to wait: these windows are longer */
#define BETTER 8     /* so much sooner the next try, after a good one */

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
    pace->rest = waits ? pace->hold : pace->pause;
    pace->since = 0;
}

static unsigned longer(unsigned windows, unsigned most)
{
    return windows < most ? 2 * windows + 1 : most;
}

static void end_try_to_wait(brood__pace_t *pace, int good)
{
    pace->pause = good ? pace->pause / BETTER : longer(pace->pause, PAUSES);
    pace->hold = 0;
    set(pace, good);
}

static void end_try_not_to_wait(brood__pace_t *pace, int good)
{
    if (!good)
        pace->hold = longer(pace->hold, HOLDS);
    set(pace, !good);
}

static void end_window(brood__pace_t *pace, const brood__pace_window_t *now)
{
    pace->broken = 0;
    if (pace->tries && pace->waits) {
        end_try_to_wait(pace, is_faster(now, &pace->before));
    } else if (pace->tries) {
        end_try_not_to_wait(pace, !is_faster(&pace->before, now));
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
        end_try_to_wait(pace, 0);
    else if (pace->poor >= POOR)
        set(pace, 0);
}

int brood__pace_take(brood__pace_t *pace, unsigned n)
{
    const unsigned due = pace->waits && pace->tries ? TRY : TAKES;

    if (pace->waits && !pace->unasked)
        count_poor(pace, n);
    pace->unasked = 0;
    pace->takes++;
    return !pace->since || pace->takes % due == 0;
}

void brood__pace_skip(brood__pace_t *pace)
{
    pace->unasked = 1;
    if (++pace->broken >= POOR)
        brood__pace_forget(pace);
    pace->since = 0;
}

void brood__pace_forget(brood__pace_t *pace)
{
    if (pace->tries && pace->waits)
        end_try_to_wait(pace, 0);
    else if (pace->tries || pace->waits)
        set(pace, 0);
    pace->since = 0;
    pace->broken = 0;
}
