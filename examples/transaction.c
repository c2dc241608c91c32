/* SPDX-License-Identifier: Apache-2.0 */

/*
 * transaction.c: every call of a transaction on the thread that began it.
 *
 * prints:
 *   begin
 *   three calls, all on the transaction's thread
 *   commit
 *   begin
 *   a joined part fails
 *   roll back
 *   end: The transaction was doomed by a part of it and was rolled back
 */

#include "example.h"

/* Stands for a database connection: each thread of the pool has its own. */
static _Thread_local int tl_open;

static apr_status_t begin(void *baton)
{
    (void)baton;
    puts("begin");
    tl_open = 1;
    return APR_SUCCESS;
}

static apr_status_t end(void *baton, apr_status_t outcome)
{
    (void)baton;
    puts(outcome == APR_SUCCESS ? "commit" : "roll back");
    tl_open = 0;
    return APR_SUCCESS;
}

/* A blocking call, written without a thought about threads. */
static apr_status_t statement(void *baton, void **result)
{
    (void)result;
    *(int *)baton += tl_open;
    return APR_SUCCESS;
}

int main(void)
{
    brood_transaction_options_t options = BROOD_TRANSACTION_OPTIONS_INIT;
    brood_transaction_t *transaction, *part;
    brood_future_t *futures[3];
    int counts[3] = { 0, 0, 0 };
    int i;

    must(brood_initialize());
    options.on_begin = begin;
    options.on_end = end;

    must(brood_transaction_begin(&transaction, &options));
    for (i = 0; i < 3; i++)
        must(brood_sync_to_async(&futures[i], statement, &counts[i], NULL));
    must(brood_future_wait_all(futures, 3, -1));
    for (i = 0; i < 3; i++)
        brood_future_release(futures[i]);
    if (counts[0] + counts[1] + counts[2] == 3)
        puts("three calls, all on the transaction's thread");
    must(brood_transaction_end(transaction, APR_SUCCESS));

    must(brood_transaction_begin(&transaction, &options));
    must(brood_transaction_begin(&part, NULL)); /* joins */
    puts("a joined part fails");
    must(brood_transaction_end(part, APR_EGENERAL));
    printf("end: %s\n", say(brood_transaction_end(transaction, APR_SUCCESS)));
    brood_terminate();
    return 0;
}
