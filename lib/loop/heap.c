/* SPDX-License-Identifier: Apache-2.0 */

/* heap.c: a 4-ary heap of deadlines. */

#include "loop/heap.h"

#include <string.h>

#include "base/alloc.h"

#define WAYS       4
#define FIRST_ROOM 64

static void sift_up(brood__heap_t *heap, size_t at, brood__heap_slot_t slot);
static void sift_down(brood__heap_t *heap, size_t at, brood__heap_slot_t slot);

apr_status_t brood__heap_reserve(brood__heap_t *heap, size_t n)
{
    size_t room = heap->room ? heap->room : FIRST_ROOM;
    brood__heap_slot_t *slots;

    if (n < heap->room) /* slot 0 is not used */
        return APR_SUCCESS;
    while (room <= n)
        room *= 2;
    slots = brood__alloc(room * sizeof(*slots));
    if (!slots)
        return APR_ENOMEM;
    if (heap->slots)
        memcpy(slots, heap->slots, (heap->n + 1) * sizeof(*slots));
    brood__free(heap->slots);
    heap->slots = slots;
    heap->room = room;
    return APR_SUCCESS;
}

void brood__heap_fini(brood__heap_t *heap)
{
    brood__free(heap->slots);
    memset(heap, 0, sizeof(*heap));
}

void brood__heap_add(brood__heap_t *heap, brood__alarm_t *alarm,
                     int64_t deadline)
{
    brood__heap_slot_t slot = { deadline, alarm };

    sift_up(heap, ++heap->n, slot);
}

void brood__heap_remove(brood__heap_t *heap, brood__alarm_t *alarm)
{
    size_t at = alarm->index;
    brood__heap_slot_t last = heap->slots[heap->n--];

    alarm->index = 0;
    if (last.alarm == alarm)
        return;
    if (at > 1 && heap->slots[(at + WAYS - 2) / WAYS].deadline > last.deadline)
        sift_up(heap, at, last);
    else
        sift_down(heap, at, last);
}

brood__alarm_t *brood__heap_due(brood__heap_t *heap, int64_t now)
{
    brood__alarm_t *alarm;

    if (!heap->n || heap->slots[1].deadline > now)
        return NULL;
    alarm = heap->slots[1].alarm;
    brood__heap_remove(heap, alarm);
    return alarm;
}

static void put_at(brood__heap_t *heap, size_t at, brood__heap_slot_t slot)
{
    heap->slots[at] = slot;
    slot.alarm->index = at;
}

static void sift_up(brood__heap_t *heap, size_t at, brood__heap_slot_t slot)
{
    while (at > 1) {
        size_t parent = (at + WAYS - 2) / WAYS;

        if (heap->slots[parent].deadline <= slot.deadline)
            break;
        put_at(heap, at, heap->slots[parent]);
        at = parent;
    }
    put_at(heap, at, slot);
}

static void sift_down(brood__heap_t *heap, size_t at, brood__heap_slot_t slot)
{
    for (;;) {
        size_t least = WAYS * (at - 1) + 2;
        size_t child = least;
        size_t last = least + WAYS - 1;

        if (least > heap->n)
            break;
        for (child++; child <= last && child <= heap->n; child++)
            if (heap->slots[child].deadline < heap->slots[least].deadline)
                least = child;
        if (heap->slots[least].deadline >= slot.deadline)
            break;
        put_at(heap, at, heap->slots[least]);
        at = least;
    }
    put_at(heap, at, slot);
}
