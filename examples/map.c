/* SPDX-License-Identifier: Apache-2.0 */

/*
 * map.c: one function for every element of an array, on all CPUs, and how far
 * it has got.
 *
 * prints:
 *   25 %
 *   50 %
 *   75 %
 *   100 %
 *   78498 primes below a million
 */

#include <stdatomic.h>

#include "example.h"

#define N 1000000

typedef struct {
    int number;
    int is_prime;
} element_t;

static element_t g_elements[N];
static atomic_int g_done;
static brood_promise_t *g_quarters[4]; /* settled when they are done */

static apr_status_t test(void *baton, void **result)
{
    element_t *element = baton;
    int divisor, done;

    (void)result; /* in a map the results go into the elements */
    element->is_prime = element->number > 1;
    for (divisor = 2; divisor * divisor <= element->number; divisor++)
        if (element->number % divisor == 0) {
            element->is_prime = 0;
            break;
        }
    done = atomic_fetch_add(&g_done, 1) + 1;
    if (done % (N / 4) == 0)
        must(brood_promise_settle(g_quarters[done / (N / 4) - 1], APR_SUCCESS,
                                  NULL));
    return APR_SUCCESS; /* any other status would stop the rest */
}

int main(void)
{
    brood_thread_manager_t *manager;
    brood_future_t *all, *quarters[4];
    int i, primes = 0;

    for (i = 0; i < N; i++)
        g_elements[i].number = i;
    must(brood_initialize());
    must(brood_thread_manager_get(&manager, NULL, 0));
    must(brood_thread_manager_start(manager, NULL));
    for (i = 0; i < 4; i++)
        must(brood_promise_make(&g_quarters[i], &quarters[i], NULL));

    must(brood_thread_manager_map(&all, manager, test, g_elements, N,
                                  sizeof(g_elements[0]), 0, NULL));
    for (i = 0; i < 4; i++) {
        must(brood_future_wait(quarters[i], -1));
        printf("%d %%\n", 25 * (i + 1));
        brood_future_release(quarters[i]);
    }
    must(brood_future_get(all, NULL, -1));
    brood_future_release(all);
    for (i = 0; i < N; i++)
        primes += g_elements[i].is_prime;
    printf("%d primes below a million\n", primes);
    brood_terminate();
    return 0;
}
