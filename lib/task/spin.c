/* SPDX-License-Identifier: Apache-2.0 */

/* spin.c: polling before sleeping. */

#include "task/spin.h"

#include "os/os.h"

#define FIRST_NS     50000 /* until a wake-up was seen: a virtual machine's */
#define LEAST_NS     5000
#define MOST_NS      80000 /* who took longer had to wait for a CPU too */
#define UP           4
#define DOWN         32
#define MOMENT       48 /* ns, about, between two polls */
#define PAUSES       64 /* most that are a moment */
#define LEAST_SAMPLE (MOMENT * BROOD__SPIN_SAMPLE / PAUSES)
#define REST_MAX     8  /* moments between two polls of who follows a stream */
#define RESULT       2  /* moments that a result pays for */
#define PER_LOOK     24 /* moments between two looks at the clock */
#define PATIENT      16 /* most that successes can earn */
#define SKIPS        8  /* waits that are not polled after patience ran out */
#define MORE_MAX     64 /* ... and after those that are polled then, in vain */

brood__busy_t brood__busy;
atomic_llong brood__spin_ns = FIRST_NS;
int brood__cpus = 1;

BROOD__THREAD_LOCAL unsigned brood__spin_needless;
static BROOD__THREAD_LOCAL int tl_patience = PATIENT / 2;
static BROOD__THREAD_LOCAL int tl_skips = SKIPS;
static BROOD__THREAD_LOCAL unsigned tl_rest = 1; /* moments */
/* Written once, at initialization. */
static unsigned g_pauses = 1;              /* of a moment */
static int64_t g_sample_ns = LEAST_SAMPLE; /* of BROOD__SPIN_SAMPLE pauses */

/* What BROOD__SPIN_SAMPLE pauses take, ns. */
static int64_t measure_pauses(void)
{
    int64_t least = INT64_MAX;

    for (int i = 0; i < 3; i++) { /* somebody else may have had the CPU */
        const int64_t begun = brood__os_now();
        int64_t ns;

        for (int n = 0; n < BROOD__SPIN_SAMPLE; n++)
            brood__pause();
        ns = brood__os_now() - begun;
        if (ns < least)
            least = ns;
    }
    return least > LEAST_SAMPLE ? least : LEAST_SAMPLE;
}

void brood__spin_init(void)
{
    brood__cpus = (int)brood__os_cpus();
    g_sample_ns = measure_pauses();
    g_pauses = brood__spin_pauses(g_sample_ns);
}

unsigned brood__spin_pauses(int64_t ns)
{
    const int64_t all = MOMENT * BROOD__SPIN_SAMPLE;

    if (ns <= all / PAUSES)
        return PAUSES;
    return ns >= all ? 1 : (unsigned)((all + ns / 2) / ns);
}

/* An average that rises quickly and falls slowly stays where few wake-ups take
 * longer. Of two threads that learn at once one may be ignored. */
void brood__spin_learn(int64_t ns)
{
    int64_t known = brood__spin_limit();

    if (ns > MOST_NS || brood__load(&brood__busy.n, relaxed) > brood__cpus)
        return;
    ns += ns / 2; /* about what the waker's call takes */
    if (ns < LEAST_NS)
        ns = LEAST_NS;
    known += ns > known ? (ns - known) / UP : (ns - known) / DOWN;
    brood__store(&brood__spin_ns, known, relaxed);
}

static void pause_for(unsigned pauses)
{
    while (pauses-- > 0)
        brood__pause();
}

void brood__spin_wait(int64_t ns)
{
    pause_for((unsigned)(ns * BROOD__SPIN_SAMPLE / g_sample_ns));
}

/* Each look takes the line away from whoever is about to write it. */
static int look_after_rest(int (*done)(void *baton), void *baton)
{
    pause_for(tl_rest * g_pauses);
    return done(baton);
}

/*
 * Who takes results that come one after the other, and looks for each as soon
 * as it can, slows those down that make them. So after a first look that found
 * one, longer rests are tried, and kept as long as so many results lie there
 * after each that nothing is lost by them. One or two do not pay for a long one:
 * who waits for a task and then gets its value finds one each time. `looks`: how
 * many this one took.
 */
static void learn_rest(int looks)
{
    if (tl_rest > 1 && brood__spin_needless < tl_rest / RESULT)
        tl_rest = 1;
    else if (looks == 1 && tl_rest < REST_MAX)
        tl_rest *= 2;
    brood__spin_needless = 0;
}

static int poll_for(int64_t limit, int (*done)(void *baton), void *baton)
{
    int64_t end = 0;
    int found = 0, looks = 0;

    /* Counted only when it takes longer than a handshake: counting moves a line
     * that every searcher reads. */
    while (!found) {
        for (unsigned i = 0; i < PER_LOOK && !found; i += tl_rest, looks++)
            found = look_after_rest(done, baton);
        if (!found) {
            int64_t now = brood__os_now();

            if (!end) {
                end = now + limit;
                brood__add(&brood__busy.n, 1, relaxed);
            } else if (now > end) {
                break;
            }
        }
    }
    if (end)
        brood__sub(&brood__busy.n, 1, relaxed);

    if (found)
        learn_rest(looks);
    return found;
}

/*
 * Patience ran out some waits ago: does polling pay by now? Two threads that both
 * sleep may have come to share a CPU. There wake-ups are cheap, so little would be
 * polled for, and in vain, since who polls keeps the other one from running; the
 * kernel takes them apart when it sees that. So this takes longer, and the longer
 * it is in vain the less often it is tried.
 */
static int try_again(int (*done)(void *baton), void *baton)
{
    const int64_t limit = brood__spin_limit();

    if (poll_for(limit > FIRST_NS ? limit : FIRST_NS, done, baton)) {
        tl_patience = PATIENT / 4;
        tl_skips = SKIPS;
        return 1;
    }
    if (tl_skips < MORE_MAX)
        tl_skips *= 2;
    tl_patience = -tl_skips;
    return 0;
}

int brood__spin(int (*done)(void *baton), void *baton)
{
    if (brood__cpus < 2 || brood__load(&brood__busy.n, relaxed) >= brood__cpus)
        return 0;
    if (tl_patience <= 0)
        return ++tl_patience > 0 && try_again(done, baton);
    if (poll_for(brood__spin_limit(), done, baton)) {
        tl_patience += tl_patience < PATIENT;
        return 1;
    }
    tl_patience -= 2;
    if (tl_patience <= 0)
        tl_patience = -tl_skips;
    return 0;
}
