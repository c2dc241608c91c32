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

/*
 * A free item in the depot. The first ROW items of a full magazine are the index of
 * the load that it becomes: slot[j] of the i-th is the address of item ROW * i + j.
 * Item 0 needs no entry for itself; its slot[0] links to the next load. Single
 * items use slot[0] only.
 */
typedef struct free_t {
    uint64_t seen; /* not ours: late looks read the state of a free future */
    void *slot[BROOD__MAGAZINE_ROW];
} free_t;

_Static_assert(sizeof(free_t) <= sizeof(brood_future_t), "of the least item");
_Static_assert(offsetof(brood_future_t, state) + sizeof(atomic_uint)
                   <= offsetof(free_t, slot),
               "the state stays as it is");

typedef struct depot_t {
    const size_t size; /* of an item: a multiple of a line */
    free_t *loads;
    free_t *loose; /* what a thread left that ended, or had no magazine */
    brood__magazine_t *empty; /* of threads that ended */
    chunk_t *chunks;
    char *cut; /* what is left of the newest chunk */
    size_t left;
    size_t grow;   /* size of the next chunk */
    size_t made;   /* items ever cut */
    size_t parked; /* of them in `loads` and `loose` */
} depot_t;

static brood__lock_t g_lock = BROOD__LOCK_INIT(BROOD__RANK_DEPOT);
static depot_t g_depots[BROOD__MAGAZINES] = {
    /* what is not const: under it */
    [BROOD__FUTURES] = { .size = sizeof(brood_future_t) },
    [BROOD__EXTRAS] = { .size = sizeof(brood__extra_t) },
    [BROOD__LINES] = { .size = BROOD__LINE },
};

static brood__magazine_t *own_magazine(unsigned kind);
static void put_away(depot_t *depot, brood__magazine_t *own);
static void unpack(free_t *load, brood__magazine_t *own);
static free_t *unpark(depot_t *depot) BROOD__REQUIRES(g_lock);
static void park_loose(depot_t *depot, void *item) BROOD__REQUIRES(g_lock);
static void take_loose(depot_t *depot, brood__magazine_t *own)
    BROOD__REQUIRES(g_lock);
static void cut_new(depot_t *depot, brood__magazine_t *own)
    BROOD__REQUIRES(g_lock);

int brood__magazine_refill(unsigned kind)
{
    depot_t *depot = &g_depots[kind];
    brood__magazine_t *own;
    free_t *load;

    if (brood__life_forked())
        return 0; /* the depot may be locked for ever */
    own = own_magazine(kind);
    if (!own)
        return 0;
    brood__lock(&g_lock);
    load = unpark(depot);
    if (!load && depot->loose)
        take_loose(depot, own);
    else if (!load)
        cut_new(depot, own);
    brood__unlock(&g_lock);
    if (load)
        unpack(load, own);
    return own->n != 0;
}

void brood__magazine_flush(unsigned kind, void *item)
{
    depot_t *depot = &g_depots[kind];
    brood__magazine_t *own;

    if (brood__life_forked())
        return; /* the depot may be locked for ever */
    own = own_magazine(kind);
    if (own) {
        if (own->n == BROOD__MAGAZINE)
            put_away(depot, own);
        own->item[own->n++] = item;
    } else {
        brood__lock(&g_lock);
        park_loose(depot, item);
        brood__unlock(&g_lock);
    }
}

void brood__magazine_exit(brood__self_t *self)
{
    unsigned kind;

    for (kind = 0; kind < BROOD__MAGAZINES; kind++) {
        depot_t *depot = &g_depots[kind];
        brood__magazine_t *own = self->magazines[kind];

        self->magazines[kind] = NULL;
        if (!own)
            continue;
        if (own->n == BROOD__MAGAZINE)
            put_away(depot, own);
        brood__lock(&g_lock);
        while (own->n)
            park_loose(depot, own->item[--own->n]);
        own->next = depot->empty;
        depot->empty = own;
        brood__unlock(&g_lock);
    }
}

static void end(depot_t *depot)
{
    brood__magazine_t *magazine;
    chunk_t *chunk;

    while ((magazine = depot->empty)) {
        depot->empty = magazine->next;
        brood__free(magazine);
    }
    while ((chunk = depot->chunks)) {
        depot->chunks = chunk->next;
        brood__os_pages_free(chunk, chunk->size);
    }
    depot->loads = depot->loose = NULL;
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

/* The calling thread's; NULL when memory ran out, or when it cannot be told of
 * its end: then it must keep nothing. */
static brood__magazine_t *own_magazine(unsigned kind)
{
    depot_t *depot = &g_depots[kind];
    brood__magazine_t *own = brood__self.magazines[kind];

    if (own || brood__self_watch() != APR_SUCCESS)
        return own;
    brood__lock(&g_lock);
    own = depot->empty;
    if (own)
        depot->empty = own->next;
    brood__unlock(&g_lock);
    if (!own)
        own = brood__alloc(sizeof(*own));
    brood__self.magazines[kind] = own;
    return own;
}

/* `own` is full, and is empty afterwards. */
static void put_away(depot_t *depot, brood__magazine_t *own)
{
    free_t *load = own->item[0];
    unsigned i, j;

    for (i = 0; i < BROOD__MAGAZINE_ROW; i++) {
        free_t *row = own->item[i];

        for (j = i ? 0 : 1; j < BROOD__MAGAZINE_ROW; j++)
            row->slot[j] = own->item[BROOD__MAGAZINE_ROW * i + j];
    }
    own->n = 0;
    brood__lock(&g_lock);
    load->slot[0] = depot->loads;
    depot->loads = load;
    depot->parked += BROOD__MAGAZINE;
    brood__unlock(&g_lock);
}

static void unpack(free_t *load, brood__magazine_t *own)
{
    unsigned i, j;

    own->item[0] = load;
    for (i = 0; i < BROOD__MAGAZINE_ROW; i++) {
        const free_t *row = own->item[i];

        for (j = i ? 0 : 1; j < BROOD__MAGAZINE_ROW; j++)
            own->item[BROOD__MAGAZINE_ROW * i + j] = row->slot[j];
    }
    own->n = BROOD__MAGAZINE;
}

/* Who takes one mostly takes the next one soon: its index is prefetched, and the
 * first item of the load after that. */
static free_t *unpark(depot_t *depot)
{
    free_t *load = depot->loads, *next;
    unsigned i;

    if (!load)
        return NULL;
    next = load->slot[0];
    for (i = 0; next && i < BROOD__MAGAZINE_ROW; i++)
        BROOD__PREFETCH_WRITE(next->slot[i]);
    depot->loads = next;
    depot->parked -= BROOD__MAGAZINE;
    return load;
}

static void park_loose(depot_t *depot, void *item)
{
    free_t *loose = item;

    loose->slot[0] = depot->loose;
    depot->loose = loose;
    depot->parked++;
}

static void take_loose(depot_t *depot, brood__magazine_t *own)
{
    free_t *item;

    while (own->n < BROOD__MAGAZINE && (item = depot->loose)) {
        depot->loose = item->slot[0];
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
