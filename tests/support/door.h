/* SPDX-License-Identifier: Apache-2.0 */

/*
 * door.h: what tests use instead of sleeping.
 *
 * A door starts closed, is opened once, and stays open. A turnstile counts who
 * passed it. Waiting has no time limit of its own: the test's limit ends it.
 */

#ifndef BROOD_TESTS_DOOR_H
#define BROOD_TESTS_DOOR_H

#include <pthread.h>

typedef struct turnstile_t {
    pthread_mutex_t lock; /* guards `passed` */
    pthread_cond_t moved;
    unsigned passed;
} turnstile_t;

void turnstile_init(turnstile_t *turnstile);
void turnstile_fini(turnstile_t *turnstile);

/* Pass, and wake who waits. */
void turnstile_pass(turnstile_t *turnstile);

/* Wait until at least `n` have passed. */
void turnstile_wait(turnstile_t *turnstile, unsigned n);
unsigned turnstile_passed(turnstile_t *turnstile);

typedef struct door_t {
    turnstile_t opened;
} door_t;

void door_init(door_t *door);
void door_fini(door_t *door);

/* Opening an open door is harmless. */
void door_open(door_t *door);
void door_wait(door_t *door);
int door_is_open(door_t *door);

#endif /* BROOD_TESTS_DOOR_H */
