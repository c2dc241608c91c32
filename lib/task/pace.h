/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pace.h: how far to stay behind who brings work.
 *
 * A thread that takes tasks as fast as another one brings them gets one or two at
 * a time, and both always want the same lines, or those that the other one's CPU
 * has just asked for ahead: each task then takes two or three times as long as it
 * does some hundred tasks behind. Two that are equally fast stay there by
 * themselves, once they are there. So a taker that finds little lets the other one
 * get ahead, for some microseconds, before it looks again.
 *
 * Behind a stream that is good. It is bad for whoever waits for the few that came,
 * or brings no more for it. Which of them it is shows when it is tried, for few
 * takes, and ever more seldom while it is in vain: more is done in the time, or
 * not. (To perturb and observe, as solar converters find their best point: Esram
 * and Chapman, IEEE Trans. Energy Conversion 22(2), 2007.)
 *
 * Several takers of one stream judge each for itself, by what it did; while one
 * waits another takes its tasks, so mostly none does. Nothing here is shared, and
 * nothing but speed depends on it.
 */

#ifndef BROOD_TASK_PACE_H
#define BROOD_TASK_PACE_H

#include <stdint.h>

#include "base/compiler.h"

#define BROOD__PACE_SMALL 32   /* a take of fewer is small */
#define BROOD__PACE_NS    4600 /* of a wait */

/* A window: some small takes, and the large ones and the waits between them. */
typedef struct brood__pace_window_t {
    unsigned long long tasks;
    int64_t ns;
} brood__pace_window_t;

/* Zeroed: it waits for nobody. */
typedef struct brood__pace_t {
    int waits;              /* after each small take */
    int tries;              /* ... or not, for this window only */
    int unasked;            /* no wait was before the next take */
    unsigned poor;          /* takes, one after the other, not worth a wait */
    unsigned broken;        /* windows, likewise, that came to nothing */
    unsigned rest;          /* windows until the next try */
    unsigned pause;         /* ... after one to wait was in vain */
    unsigned hold;          /* ... after one not to wait was */
    unsigned takes;         /* small ones of this window */
    unsigned long long ran; /* tasks when it began */
    int64_t since;          /* when that was; 0: it begins with the next take */
    brood__pace_window_t before; /* the one before a try */
} brood__pace_t;

/* All of a small take of `n` tasks has been run. True: brood__pace_look() is due. */
int brood__pace_take(brood__pace_t *pace, unsigned n);

/* It is `now`, and `ran` tasks have been run in all. */
void brood__pace_look(brood__pace_t *pace, unsigned long long ran, int64_t now);

/* A large take has been run: small ones before it say nothing about those that
 * come next. */
BROOD__INLINE void brood__pace_large(brood__pace_t *pace)
{
    pace->unasked = 1;
    pace->poor = 0;
    if (!pace->waits && !pace->tries)
        pace->since = 0;
}

/* A wait that was due could not be, or was cut short. */
void brood__pace_skip(brood__pace_t *pace);

/* The caller sleeps: who brings tasks later may be somebody else. */
void brood__pace_forget(brood__pace_t *pace);

#endif /* BROOD_TASK_PACE_H */
