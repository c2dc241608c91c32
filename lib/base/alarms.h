/* SPDX-License-Identifier: Apache-2.0 */

/*
 * alarms.h: a set of deadlines: the next one first.
 *
 * A hierarchical timing wheel keeps those that are far, a pairing heap those
 * that are near. The wheel takes and gives back a deadline in a few
 * instructions, whatever their number, and most deadlines are timeouts that
 * never come; but it knows each only as well as the width of its slot. The heap
 * puts the few of one slot into order when their time is near. Both live in the
 * alarms themselves, so that adding never fails. See alarms.c for the sources.
 *
 * Not for several threads at a time.
 */

#ifndef BROOD_BASE_ALARMS_H
#define BROOD_BASE_ALARMS_H

#include <stdint.h>

#include "base/compiler.h"

#define BROOD__ALARM_LEVELS 9
#define BROOD__ALARM_SLOTS  64
#define BROOD__ALARM_DENSE  3 /* levels whose slots may hold very many */
#define BROOD__ALARM_AHEAD  8 /* memory that is asked for at a time */

/* Part of whatever has a deadline. Zeroed when it is new. */
typedef struct brood__alarm_t {
    int64_t deadline;             /* ns, not negative; the setter's to read */
    struct brood__alarm_t *next;  /* in its slot; its sibling */
    struct brood__alarm_t *prev;  /* in its slot; its sibling, or parent */
    struct brood__alarm_t *child; /* in the heap: its first one; in a slot: one
                                     that is further on, or was, never
                                     followed */
    int place; /* 0: not set; 1: in the heap; 2 and more: slot */
} brood__alarm_t;

/* All zero is an empty set. */
typedef struct brood__alarms_t {
    brood__alarm_t *heap; /* all before `horizon` */
    uint64_t horizon;     /* a multiple of the least slot's width */
    size_t later;         /* how many the wheel has */
    uint64_t used[BROOD__ALARM_LEVELS]; /* which slots are not empty */
    brood__alarm_t *slots[BROOD__ALARM_LEVELS][BROOD__ALARM_SLOTS];
    /* Of each slot: who was added last, in turn, and how many were. */
    brood__alarm_t
        *recent[BROOD__ALARM_DENSE][BROOD__ALARM_SLOTS][BROOD__ALARM_AHEAD];
    unsigned char added[BROOD__ALARM_DENSE][BROOD__ALARM_SLOTS];
} brood__alarms_t;

BROOD__INLINE int brood__alarm_is_set(const brood__alarm_t *alarm)
{
    return alarm->place != 0;
}

/* `alarm` is not set. */
void brood__alarms_add(brood__alarms_t *alarms, brood__alarm_t *alarm,
                       int64_t deadline);

/* `alarm` is set, here. */
void brood__alarms_remove(brood__alarms_t *alarms, brood__alarm_t *alarm);

/* The nearest deadline; -1: there is none. */
int64_t brood__alarms_next(brood__alarms_t *alarms);

/* Take out the first one if it is due; else NULL. Those with the same deadline
 * come in no order. */
brood__alarm_t *brood__alarms_due(brood__alarms_t *alarms, int64_t now);

/* Take out the first one, due or not; NULL: there is none. */
brood__alarm_t *brood__alarms_pop(brood__alarms_t *alarms);

BROOD__INLINE int brood__alarms_empty(const brood__alarms_t *alarms)
{
    return !alarms->heap && !alarms->later;
}

#endif /* BROOD_BASE_ALARMS_H */
