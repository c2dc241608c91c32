/* SPDX-License-Identifier: Apache-2.0 */

/*
 * alarms.c: a timing wheel before a pairing heap.
 *
 * Sources: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987,
 * scheme 7; Fredman, Sedgewick, Sleator and Tarjan, "The Pairing Heap: A New
 * Form of Self-Adjusting Heap", 1986, with two passes.
 *
 * A slot of level 0 is 2^13 ns wide, each level's are 64 times as wide as those
 * of the one below, and nine levels reach further than 63 bits.
 * Let d be the deadline and h the horizon, both in units of level 0. Then an
 * alarm is
 *
 *     d <  h : in the heap
 *     d >= h : on the level of the highest digit, to the base of 64, in which d
 *              and h differ (0 when they do not), in the slot of that digit.
 *
 * So all of one level lie behind all of the levels below it, and within a level
 * slots come in order, none of them before the horizon's own. When the horizon
 * moves, it moves to the begin of the first slot that is not empty, whose alarms
 * go down: to the heap from level 0, to lower levels from others. Nothing else
 * has to be moved, but where level 0's last slot has gone: then the horizon
 * enters a new slot of level 1, and maybe of others, and what is in these must
 * go down at once, lest it lie behind what is added below it later.
 *
 * The heap is never behind the wheel, so the first of the heap is the first of
 * all, and the horizon needs to move only when the heap is empty. It may move
 * beyond the present, when somebody asks for the nearest deadline and that is
 * far. Alarms before it then go to the heap, which costs more and is as right.
 */

#include "base/alarms.h"

#define LEAST 13 /* bits of a slot of level 0 */
#define WIDTH ((uint64_t)1 << LEAST)
#define DIGIT 6 /* bits of a level */
#define SLOTS BROOD__ALARM_SLOTS

#define IN_HEAP 1
#define IN_SLOT 2 /* and level * 64 + slot */

static brood__alarm_t *pop(brood__alarms_t *alarms);
static void put(brood__alarms_t *alarms, brood__alarm_t *alarm);
static void put_slot(brood__alarms_t *alarms, brood__alarm_t *alarm,
                     unsigned level);
static void take_slot(brood__alarms_t *alarms, brood__alarm_t *alarm);
static int64_t first_slot(const brood__alarms_t *alarms, unsigned *level);
static void move_on(brood__alarms_t *alarms, unsigned level, int64_t begin);
static void empty_slot(brood__alarms_t *alarms, unsigned level, unsigned slot);
static brood__alarm_t *meld(brood__alarm_t *a, brood__alarm_t *b);
static brood__alarm_t *meld_all(brood__alarm_t *first);
static void take_heap(brood__alarms_t *alarms, brood__alarm_t *alarm);

static unsigned slot_of(uint64_t deadline, unsigned level)
{
    return (unsigned)(deadline >> (LEAST + level * DIGIT)) % SLOTS;
}

void brood__alarms_add(brood__alarms_t *alarms, brood__alarm_t *alarm,
                       int64_t deadline)
{
    alarm->deadline = deadline;
    put(alarms, alarm);
}

void brood__alarms_remove(brood__alarms_t *alarms, brood__alarm_t *alarm)
{
    if (alarm->place == IN_HEAP)
        take_heap(alarms, alarm);
    else
        take_slot(alarms, alarm);
    alarm->place = 0;
}

int64_t brood__alarms_next(brood__alarms_t *alarms)
{
    unsigned level;

    while (!alarms->heap) {
        int64_t begin = first_slot(alarms, &level);

        if (begin < 0)
            return -1;
        move_on(alarms, level, begin);
    }
    return alarms->heap->deadline;
}

brood__alarm_t *brood__alarms_due(brood__alarms_t *alarms, int64_t now)
{
    unsigned level;

    while (!alarms->heap) {
        int64_t begin = first_slot(alarms, &level);

        if (begin < 0 || begin > now) {
            /* Nothing is between: new ones need not come down from far. */
            if ((uint64_t)now > alarms->horizon)
                alarms->horizon = (uint64_t)now & ~(WIDTH - 1);
            return NULL;
        }
        move_on(alarms, level, begin);
    }
    return alarms->heap->deadline <= now ? pop(alarms) : NULL;
}

brood__alarm_t *brood__alarms_pop(brood__alarms_t *alarms)
{
    return brood__alarms_next(alarms) < 0 ? NULL : pop(alarms);
}

static brood__alarm_t *pop(brood__alarms_t *alarms)
{
    brood__alarm_t *first = alarms->heap;

    alarms->heap = meld_all(first->child);
    first->place = 0;
    return first;
}

/* ---- the wheel ----------------------------------------------------------- */

static void put(brood__alarms_t *alarms, brood__alarm_t *alarm)
{
    uint64_t deadline = (uint64_t)alarm->deadline;
    uint64_t differ = (deadline ^ alarms->horizon) >> LEAST;
    unsigned level = 0;

    if (deadline < alarms->horizon) {
        alarm->next = alarm->prev = alarm->child = NULL;
        alarm->place = IN_HEAP;
        alarms->heap = alarms->heap ? meld(alarms->heap, alarm) : alarm;
        return;
    }
    while (differ >= SLOTS) {
        differ >>= DIGIT;
        level++;
    }
    put_slot(alarms, alarm, level);
}

