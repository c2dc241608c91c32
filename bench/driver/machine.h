/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stdio.h>

/* machine.h: who else uses the CPUs, and which machine it is. */

/* Seconds since some moment. */
double machine_now(void);

/* CPU seconds that all processes took, and the hypervisor gave to others. */
double machine_busy(void);

/* CPU seconds that this process and its ended children took. */
double machine_own(void);

void machine_sleep(double seconds);

/* Wait until nobody uses a CPU, at most this long. */
void machine_wait_quiet(double seconds);

/* One line, for people. */
void machine_describe(FILE *out);

#endif /* BENCH_MACHINE_H */
