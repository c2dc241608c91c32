/* SPDX-License-Identifier: Apache-2.0 */

/* magazine.c: the depots behind the threads' magazines. */

#include "task/magazine.h"

#include "base/alloc.h"
#include "lineage/life.h"
#include "os/lock.h"

#define CHUNK_FIRST ((size_t)4096)
#define CHUNK_LAST  ((size_t)262144)

/* At the start of each chunk; as large as an item, so that all are aligned. */
typedef struct chunk_t {
    struct chunk_t *next;
    size_t size;
} chunk_t;

typedef struct depot_t {
    const size_t size;    /* of an item: a multiple of a line */
    const size_t link_at; /* the pointer in an item that links `loose` */
    brood__magazine_t *full;
    brood__magazine_t *empty;
    void *loose; /* freed when no magazine was to be had */
    chunk_t *chunks;
    char *cut; /* what is left of the newest chunk */
    size_t left;
    size_t grow;   /* size of the next chunk */
    size_t made;   /* items ever cut */
    size_t parked; /* of them in `full` and `loose` */
} depot_t;

static brood__lock_t g_lock = BROOD__LOCK_INIT(BROOD__RANK_DEPOT);
static depot_t g_depots[BROOD__MAGAZINES] = {
    /* what is not const: under it */
    /* Late looks read the state of a future that is free. */
    [BROOD__FUTURES] = { .size = sizeof(brood_future_t),
                         .link_at = offsetof(brood_future_t, scope) },
    [BROOD__EXTRAS] = { .size = sizeof(brood__extra_t) },
    [BROOD__LINES] = { .size = BROOD__LINE },
};

static brood__magazine_t *own_magazine(unsigned kind);
static void **link_of(const depot_t *depot, void *item);
static void park_loose(depot_t *depot, void *item) BROOD__REQUIRES(g_lock);
static void swap_full(depot_t *depot, brood__magazine_t **own)
    BROOD__REQUIRES(g_lock);
static void take_loose(depot_t *depot, brood__magazine_t *own)
    BROOD__REQUIRES(g_lock);
static void cut_new(depot_t *depot, brood__magazine_t *own)
    BROOD__REQUIRES(g_lock);

int brood__magazine_refill(unsigned kind)
{
    depot_t *depot = &g_depots[kind];
    brood__magazine_t *own;

    if (brood__life_forked())
        return 0; /* the depot may be locked for ever */
    own = own_magazine(kind);
    if (!own)
        return 0;
    brood__lock(&g_lock);
    if (depot->full)
        swap_full(depot, &own);
    else if (depot->loose)
        take_loose(depot, own);
    else
        cut_new(depot, own);
    brood__unlock(&g_lock);
    brood__self.magazines[kind] = own;
    return own->n != 0;
}

void brood__magazine_flush(unsigned kind, void *item)
{
    depot_t *depot = &g_depots[kind];
    brood__magazine_t *own = brood__self.magazines[kind];
    brood__magazine_t *empty = NULL;

    if (brood__life_forked())
        return; /* the depot may be locked for ever */
    /* A thread that cannot be told of its end must keep nothing. */
    if (brood__self_watch() == APR_SUCCESS) {
        brood__lock(&g_lock);
        empty = depot->empty;
        if (empty)
            depot->empty = empty->next;
        brood__unlock(&g_lock);
        if (!empty)
            empty = brood__alloc(sizeof(*empty));
    }

    brood__lock(&g_lock);
    if (empty) {
        if (own) {
            own->next = depot->full;
            depot->full = own;
            depot->parked += own->n;
        }
        empty->n = 1;
        empty->item[0] = item;
        brood__self.magazines[kind] = empty;
    } else {
        park_loose(depot, item);
    }
    brood__unlock(&g_lock);
}

