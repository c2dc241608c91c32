/* SPDX-License-Identifier: Apache-2.0 */

/*
 * wire.h: what lies in memory that two processes see.
 *
 *   block  field                 written by
 *   -----  --------------------  ------------------------------------------
 *   down   all                   the parent; the worker maps it read-only
 *   up     hello, asleep=1       the worker
 *          asleep=0              the parent, when it rings
 *          claim, OPEN           the parent once, then the worker, a lap ahead
 *          claim, OPEN to TAKEN  the worker  \ one compare-and-exchange
 *          claim, OPEN to RECALLED  the parent / wins
 *          the rest of a result  the worker
 *
 * The parent believes nothing in `up`: it copies a result and checks the copy.
 *
 * Memory order. (A) The parent fills a request and stores `ready` with release,
 * the worker loads it with acquire. (B) Results and `full`, the other way.
 * (C) ready, fence, load asleep / asleep, fence, load ready. (D) full, fence,
 * load need / need, fence, load full. In (C) and (D) the fences are seq_cst, so
 * one side sees the other's store. doc/internals/process.md has the argument.
 */

#ifndef BROOD_PROCESS_WIRE_H
#define BROOD_PROCESS_WIRE_H

#include <brood/process.h>

#include "base/atomic.h"

#define BROOD__WIRE_MAGIC          UINT64_C(0x62726f6f64303031)
#define BROOD__WIRE_ABI            1u
#define BROOD__WIRE_SLOTS          64u /* a power of two */
#define BROOD__WIRE_SLOT(position) ((position) & (BROOD__WIRE_SLOTS - 1))
#define BROOD__WIRE_INLINE         80u
#define BROOD__WIRE_ARENA          ((size_t)4 << 20)
#define BROOD__WIRE_LARGE          ((size_t)1 << 20) /* above: a block of its own */
#define BROOD__WIRE_CHAIN          16u
#define BROOD__WIRE_INIT           ((size_t)64 << 10) /* most an initializer gets */
#define BROOD__WIRE_ALIGN          64u

/* Where a payload or a result is. */
enum {
    BROOD__WIRE_NOTHING, /* a result only: the request was recalled */
    BROOD__WIRE_HERE,    /* in the slot */
    BROOD__WIRE_IN_ARENA,
    BROOD__WIRE_IN_BLOCK /* in a message of the second channel */
};

/* What a request asks for. */
enum { BROOD__WIRE_RUN, BROOD__WIRE_QUIT };

/* Of a claim; or-ed to the position, shifted by two. */
enum { BROOD__WIRE_OPEN = 1, BROOD__WIRE_TAKEN, BROOD__WIRE_RECALLED };

BROOD__INLINE unsigned long long brood__wire_claim(uint64_t position,
                                                   unsigned state)
{
    return (unsigned long long)position << 2 | state;
}

typedef struct brood__request_t {
    atomic_ullong ready; /* position + 1; (A) */
    uint64_t function;   /* hash of its name */
    uint64_t where;      /* in the arena */
    uint32_t size;       /* of context and payload */
    uint32_t context;    /* bytes of context, at its beginning; the payload
                             follows at a multiple of 16 */
    uint16_t what;       /* RUN or QUIT */
    uint16_t place;
    atomic_uint token; /* its end was asked for */
    uint32_t unused[2];
    unsigned char bytes[BROOD__WIRE_INLINE];
} brood__request_t;

typedef struct brood__response_t {
    atomic_ullong full;  /* position + 1; (B) */
    atomic_ullong claim; /* see above */
    uint64_t where;
    uint64_t run_time; /* ns */
    uint32_t size;
    int32_t status;
    uint16_t place;
    uint16_t unused[3];
    unsigned char bytes[BROOD__WIRE_INLINE];
} brood__response_t;

_Static_assert(sizeof(brood__request_t) == 128, "two cache lines");
_Static_assert(sizeof(brood__response_t) == 128, "two cache lines");

typedef struct brood__down_t {
    uint64_t magic;
    uint32_t abi;
    uint32_t n_chain;
    uint64_t size, up_size; /* of the blocks */
    uint64_t serial;
    uint64_t limit;       /* of a result */
    uint64_t initializer; /* hash; 0: none */
    uint64_t initializer_size;
    int64_t parent_pid; /* who must live: the parent, or the fork server */
    brood_process_id_t chain[BROOD__WIRE_CHAIN]; /* without the worker itself */
    char name[64];
    unsigned char initializer_data[BROOD__WIRE_INIT];
    BROOD__ALIGNED(BROOD__LINE) atomic_uint need;   /* odd: ring, once; (D) */
    atomic_uint spin;                               /* there are CPUs to poll */
    BROOD__ALIGNED(BROOD__LINE) atomic_ullong done; /* results that were read */
    BROOD__ALIGNED(BROOD__LINE) brood__request_t request[BROOD__WIRE_SLOTS];
    BROOD__ALIGNED(BROOD__LINE) unsigned char arena[BROOD__WIRE_ARENA];
} brood__down_t;