/* Who was added to the slot some time ago; the next ones ask for `alarm`. */
static brood__alarm_t *some_before(brood__alarms_t *alarms,
                                   brood__alarm_t *alarm, unsigned level,
                                   unsigned slot)
{
    unsigned turn = alarms->added[level][slot]++ % BROOD__ALARM_AHEAD;
    brood__alarm_t *before = alarms->recent[level][slot][turn];

    alarms->recent[level][slot][turn] = alarm;
    return before;
}

static void put_slot(brood__alarms_t *alarms, brood__alarm_t *alarm,
                     unsigned level)
{
    unsigned slot = slot_of((uint64_t)alarm->deadline, level);
    brood__alarm_t **head = &alarms->slots[level][slot];

    alarm->child = level < BROOD__ALARM_DENSE
                       ? some_before(alarms, alarm, level, slot)
                       : NULL;
    alarm->prev = NULL;
    alarm->next = *head;
    if (*head)
        (*head)->prev = alarm;
    *head = alarm;
    alarm->place = IN_SLOT + (int)(level * SLOTS + slot);
    alarms->used[level] |= (uint64_t)1 << slot;
    alarms->later++;
}

static void take_slot(brood__alarms_t *alarms, brood__alarm_t *alarm)
{
    unsigned at = (unsigned)(alarm->place - IN_SLOT);
    unsigned level = at / SLOTS, slot = at % SLOTS;

    if (alarm->next)
        alarm->next->prev = alarm->prev;
    if (alarm->prev)
        alarm->prev->next = alarm->next;
    else
        alarms->slots[level][slot] = alarm->next;
    if (!alarms->slots[level][slot])
        alarms->used[level] &= ~((uint64_t)1 << slot);
    alarms->later--;
}

/* When the first slot that is not empty begins, but not before the horizon; -1:
 * all are empty. */
static int64_t first_slot(const brood__alarms_t *alarms, unsigned *level)
{
    unsigned i, shift;

    for (i = 0; i < BROOD__ALARM_LEVELS && alarms->later; i++)
        if (alarms->used[i]) {
            *level = i;
            shift = LEAST + i * DIGIT;
            return (
                int64_t)(((alarms->horizon >> shift & ~(uint64_t)(SLOTS - 1))
                          | brood__lowest_bit(alarms->used[i]))
                         << shift);
        }
    return -1;
}

/* The slot of `level` that begins at `begin`, the first one, goes down. */
static void move_on(brood__alarms_t *alarms, unsigned level, int64_t begin)
{
    unsigned slot = slot_of((uint64_t)begin, level);

    alarms->horizon = (uint64_t)begin;
    if (level) {
        empty_slot(alarms, level, slot);
        return;
    }
    alarms->horizon += WIDTH;
    empty_slot(alarms, 0, slot);
    for (level = 1; level < BROOD__ALARM_LEVELS
                    && slot_of(alarms->horizon, level - 1) == 0;
         level++)
        empty_slot(alarms, level, slot_of(alarms->horizon, level));
}

/* Put its alarms where they belong now. They are spread over memory that was
 * written long ago, and each is found through the one before it; so each also
 * knows who was added some time before it, that is who comes later here (as in
 * Luk and Mowry, "Compiler-Based Prefetching for Recursive Data Structures",
 * 1996). That one may be gone: its address is a hint, no more. */
static void empty_slot(brood__alarms_t *alarms, unsigned level, unsigned slot)
{
    brood__alarm_t *alarm = alarms->slots[level][slot], *next;

    alarms->slots[level][slot] = NULL;
    alarms->used[level] &= ~((uint64_t)1 << slot);
    for (; alarm; alarm = next) {
        next = alarm->next;
        BROOD__PREFETCH_WRITE(alarm->child);
        alarms->later--;
        put(alarms, alarm);
    }
}

/* ---- the heap ------------------------------------------------------------ */

/* Both are roots. */
static brood__alarm_t *meld(brood__alarm_t *a, brood__alarm_t *b)
{
    if (b->deadline < a->deadline) {
        brood__alarm_t *swap = a;

        a = b;
        b = swap;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child)
        a->child->prev = b;
    a->child = b;
    return a;
}

/* One root of siblings, of which `first` may be NULL: in pairs from the left,
 * then all pairs from the right. */
static brood__alarm_t *meld_all(brood__alarm_t *first)
{
    brood__alarm_t *pairs = NULL, *a, *b, *all;

    while (first) {
        a = first;
        b = a->next;
        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b) {
            b->next = b->prev = NULL;
            a = meld(a, b);
        }
        a->next = pairs;
        pairs = a;
    }
    all = pairs;
    if (all) {
        pairs = all->next;
        all->next = NULL;
    }
    while (pairs) {
        a = pairs;
        pairs = a->next;
        a->next = NULL;
        all = meld(all, a);
    }
    return all;
}

static void take_heap(brood__alarms_t *alarms, brood__alarm_t *alarm)
{
    brood__alarm_t *below;

    if (alarm == alarms->heap) {
        alarms->heap = meld_all(alarm->child);
        return;
    }
    if (alarm->prev->child == alarm)
        alarm->prev->child = alarm->next;
    else
        alarm->prev->next = alarm->next;
    if (alarm->next)
        alarm->next->prev = alarm->prev;
    below = meld_all(alarm->child);
    if (below)
        alarms->heap = meld(alarms->heap, below);
}
