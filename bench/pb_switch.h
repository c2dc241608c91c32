/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PB_SWITCH_H
#define PB_SWITCH_H

/*
 * pb_switch.h: the workload co.switch, and main(). The last include of a
 * program that defines
 *
 *   PEER                                its name
 *   void switch_start(void (*run)(void)): a second stack, on which run() begins
 *                                       at the first switch; it never returns
 *   void switch_to(void)                from the first stack to the second
 *   void switch_back(void)              from the second to the first
 */

#include "pb.h"

static uint64_t g_arrivals; /* on the second stack */

static void arrive_and_return(void)
{
    for (;;) {
        g_arrivals++;
        switch_back();
    }
}

static pb_span go_rounds(long n)
{
    const uint64_t before = g_arrivals;
    pb_span begin = pb_begin();
    long i;

    for (i = 0; i < n; i++)
        switch_to();
    begin = pb_end(begin);
    PB_CHECK(g_arrivals - before == (uint64_t)n);
    return begin;
}

int main(int argc, char **argv)
{
    const long n = pb_n(5000000);

    if (argc != 3 || !pb_is(argv[1], "co.switch") || atoi(argv[2]) != 1) {
        fprintf(stderr, "usage: %s co.switch 1\n", argv[0]);
        return 2;
    }
    switch_start(arrive_and_return);
    go_rounds(2000);
    pb_out_span("co.switch", 1, go_rounds(n), 2.0 * (double)n, "switch");
    return 0;
}

#endif /* PB_SWITCH_H */
