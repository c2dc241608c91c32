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
 * waits another takes its tasks, so mostly none does. One thread uses it; nothing here is shared, and nothing depends on it but speed.
 */

#ifndef BROOD_TASK_PACE_H
#define BROOD_TASK_PACE_H

#include <stdint.h>

#include "base/compiler.h"

#define BROOD__PACE_SMALL 32   /* a take of fewer is small */
#define BROOD__PACE_NS    4600 /* of a wait */

/* What a window brought: small takes, and what was done in its time. */
typedef struct brood__pace_window_t {
    unsigned long long tasks;
    int64_t ns;
} brood__pace_window_t;

/* Zeroed: it waits for nobody. */
typedef struct brood__pace_t {
    int waits;              /* after each small take */
    int tries;              /* ... or not, for this window only */
    unsigned poor;          /* takes, one after the other, not worth a wait */
    int large;              /* the last take was */
    unsigned rest;          /* windows until the next try */
    unsigned pause;         /* ... after one in vain */
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
    pace->large = 1;
    pace->poor = 0;
    if (!pace->waits)
        pace->since = 0;
}

/* The caller sleeps, or may not wait: that is no time that its tasks took, and who
 * brings tasks later may be somebody else. */
void brood__pace_forget(brood__pace_t *pace);

#endif /* BROOD_TASK_PACE_H */
