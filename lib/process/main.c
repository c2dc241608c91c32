/* SPDX-License-Identifier: Apache-2.0 */

/* main.c: the first line of main(), and what a process knows of itself. */

#include "process/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <brood/errors.h>

#include "os/process.h"

brood__table_t brood__table;
brood_process_id_t brood__chain[BROOD__WIRE_CHAIN];
size_t brood__n_chain;

static BROOD__NORETURN void wrong_table(const char *what, const char *name);

void brood_process_main(int argc, const char *const *argv,
                        const brood_process_entry_t *table)
{
    brood__table_set(table);
    if (argc < 2 || !argv || !argv[1])
        return;
    if (strcmp(argv[1], BROOD__WORKER_ARG) == 0)
        brood__process_worker();
    if (strcmp(argv[1], BROOD__SERVER_ARG) == 0)
        brood__process_server();
}

apr_size_t brood_process_lineage(brood_process_id_t *chain, apr_size_t max)
{
    brood_process_id_t root = { (uint64_t)brood__os_pid(), 0 };
    const brood_process_id_t *from = brood__n_chain ? brood__chain : &root;
    size_t n = brood__n_chain ? brood__n_chain : 1, i;

    for (i = 0; chain && i < n && i < max; i++)
        chain[i] = from[i];
    return n;
}

/* FNV-1a. */
uint64_t brood__name_hash(const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
    return hash ? hash : 1;
}

/* Before anything else in the process, so without brood's memory: what is made
 * here stays. Order does not matter to the hash of all. */
void brood__table_set(const brood_process_entry_t *table)
{
    static uint64_t hashes[1024];
    size_t i, j;

    brood__table.hash = 1;
    for (i = 0; table && table[i].name; i++) {
        if (i == sizeof(hashes) / sizeof(hashes[0]))
            wrong_table("more than 1024 functions, from", table[i].name);
        if (!table[i].fn)
            wrong_table("no function for", table[i].name);
        hashes[i] = brood__name_hash(table[i].name);
        for (j = 0; j < i; j++)
            if (hashes[j] == hashes[i])
                wrong_table("two functions that cannot be told apart:",
                            table[i].name);
        brood__table.hash += hashes[i] * UINT64_C(0x9e3779b97f4a7c15);
    }
    brood__table.entries = table;
    brood__table.hashes = hashes;
    brood__table.n = i;
}

brood_process_fn *brood__table_find(uint64_t hash)
{
    size_t i;

    for (i = 0; i < brood__table.n; i++)
        if (brood__table.hashes[i] == hash)
            return brood__table.entries[i].fn;
    return NULL;
}

void brood__process_give_up(const char *who, int code, const char *what,
                            apr_status_t why)
{
    char text[120];

    fprintf(stderr, "brood: %s %lld: %s: %s (%d)\n", who,
            (long long)brood__os_pid(), what,
            brood_strerror(why, text, sizeof(text)), (int)why);
    fflush(stderr);
    brood__os_worker_exit(code);
}

static void wrong_table(const char *what, const char *name)
{
    fprintf(stderr, "brood_process_main: %s '%s'\n", what, name);
    exit(EXIT_FAILURE);
}