void brood__magazine_exit(brood__self_t *self)
{
    unsigned kind;

    brood__lock(&g_lock);
    for (kind = 0; kind < BROOD__MAGAZINES; kind++) {
        depot_t *depot = &g_depots[kind];
        brood__magazine_t *own = self->magazines[kind];

        self->magazines[kind] = NULL;
        if (own && own->n == BROOD__MAGAZINE) {
            own->next = depot->full;
            depot->full = own;
            depot->parked += own->n;
        } else if (own) {
            /* Kept as it is, each thread that ends would leave one behind. */
            while (own->n)
                park_loose(depot, own->item[--own->n]);
            own->next = depot->empty;
            depot->empty = own;
        }
    }
    brood__unlock(&g_lock);
}

static void end(depot_t *depot)
{
    brood__magazine_t *magazine;
    chunk_t *chunk;

    while ((magazine = depot->full)) {
        depot->full = magazine->next;
        brood__free(magazine);
    }
    while ((magazine = depot->empty)) {
        depot->empty = magazine->next;
        brood__free(magazine);
    }
    while ((chunk = depot->chunks)) {
        depot->chunks = chunk->next;
        brood__os_pages_free(chunk, chunk->size);
    }
    depot->loose = NULL;
    depot->cut = NULL;
    depot->left = depot->grow = depot->made = depot->parked = 0;
}

void brood__magazines_end(void)
{
    unsigned kind;

    for (kind = 0; kind < BROOD__MAGAZINES; kind++)
        end(&g_depots[kind]);
}

size_t brood__magazines_live(unsigned kind)
{
    size_t live;

    brood__lock(&g_lock);
    live = g_depots[kind].made - g_depots[kind].parked;
    brood__unlock(&g_lock);
    if (brood__self.magazines[kind])
        live -= brood__self.magazines[kind]->n;
    return live;
}

/* The calling thread's magazine, empty; NULL when memory ran out. */
static brood__magazine_t *own_magazine(unsigned kind)
{
    depot_t *depot = &g_depots[kind];
    brood__magazine_t *own = brood__self.magazines[kind];

    if (own)
        return own;
    if (brood__self_watch() != APR_SUCCESS)
        return NULL;
    brood__lock(&g_lock);
    own = depot->empty;
    if (own)
        depot->empty = own->next;
    brood__unlock(&g_lock);
    return own ? own : brood__alloc(sizeof(*own));
}

static void **link_of(const depot_t *depot, void *item)
{
    return (void **)(void *)((char *)item + depot->link_at);
}

static void park_loose(depot_t *depot, void *item)
{
    *link_of(depot, item) = depot->loose;
    depot->loose = item;
    depot->parked++;
}

static void swap_full(depot_t *depot, brood__magazine_t **own)
{
    brood__magazine_t *full = depot->full;

    depot->full = full->next;
    depot->parked -= full->n;
    (*own)->next = depot->empty;
    depot->empty = *own;
    *own = full;
}

static void take_loose(depot_t *depot, brood__magazine_t *own)
{
    void *item;

    while (own->n < BROOD__MAGAZINE && (item = depot->loose)) {
        depot->loose = *link_of(depot, item);
        depot->parked--;
        own->item[own->n++] = item;
    }
}

static void cut_new(depot_t *depot, brood__magazine_t *own)
{
    char *from;

    if (depot->left < depot->size) {
        size_t size = depot->grow ? depot->grow : CHUNK_FIRST;
        chunk_t *chunk = brood__os_pages(size, size > CHUNK_FIRST);

        if (!chunk)
            return;
        chunk->size = size;
        chunk->next = depot->chunks;
        depot->chunks = chunk;
        depot->cut = (char *)chunk + depot->size;
        depot->left = size - depot->size;
        depot->grow = size < CHUNK_LAST ? size * 4 : size;
    }
    /* Reversed, so that they are handed out in the order of their addresses. */
    own->n = (unsigned)(depot->left / depot->size);
    if (own->n > BROOD__MAGAZINE)
        own->n = BROOD__MAGAZINE;
    from = depot->cut;
    for (unsigned i = own->n; i-- > 0; from += depot->size)
        own->item[i] = from;
    depot->left -= own->n * depot->size;
    depot->made += own->n;
    depot->cut = from;
}
