/* SPDX-License-Identifier: Apache-2.0 */

/* false_circle.c: tasks that wait for each other's elders in ever new ways, with
 * cancels in between: never a circle, so never BROOD_EDEADLK. */

#include "task/tools.h"

#define TASKS 60
#define WIDE  8

typedef struct net_t net_t;

typedef struct node_t {
    net_t *net;
    int at;
} node_t;

struct net_t {
    unsigned seed;
    brood_future_t *future[TASKS];
    node_t node[TASKS];
    door_t go;
    atomic_int refused;
};

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

/* Waits for some that were made before it. */
static apr_status_t waits_for_elders(void *baton, void **result)
{
    node_t *node = baton;
    net_t *net = node->net;
    unsigned seed = net->seed + (unsigned)node->at * 7919u;
    int i;

    (void)result;
    if (node->at < WIDE)
        door_wait(&net->go);
    for (i = 0; i < 4 && node->at; i++) {
        int on = (int)(next_random(&seed) % (unsigned)node->at);

        if (brood_future_wait(net->future[on], -1) == BROOD_EDEADLK)
            brood__add(&net->refused, 1, relaxed);
    }
    return APR_SUCCESS;
}

static void *cancels(void *baton)
{
    net_t *net = baton;
    unsigned seed = net->seed;
    int i;

    for (i = 0; i < TASKS / 4; i++)
        (void)brood_future_cancel(net->future[next_random(&seed) % TASKS]);
    return NULL;
}

static void nobody_is_refused_without_a_circle(void)
{
    brood_thread_manager_t *wide = start("wide", WIDE, 2 * TASKS);
    unsigned rounds = test_rounds(100);

    while (rounds-- > 0) {
        net_t net = { .seed = rounds };
        pthread_t canceler;
        int i;

        door_init(&net.go);
        for (i = 0; i < TASKS; i++) {
            net.node[i].net = &net;
            net.node[i].at = i;
            /* The first ones wait until all are there. */
            net.future[i] = submit(wide, waits_for_elders, &net.node[i], NULL);
        }
        pthread_create(&canceler, NULL, cancels, &net);
        door_open(&net.go);
        pthread_join(canceler, NULL);
        for (i = 0; i < TASKS; i++) {
            ASSERT_STATUS(APR_SUCCESS, brood_future_wait(net.future[i], -1));
            (void)brood_future_result(net.future[i], NULL);
        }
        CU_ASSERT_EQUAL(brood__load(&net.refused, relaxed), 0);
        for (i = 0; i < TASKS; i++)
            brood_future_release(net.future[i]);
        ASSERT_STATUS(APR_SUCCESS, brood_thread_manager_wait_idle(wide, -1));
        door_fini(&net.go);
    }
    stop(wide);
}

static const test_t tests[] = {
    TEST_KEEPS(nobody_is_refused_without_a_circle, KEEPS_MEMORY),
};

HARNESS_MAIN_WARM("false circle", tests, warm_up)
