#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CPython's pools of processes in the workloads of pb_process.h.

usage: p_python KIND WORKLOAD WORKERS

KIND is ProcessPoolExecutor or Pool, a dash, and a start method. Fewer tasks
than the others do, since each takes so much longer; figures are per task.
"""

import concurrent.futures
import multiprocessing
import os
import resource
import sys
import time

SCALE = max(1, int(os.environ.get("PB_SCALE", "1")))
CAP_NS = int(os.environ.get("PB_CAP_MS", "250")) * 1_000_000
BIG = 1024 * 1024
now = time.perf_counter_ns


def scaled(n, least=1):
    return max(least, n // SCALE)


def out(row, figure, unit):
    print(f"{row}\tpy-{KIND}\t{WORKERS}\t{figure:.6g}\t{unit}", flush=True)


def nothing():
    return None


def echo(data):
    return data


class Executor:
    """submit() gives what has a result()."""

    def __init__(self, method):
        context = multiprocessing.get_context(method)
        self.pool = concurrent.futures.ProcessPoolExecutor(
            WORKERS, mp_context=context)
        self.submit = self.pool.submit

    def stop(self):
        self.pool.shutdown()


class Pool:
    def __init__(self, method):
        self.pool = multiprocessing.get_context(method).Pool(WORKERS)

    def submit(self, function, *arguments):
        call = self.pool.apply_async(function, arguments)
        call.result = call.get
        return call

    def stop(self):
        self.pool.close()
        self.pool.join()


def make_pool():
    kind, method = KIND.rsplit("-", 1)
    return {"ProcessPoolExecutor": Executor, "Pool": Pool}[kind](method)


def cpu_ns(who):
    usage = resource.getrusage(who)
    return int((usage.ru_utime + usage.ru_stime) * 1e9)


class Stretch:
    """CPU time as pb_process.h counts it: the workers' from their start."""

    def __init__(self):
        self.own = cpu_ns(resource.RUSAGE_SELF)

    def end(self, pool, row, n, per):
        own = cpu_ns(resource.RUSAGE_SELF) - self.own
        pool.stop()
        total = own + cpu_ns(resource.RUSAGE_CHILDREN)
        out(row + ".cpu", total / n, "cpu-ns/" + per)


def warm_up(pool):
    for call in [pool.submit(nothing) for _ in range(scaled(500, 20))]:
        call.result()


def run_p1(pool):
    warm_up(pool)
    stretch, begin, ns = Stretch(), now(), []
    while len(ns) < scaled(10_000) and not (
            len(ns) >= 500 and now() - begin > 4 * CAP_NS):
        t = now()
        pool.submit(nothing).result()
        ns.append(now() - t)
    ns.sort()
    out("P1", ns[len(ns) // 2], "ns")
    out("P1.p99", ns[len(ns) - 1 - len(ns) // 100], "ns")
    stretch.end(pool, "P1", len(ns), "round")


def run_p2(pool):
    n = scaled(50_000)
    warm_up(pool)
    stretch, t = Stretch(), now()
    for call in [pool.submit(nothing) for _ in range(n)]:
        call.result()
    out("P2", (now() - t) / n, "ns/task")
    stretch.end(pool, "P2", n, "task")


def run_p3(pool):
    data = bytes(range(256)) * (BIG // 256)
    n = scaled(300)
    warm_up(pool)
    stretch, t = Stretch(), now()
    for _ in range(n):
        if len(pool.submit(echo, data).result()) != BIG:
            raise SystemExit("no echo")
    out("P3", n * BIG / (now() - t), "GB/s")
    stretch.end(pool, "P3", n, "echo")


def start_often(row, most):
    ns = []
    for _ in range(scaled(most, 3)):
        t = now()
        pool = make_pool()
        for call in [pool.submit(nothing) for _ in range(WORKERS)]:
            call.result()
        ns.append(now() - t)
        pool.stop()
    ns.sort()
    out(row, ns[len(ns) // 2] / 1e6, "ms")


def main():
    if WORKLOAD == "P4":
        start_often("P4", 20)
    elif WORKLOAD == "P4.large":
        memory = bytearray(b"1") * (scaled(2048) << 20)
        start_often("P4.large", 10)
        del memory
    else:
        {"P1": run_p1, "P2": run_p2, "P3": run_p3}[WORKLOAD](make_pool())


# A worker that is started anew runs this file under another name.
if __name__ == "__main__":
    KIND, WORKLOAD, WORKERS = sys.argv[1], sys.argv[2], int(sys.argv[3])
    main()
