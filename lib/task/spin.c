/* SPDX-License-Identifier: Apache-2.0 */

/* spin.c: polling before sleeping. */

#include "task/spin.h"

#include "os/os.h"

#define FIRST_NS 50000 /* until a wake-up was seen: a virtual machine's */
#define LEAST_NS 5000
#define MOST_NS  80000 /* who took longer had to wait for a CPU too */
#define UP       4
#define DOWN     32
#define PER_LOOK 64 /* polls between two looks at the clock */
#define PATIENT  16 /* most that successes can earn */
#define RESTS    8  /* waits that are not polled after patience ran out */

atomic_int brood__busy;
atomic_llong brood__spin_ns = FIRST_NS;
int brood__cpus = 1;

static BROOD__THREAD_LOCAL int tl_patience = PATIENT / 2;

void brood__spin_init(void)
{
    brood__cpus = (int)brood__os_cpus();
}

/* An average that rises quickly and falls slowly stays where few wake-ups take
 * longer. Of two threads that learn at once one may be ignored. */
void brood__spin_learn(int64_t ns)
{
    int64_t known = brood__spin_limit();

    if (ns > MOST_NS || brood__load(&brood__busy, relaxed) > brood__cpus)
        return;
    ns += ns / 2; /* about what the waker's call takes */
    if (ns < LEAST_NS)
        ns = LEAST_NS;
    known += ns > known ? (ns - known) / UP : (ns - known) / DOWN;
    brood__store(&brood__spin_ns, known, relaxed);
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
                end = now + brood__spin_limit();
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
