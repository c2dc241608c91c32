# SPDX-License-Identifier: Apache-2.0
"""Python in the S workloads of ../pb_loop.h: blocking calls from coroutines.

usage: py_bench.py NAME WORKLOAD THREADS, by the names of bench/driver/plan.c.
The plan gives them a tenth of N: each call takes tens of microseconds.
"""

import asyncio
import concurrent.futures
import functools
import itertools
import os
import sys
import time

WINDOW = 1000


def env(name, otherwise):
    text = os.environ.get(name, "")
    return int(text) if text.isdigit() and int(text) > 0 else otherwise


def scaled(n):
    return max(1, n // env("PB_SCALE", 1))


def out(row, figure, unit):
    print(f"{row}\t{NAME}\t{THREADS}\t{figure:.6g}\t{unit}", flush=True)


# --- The calls ---------------------------------------------------------------


def nothing():
    """What is measured."""


def through_executor(fn):
    loop = asyncio.get_running_loop()
    return functools.partial(loop.run_in_executor, None, fn)


def through_to_thread(fn):
    return functools.partial(asyncio.to_thread, fn)


def through_asgiref(thread_sensitive, fn):
    from asgiref.sync import sync_to_async

    return sync_to_async(fn, thread_sensitive=thread_sensitive)


PEERS = {
    "concurrent.futures": through_executor,
    "asyncio-to_thread": through_to_thread,
    "asgiref-any": functools.partial(through_asgiref, False),
    "asgiref-sensitive": functools.partial(through_asgiref, True),
}

# --- S1, S2 ------------------------------------------------------------------


async def windowed(call, n):
    """n calls, by coroutines with one open call each."""
    left = n

    async def lane():
        nonlocal left
        while left > 0:
            left -= 1
            await call()

    await asyncio.gather(*[lane() for _ in range(min(WINDOW, n))])


async def warm_up(through):
    """Those that are measured tell nobody that they ran; these do."""
    n, count = 200, itertools.count()
    await windowed(through(lambda: next(count)), n)
    if next(count) != n:
        sys.exit("not so: all calls ran")


async def s1(through):
    n, call = scaled(200_000), through(nothing)
    cpu, begin = time.process_time_ns(), time.perf_counter_ns()
    await windowed(call, n)
    out("S1", (time.perf_counter_ns() - begin) / n, "ns/call")
    out("S1.cpu", (time.process_time_ns() - cpu) / n, "cpu-ns/call")


async def s2(through):
    call, ns = through(nothing), []
    cpu, begin = time.process_time_ns(), time.perf_counter_ns()
    limit = begin + env("PB_CAP_MS", 250) * 1_000_000
    for done in range(scaled(50_000)):
        t = time.perf_counter_ns()
        if done >= 2048 and t > limit:
            break
        await call()
        ns.append(time.perf_counter_ns() - t)
    n = len(ns)
    out("S2.cpu", (time.process_time_ns() - cpu) / n, "cpu-ns/call")
    ns.sort()
    out("S2", ns[n // 2], "ns")
    out("S2.p99", ns[n - 1 - n // 100], "ns")


async def main(run, through):
    executor = concurrent.futures.ThreadPoolExecutor(THREADS)
    asyncio.get_running_loop().set_default_executor(executor)
    await warm_up(through)
    await run(through)
    sys.stdout.flush()
    os._exit(0)  # taking a pool down is not measured


if __name__ == "__main__":
    try:
        NAME, THREADS = sys.argv[1], int(sys.argv[3])
        RUN = {"S1": s1, "S2": s2}[sys.argv[2]]
        THROUGH = PEERS[NAME]
    except (IndexError, KeyError, ValueError):
        sys.exit(__doc__)
    asyncio.run(main(RUN, THROUGH))