typedef struct brood__up_t {
    uint64_t magic;
    uint32_t abi;
    uint32_t sizes; /* of both structs, mixed */
    uint64_t hash;  /* of the function table */
    int64_t pid;
    atomic_uint hello;                              /* 1: the above is there */
    BROOD__ALIGNED(BROOD__LINE) atomic_uint asleep; /* (C) */
    BROOD__ALIGNED(BROOD__LINE) brood__response_t response[BROOD__WIRE_SLOTS];
    BROOD__ALIGNED(BROOD__LINE) unsigned char arena[BROOD__WIRE_ARENA];
} brood__up_t;

#define BROOD__WIRE_SIZES                                                      \
    (uint32_t)(sizeof(brood__down_t) * 31 + sizeof(brood__up_t))

/* Messages of the first channel, down. FETCHED: all blocks up to that of position
 * `where`, which were only lent; see brood__os_channel_lends(). */
enum { BROOD__WIRE_GO = 1, BROOD__WIRE_TOKEN, BROOD__WIRE_FETCHED };
/* Of the second, both ways: a block of `size` for position `where`. */
enum { BROOD__WIRE_BLOCK = 16 };
/* To and from a fork server. */
enum { BROOD__WIRE_FORK = 32, BROOD__WIRE_FORKED, BROOD__WIRE_EXIT };

/* What a worker is given, by index. */
enum {
    BROOD__HANDLE_DOWN,
    BROOD__HANDLE_UP,
    BROOD__HANDLE_BELL,
    BROOD__HANDLE_WATCH,  /* first channel: GO, tokens, lifeline */
    BROOD__HANDLE_BLOCKS, /* second channel */
    BROOD__HANDLE_DOORBELL,
    BROOD__HANDLES
};

/* An arena: a ring of bytes, used in order, freed in order. */
typedef struct brood__arena_t {
    uint64_t head, tail; /* count up for ever */
} brood__arena_t;

/* A place for `size` bytes, in one piece; (uint64_t)-1: no room. */
BROOD__INLINE uint64_t brood__arena_take(brood__arena_t *arena, uint64_t size)
{
    const uint64_t whole = BROOD__WIRE_ARENA;
    uint64_t head = arena->head;
    uint64_t place;

    size = (size + BROOD__WIRE_ALIGN - 1) & ~(uint64_t)(BROOD__WIRE_ALIGN - 1);
    if (head == arena->tail) /* empty: use warm memory again */
        arena->tail = head = (head + whole - 1) & ~(whole - 1);
    place = head & (whole - 1);
    if (size > whole - place) {
        head += whole - place;
        place = 0;
    }
    if (head + size - arena->tail > whole)
        return (uint64_t)-1;
    arena->head = head + size;
    return place;
}

/* Where a payload begins behind its context. */
BROOD__INLINE uint32_t brood__wire_pad(uint32_t context)
{
    return (context + 15) & ~15u;
}

/* The functions of this program, or module. */
typedef struct brood__table_t {
    const brood_process_entry_t *entries;
    uint64_t *hashes; /* as many */
    size_t n;
    uint64_t hash; /* of all names; 0: there is no table */
} brood__table_t;

extern brood__table_t brood__table;

/* Never 0. */
uint64_t brood__name_hash(const char *name);
brood_process_fn *brood__table_find(uint64_t hash); /* NULL: unknown */

/* What brood_process_main() gave, noted; ends the program when it is wrong. */
void brood__table_set(const brood_process_entry_t *table);

/* This process' own serial and chain, itself first; see
 * brood_process_lineage(). */
extern brood_process_id_t brood__chain[BROOD__WIRE_CHAIN];
extern size_t brood__n_chain;

/* In a worker: never return. */
BROOD__NORETURN void brood__process_worker(void);
BROOD__NORETURN void brood__process_server(void);

/* The codes that one of these exits with by itself. */
enum {
    BROOD__EXIT_NOT_OURS = 64, /* it was not started by brood */
    BROOD__EXIT_REFUSED = 70,  /* the system refuses something */
    BROOD__EXIT_INITIALIZER = 71
};

/* End at once, and say on standard error what could not be done, and why; `who`
 * is one of the two above. */
BROOD__NORETURN void brood__process_give_up(const char *who, int code,
                                            const char *what, apr_status_t why);

#define BROOD__WORKER_ARG "--brood-worker"
#define BROOD__SERVER_ARG "--brood-forkserver"

#endif /* BROOD_PROCESS_WIRE_H */
