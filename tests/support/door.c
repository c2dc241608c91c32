/* SPDX-License-Identifier: Apache-2.0 */

/* door.c: doors and turnstiles. */

#include "support/door.h"

void turnstile_init(turnstile_t *turnstile)
{
    pthread_mutex_init(&turnstile->lock, NULL);
    pthread_cond_init(&turnstile->moved, NULL);
    turnstile->passed = 0;
}

void turnstile_fini(turnstile_t *turnstile)
{
    pthread_cond_destroy(&turnstile->moved);
    pthread_mutex_destroy(&turnstile->lock);
}

void turnstile_pass(turnstile_t *turnstile)
{
    pthread_mutex_lock(&turnstile->lock);
    turnstile->passed++;
    /* Under the lock: a waiter may free the turnstile as soon as it is woken. */
    pthread_cond_broadcast(&turnstile->moved);
    pthread_mutex_unlock(&turnstile->lock);
}

void turnstile_wait(turnstile_t *turnstile, unsigned n)
{
    pthread_mutex_lock(&turnstile->lock);
    while (turnstile->passed < n)
        pthread_cond_wait(&turnstile->moved, &turnstile->lock);
    pthread_mutex_unlock(&turnstile->lock);
}

unsigned turnstile_passed(turnstile_t *turnstile)
{
    unsigned passed;

    pthread_mutex_lock(&turnstile->lock);
    passed = turnstile->passed;
    pthread_mutex_unlock(&turnstile->lock);
    return passed;
}

void door_init(door_t *door)
{
    turnstile_init(&door->opened);
}

void door_fini(door_t *door)
{
    turnstile_fini(&door->opened);
}

void door_open(door_t *door)
{
    turnstile_pass(&door->opened);
}

void door_wait(door_t *door)
{
    turnstile_wait(&door->opened, 1);
}

int door_is_open(door_t *door)
{
    return turnstile_passed(&door->opened) > 0;
}
