/* SPDX-License-Identifier: Apache-2.0 */

/*
 * stacks.c: coroutines that run nothing, kept for the next task.
 *
 * The one used last is used next: its stack is in the cache. What was not
 * needed for a while goes back: of those that were spare all the time since the
 * last look (`low`), more than KEEP are freed, half of them at a time.
 */

#include "loop/coroutine.h"

#include "loop/core.h"

#define KEEP      64        /* spares that may stay for ever */
#define FREE_MOST 512       /* at one look */
#define EACH      250000000 /* ns between two looks */
#define TRIM_EACH 1000000000
#define HOT       65536 /* upper bytes of a spare's stack that are in use */
#define COLOURS   8     /* records of so many neighbours share no cache set */
#define LINE      64

static void trim(brood__coroutine_t *spare);
static brood__coroutine_t *make(brood_loop_manager_t *loop);
static void free_one(brood_loop_manager_t *loop);

apr_status_t brood__spares_ready(brood_loop_manager_t *loop)
{
    brood__coroutine_t *coroutine;

    if (loop->spares.first)
        return APR_SUCCESS;
    coroutine = make(loop);
    if (!coroutine)
        return APR_ENOMEM;
    brood__spares_give(&loop->spares, coroutine);
    return APR_SUCCESS;
}

int64_t brood__spares_trim(brood_loop_manager_t *loop)
{
    brood__spares_t *spares = &loop->spares;
    brood__coroutine_t *spare;
    size_t excess, i;

    if (spares->n > KEEP && loop->now - spares->looked >= EACH) {
        excess = spares->low > KEEP ? (spares->low - KEEP + 1) / 2 : 0;
        for (i = 0; i < excess && i < FREE_MOST; i++)
            free_one(loop);
        spares->low = spares->n;
        spares->looked = loop->now;
    }
    if (loop->now - spares->trimmed >= TRIM_EACH) {
        spares->trimmed = loop->now;
        for (spare = spares->first; spare && !spare->trimmed;
             spare = spare->next) {
            trim(spare);
        }
    }
    return spares->n > KEEP ? spares->looked + EACH : -1;
}

void brood__spares_fini(brood_loop_manager_t *loop)
{
    while (loop->spares.first)
        free_one(loop);
}

/* A spare stands in its main function, so its highest frames are in use. */
static void trim(brood__coroutine_t *spare)
{
    brood__os_stack_t cold = spare->stack;

    spare->trimmed = 1;
    if (cold.size <= 2 * HOT)
        return;
    cold.size -= HOT;
    brood__os_stack_trim(&cold);
}

/* The record takes the upper end of the stack, which begins below it. */
static brood__coroutine_t *make(brood_loop_manager_t *loop)
{
    brood__spares_t *spares = &loop->spares;
    brood__os_stack_t stack, below;
    brood__coroutine_t *coroutine;
    uintptr_t record;

    if (brood__os_stack_make(&stack, loop->set.stack_size) != APR_SUCCESS)
        return NULL;
    record = (uintptr_t)stack.bottom + stack.size - sizeof(*coroutine)
             - spares->colour++ % COLOURS * LINE;
    record &= ~(uintptr_t)(LINE - 1);
    below = stack;
    below.size = record - (uintptr_t)stack.bottom;

    coroutine = (void *)record; /* new pages are zeroed */
    if (brood__os_context_make(&coroutine->context, &below,
                               brood__coroutine_main, coroutine)
        != APR_SUCCESS) {
        brood__os_stack_free(&stack);
        return NULL;
    }
    coroutine->place.ops = &brood__coroutine_ops;
    coroutine->loop = loop;
    coroutine->frame = loop->frame;
    coroutine->stack = stack;
    brood__list_init(&coroutine->link);
    spares->n_all++;
    return coroutine;
}

/* It ends itself, so that sanitizers know that its frames are gone. */
static void free_one(brood_loop_manager_t *loop)
{
    brood__coroutine_t *coroutine = brood__spares_take(&loop->spares);
    brood__os_stack_t stack = coroutine->stack;

    coroutine->leave = 1;
    brood__coroutine_enter(loop, coroutine);
    brood__os_context_fini(&coroutine->context);
    brood__os_stack_free(&stack);
    loop->spares.n_all--;
}
