/* SPDX-License-Identifier: Apache-2.0 */

/* line.c: two threads, each on a CPU of its own, that answer each other. */

#include "line.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "machine.h"

enum {
    PARTS = 4, /* the best of them counts: somebody may need a CPU meanwhile */
    ROUNDS = 1000
};

static struct {
    _Alignas(128) atomic_int n;
} g_ping, g_pong;

static double g_least;

static void await(atomic_int *word, int n)
{
    int looks = 0;

    while (atomic_load_explicit(word, memory_order_acquire) != n)
        if (++looks % 4096 == 0)
            sched_yield();
}

static void *answer(void *unused)
{
    int i;

    (void)unused;
    for (i = 1; i <= PARTS * ROUNDS; i++) {
        await(&g_ping.n, i);
        atomic_store_explicit(&g_pong.n, i, memory_order_release);
    }
    return NULL;
}

/* The n-th of `all` alone. */
static cpu_set_t only(const cpu_set_t *all, int n)
{
    cpu_set_t set;
    size_t cpu;

    for (cpu = 0; !CPU_ISSET(cpu, all) || n-- > 0; cpu++)
        ;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return set;
}

/* The thread that answers, on the second CPU. */
static pthread_t start_other(const cpu_set_t *all)
{
    const cpu_set_t second = only(all, 1);
    pthread_attr_t attributes;
    pthread_t other;

    if (pthread_attr_init(&attributes) != 0
        || pthread_attr_setaffinity_np(&attributes, sizeof(second), &second)
               != 0
        || pthread_create(&other, &attributes, answer, NULL) != 0) {
        perror("bench");
        exit(1);
    }
    pthread_attr_destroy(&attributes);
    return other;
}

static double best_part(void)
{
    double best = 0;
    int part, i;

    for (part = 0; part < PARTS; part++) {
        const double begin = machine_now();
        double ns;

        for (i = part * ROUNDS + 1; i <= (part + 1) * ROUNDS; i++) {
            atomic_store_explicit(&g_ping.n, i, memory_order_release);
            await(&g_pong.n, i);
        }
        ns = (machine_now() - begin) * 1e9 / ROUNDS;
        if (part == 0 || ns < best)
            best = ns;
    }
    return best;
}

double line_measure(void)
{
    cpu_set_t all, first;
    pthread_t other;
    double ns;

    if (sched_getaffinity(0, sizeof(all), &all) != 0 || CPU_COUNT(&all) < 2)
        return 0;
    first = only(&all, 0);
    atomic_store(&g_ping.n, 0);
    atomic_store(&g_pong.n, 0);
    sched_setaffinity(0, sizeof(first), &first);
    other = start_other(&all);
    ns = best_part();
    pthread_join(other, NULL);
    sched_setaffinity(0, sizeof(all), &all);
    if (g_least == 0 || ns < g_least)
        g_least = ns;
    return ns;
}

int line_is_far(double ns)
{
    return ns > 4 * g_least;
}
