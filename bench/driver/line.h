/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_LINE_H
#define BENCH_LINE_H

/* line.h: how far apart the CPUs are. A hypervisor moves those of a virtual
 * machine: what was 90 ns from cache to cache is 500 for some seconds, and
 * whatever hands work from thread to thread takes three times as long. Nothing in
 * the machine tells that but a try. */

/* Nanoseconds that a cache line takes from one CPU to another and back, measured
 * within 2 ms; 0 where there is one CPU only. */
double line_measure(void);

/* True: more than four times the least that was ever measured. */
int line_is_far(double ns);

#endif /* BENCH_LINE_H */
