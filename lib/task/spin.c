/* SPDX-License-Identifier: Apache-2.0 */

/* spin.c: polling before sleeping. */

#include "task/spin.h"

#include "os/os.h"

#define SPIN_NS  25000 /* a wake-up on a virtual machine: 20 to 45 us */
#define PER_LOOK 64    /* polls between two looks at the clock */
#define PATIENT  16    /* most that successes can earn */
#define RESTS    8     /* waits that are not polled after patience ran out */

atomic_int brood__busy;
int64_t brood__spin_ns = SPIN_NS;
int brood__cpus = 1;

static BROOD__THREAD_LOCAL int tl_patience = PATIENT / 2;

void brood__spin_init(void)
{
    brood__cpus = (int)brood__os_cpus();
}

int brood__spin(int (*done)(void *baton), void *baton)
{
    int64_t end = 0;
    int found = 0;

    if (brood__cpus < 2 || brood__load(&brood__busy, relaxed) >= brood__cpus)
        return 0;
    if (tl_patience <= 0) {
        if (++tl_patience <= 0)
            return 0;
        tl_patience = PATIENT / 4;
    }

    brood__add(&brood__busy, 1, relaxed);
    while (!found) {
        for (int i = 0; i < PER_LOOK && !(found = done(baton)); i++)
            brood__pause();
        if (!found) {
            int64_t now = brood__os_now();

            if (!end)
                end = now + brood__spin_ns;
            else if (now > end)
                break;
        }
    }
    brood__sub(&brood__busy, 1, relaxed);

    if (found)
        tl_patience += tl_patience < PATIENT;
    else if ((tl_patience -= 2) <= 0)
        tl_patience = -RESTS;
    return found;
}
