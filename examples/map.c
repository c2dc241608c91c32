/* SPDX-License-Identifier: Apache-2.0 */

/*
 * map.c: one function for every element of an array, on all CPUs.
 *
 * prints:
 *   78498 primes below a million
 *   an element that fails stops the rest: yes
 */

#include "example.h"

#define N 1000000

typedef struct {
    int number;
    int is_prime;
} element_t;

static element_t g_elements[N];

static apr_status_t test(void *baton, void **result)
{
    element_t *element = baton;
    int divisor;

    (void)result; /* NULL in a map: the result goes into the element */
    if (element->number < 0)
        return APR_EINVAL;
    element->is_prime = element->number > 1;
    for (divisor = 2; divisor * divisor <= element->number; divisor++)
        if (element->number % divisor == 0) {
            element->is_prime = 0;
            break;
        }
    return APR_SUCCESS;
}

int main(void)
{
    brood_thread_manager_t *manager;
    brood_future_t *future;
    int primes = 0;
    int i;

    for (i = 0; i < N; i++)
        g_elements[i].number = i;
    must(brood_initialize());
    must(brood_thread_manager_get(&manager, NULL, 0));
    must(brood_thread_manager_start(manager, NULL));

    must(brood_thread_manager_map(&future, manager, test, g_elements, N,
                                  sizeof(g_elements[0]), 0, NULL));
    must(brood_future_wait(future, -1));
    must(brood_future_result(future, NULL));
    brood_future_release(future);
    for (i = 0; i < N; i++)
        primes += g_elements[i].is_prime;
    printf("%d primes below a million\n", primes);

    g_elements[0].number = -1;
    must(brood_thread_manager_map(&future, manager, test, g_elements, N,
                                  sizeof(g_elements[0]), 0, NULL));
    printf("an element that fails stops the rest: %s\n",
           brood_future_get(future, NULL, -1) == APR_EINVAL ? "yes" : "no");
    brood_future_release(future);
    brood_terminate();
    return 0;
}
