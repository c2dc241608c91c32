/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PB_LIST_H
#define PB_LIST_H

/*
 * pb_list.h: the pool that every textbook has: a mutex, a condition, a linked
 * list, one malloc() per task. A peer by itself, and the pool of those loops
 * that have none.
 */

#include "pb.h"

typedef struct list_task {
    struct list_task *next;
    pb_task_fn *fn;
    void *baton;
} list_task;

static pthread_mutex_t g_list_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_list_wake = PTHREAD_COND_INITIALIZER;
static list_task *g_list_first, **g_list_end = &g_list_first;
static int g_list_idle;

static void *list_work(PB_UNUSED void *baton)
{
    pthread_mutex_lock(&g_list_lock);
    for (;;) {
        list_task *task;

        while (!(task = g_list_first)) {
            g_list_idle++;
            pthread_cond_wait(&g_list_wake, &g_list_lock);
            g_list_idle--;
        }
        g_list_first = task->next;
        if (!g_list_first)
            g_list_end = &g_list_first;
        pthread_mutex_unlock(&g_list_lock);
        task->fn(task->baton);
        free(task);
        pthread_mutex_lock(&g_list_lock);
    }
    return NULL;
}

static void list_start(int workers)
{
    pthread_t thread;

    while (workers-- > 0)
        PB_CHECK(!pthread_create(&thread, NULL, list_work, NULL));
}

static void list_submit(pb_task_fn *fn, void *baton)
{
    list_task *task = malloc(sizeof(*task));
    int wake;

    task->next = NULL;
    task->fn = fn;
    task->baton = baton;
    pthread_mutex_lock(&g_list_lock);
    *g_list_end = task;
    g_list_end = &task->next;
    wake = g_list_idle > 0;
    pthread_mutex_unlock(&g_list_lock);
    if (wake)
        pthread_cond_signal(&g_list_wake);
}

#endif /* PB_LIST_H */
