/* SPDX-License-Identifier: Apache-2.0 */

/* magazine.c: the depot behind the threads' magazines of free futures. */

#include "task/magazine.h"

#include "base/alloc.h"
#include "lineage/life.h"
#include "os/lock.h"

#define CHUNK_FIRST ((size_t)4096)
#define CHUNK_LAST  ((size_t)262144)

/* At the start of each chunk; as large as a future, so that all are aligned. */
typedef struct chunk_t {
    struct chunk_t *next;
    size_t size;
} chunk_t;

static struct {
    brood__lock_t lock; /* guards all below */
    brood__magazine_t *full;
    brood__magazine_t *empty;
    brood_future_t *loose; /* freed when no magazine was to be had; linked by
                              `scope` */
    chunk_t *chunks;
    char *cut; /* what is left of the newest chunk */
    size_t left;
    size_t grow;   /* size of the next chunk */
    size_t made;   /* futures ever cut */
    size_t parked; /* of them in `full` and `loose` */
} g_depot = { .lock = BROOD__LOCK_INIT(BROOD__RANK_DEPOT) };

static brood__magazine_t *own_magazine(void);
static void park_loose(brood_future_t *future) BROOD__REQUIRES(g_depot.lock);
static void swap_full(brood__magazine_t **own) BROOD__REQUIRES(g_depot.lock);
static void take_loose(brood__magazine_t *own) BROOD__REQUIRES(g_depot.lock);
static void cut_new(brood__magazine_t *own) BROOD__REQUIRES(g_depot.lock);

int brood__magazine_refill(void)
{
    brood__magazine_t *own;

    if (brood__life_forked())
        return 0; /* the depot may be locked for ever */
    own = own_magazine();
    if (!own)
        return 0;
    brood__lock(&g_depot.lock);
    if (g_depot.full)
        swap_full(&own);
    else if (g_depot.loose)
        take_loose(own);
    else
        cut_new(own);
    brood__unlock(&g_depot.lock);
    brood__self.magazine = own;
    return own->n != 0;
}

void brood__magazine_flush(brood_future_t *future)
{
    brood__magazine_t *own = brood__self.magazine;
    brood__magazine_t *empty = NULL;

    if (brood__life_forked())
        return; /* the depot may be locked for ever */
    /* A thread that cannot be told of its end must keep nothing. */
    if (brood__self_watch() == APR_SUCCESS) {
        brood__lock(&g_depot.lock);
        empty = g_depot.empty;
        if (empty)
            g_depot.empty = empty->next;
        brood__unlock(&g_depot.lock);
        if (!empty)
            empty = brood__alloc(sizeof(*empty));
    }

    brood__lock(&g_depot.lock);
    if (empty) {
        if (own) {
            own->next = g_depot.full;
            g_depot.full = own;
            g_depot.parked += own->n;
        }
        empty->n = 1;
        empty->item[0] = future;
        brood__self.magazine = empty;
    } else {
        park_loose(future);
    }
    brood__unlock(&g_depot.lock);
}

void brood__magazine_exit(brood__self_t *self)
{
    brood__magazine_t *own = self->magazine;

    if (!own)
        return;
    self->magazine = NULL;
    brood__lock(&g_depot.lock);
    if (own->n == BROOD__MAGAZINE) {
        own->next = g_depot.full;
        g_depot.full = own;
        g_depot.parked += own->n;
    } else {
        /* Kept as it is, each thread that ends would leave one behind. */
        while (own->n)
            park_loose(own->item[--own->n]);
        own->next = g_depot.empty;
        g_depot.empty = own;
    }
    brood__unlock(&g_depot.lock);
}

void brood__magazines_end(void)
{
    brood__magazine_t *magazine;
    chunk_t *chunk;

    while ((magazine = g_depot.full)) {
        g_depot.full = magazine->next;
        brood__free(magazine);
    }
    while ((magazine = g_depot.empty)) {
        g_depot.empty = magazine->next;
        brood__free(magazine);
    }
    while ((chunk = g_depot.chunks)) {
        g_depot.chunks = chunk->next;
        brood__os_pages_free(chunk, chunk->size);
    }
    g_depot.loose = NULL;
    g_depot.cut = NULL;
    g_depot.left = g_depot.grow = g_depot.made = g_depot.parked = 0;
}

size_t brood__futures_live(void)
{
    size_t live;

    brood__lock(&g_depot.lock);
    live = g_depot.made - g_depot.parked;
    brood__unlock(&g_depot.lock);
    if (brood__self.magazine)
        live -= brood__self.magazine->n;
    return live;
}

/* The calling thread's magazine, empty; NULL when memory ran out. */
static brood__magazine_t *own_magazine(void)
{
    brood__magazine_t *own = brood__self.magazine;

    if (own)
        return own;
    if (brood__self_watch() != APR_SUCCESS)
        return NULL;
    brood__lock(&g_depot.lock);
    own = g_depot.empty;
    if (own)
        g_depot.empty = own->next;
    brood__unlock(&g_depot.lock);
    return own ? own : brood__alloc(sizeof(*own));
}

static void park_loose(brood_future_t *future)
{
    future->scope = (brood__scope_t *)(void *)g_depot.loose;
    g_depot.loose = future;
    g_depot.parked++;
}

static void swap_full(brood__magazine_t **own)
{
    brood__magazine_t *full = g_depot.full;

    g_depot.full = full->next;
    g_depot.parked -= full->n;
    (*own)->next = g_depot.empty;
    g_depot.empty = *own;
    *own = full;
}

static void take_loose(brood__magazine_t *own)
{
    brood_future_t *future;

    while (own->n < BROOD__MAGAZINE && (future = g_depot.loose)) {
        g_depot.loose = (brood_future_t *)(void *)future->scope;
        g_depot.parked--;
        own->item[own->n++] = future;
    }
}

static void cut_new(brood__magazine_t *own)
{
    char *from;

    if (g_depot.left < sizeof(brood_future_t)) {
        size_t size = g_depot.grow ? g_depot.grow : CHUNK_FIRST;
        chunk_t *chunk = brood__os_pages(size, size > CHUNK_FIRST);

        if (!chunk)
            return;
        chunk->size = size;
        chunk->next = g_depot.chunks;
        g_depot.chunks = chunk;
        g_depot.cut = (char *)chunk + sizeof(brood_future_t);
        g_depot.left = size - sizeof(brood_future_t);
        g_depot.grow = size < CHUNK_LAST ? size * 4 : size;
    }
    /* Reversed, so that they are handed out in the order of their addresses. */
    own->n = (unsigned)(g_depot.left / sizeof(brood_future_t));
    if (own->n > BROOD__MAGAZINE)
        own->n = BROOD__MAGAZINE;
    from = g_depot.cut;
    for (unsigned i = own->n; i-- > 0; from += sizeof(brood_future_t))
        own->item[i] = (brood_future_t *)(void *)from;
    g_depot.left -= own->n * sizeof(brood_future_t);
    g_depot.made += own->n;
    g_depot.cut = from;
}
