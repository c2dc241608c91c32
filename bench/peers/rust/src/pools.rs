// SPDX-License-Identifier: Apache-2.0

//! The T workloads of ../../../pb_pool_tasks.h: tokio's two pools and rayon's.

use crate::pb::*;
use std::future::Future;
use std::pin::Pin;
use std::sync::Barrier;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

/// A pool that runs closures.
trait Pool: Sync {
    fn submit<F: FnOnce() + Send + 'static>(&self, task: F);
}

// --- What needs a submit and nothing else ------------------------------------

fn count_tasks<P: Pool>(pool: &P, n: i64) -> Span {
    let clock = Clock::begin();
    latch_init(n);
    for _ in 0..n {
        pool.submit(latch_down);
    }
    latch_wait();
    clock.end()
}

/// The clock starts with the earliest producer.
fn t3<P: Pool>(job: Job, pool: &P) {
    const PRODUCERS: i64 = 4;
    let n = scaled(1_000_000) / PRODUCERS;
    let ready = Barrier::new(PRODUCERS as usize);
    let produce = || {
        ready.wait();
        let begin = Instant::now();
        for _ in 0..n {
            pool.submit(latch_down);
        }
        begin
    };
    latch_init(PRODUCERS * n);
    let clock = Clock::begin();
    std::thread::scope(|scope| {
        let producers: Vec<_> = (0..PRODUCERS).map(|_| scope.spawn(produce)).collect();
        latch_wait();
        let end = Instant::now();
        let mut span = clock.end();
        let begins = producers.into_iter().map(|p| p.join().unwrap());
        span.wall = begins.map(|begin| (end - begin).as_nanos() as u64).max().unwrap();
        job.out_span("T3", span, PRODUCERS * n, "task");
    });
}

fn t5<P: Pool>(job: Job, pool: &P, row: &str, us: u64, n: i64) {
    let steps = steps_per_us() * us;
    let product = work(steps);
    let task = move || {
        assert_eq!(work(steps), product);
        latch_down();
    };
    let run = |start: &dyn Fn()| {
        let once = || {
            let clock = Clock::begin();
            latch_init(n);
            for _ in 0..n {
                start();
            }
            latch_wait();
            clock.end()
        };
        better(once(), once())
    };
    let alone = run(&task);
    let together = run(&|| pool.submit(task));
    let used = job.threads.min(std::thread::available_parallelism().unwrap().get());
    let share = alone.wall as f64 / (together.wall as f64 * used as f64);
    job.out(row, 100.0 * share, "%");
    job.out_cpu(row, together, n, "task");
}

fn t6<P: Pool>(job: Job, pool: &P) {
    static GATE: Gate = Gate::new();
    let n = scaled(1_000_000);
    for _ in 0..job.threads {
        pool.submit(|| GATE.pass());
    }
    std::thread::sleep(Duration::from_millis(50));
    latch_init(n);
    let before = resident();
    for _ in 0..n {
        pool.submit(latch_down);
    }
    let grown = resident() - before;
    GATE.open();
    latch_wait();
    job.out("T6", grown as f64 / n as f64, "B/task");
}

fn run_plain<P: Pool>(job: Job, pool: &P, workload: &str) {
    match workload {
        "T1" => {
            let n = scaled(1_000_000);
            let span = count_tasks(pool, n);
            job.out_span("T1", span, n, "task");
            job.out_span("T1c", span, n, "task"); /* they have no other wait */
        }
        "T3" => t3(job, pool),
        "T5.1us" => t5(job, pool, "T5.1us", 1, scaled(100_000)),
        "T5.10us" => t5(job, pool, "T5.10us", 10, scaled(10_000)),
        "T6" => t6(job, pool),
        _ => std::process::exit(2),
    }
}

/// Twice, each the submit of `go(depth)` until the last leaf; best of three.
fn t4(job: Job, go: impl Fn(u32)) {
    let leaves = scaled(1 << 18);
    let depth = 63 - leaves.leading_zeros();
    let once = || {
        let clock = Clock::begin();
        latch_init(1 << depth);
        go(depth);
        latch_wait();
        clock.end()
    };
    let best = better(once(), better(once(), once()));
    job.out_span("T4", best, (2 << depth) - 1, "task");
}

// --- tokio -------------------------------------------------------------------

struct Spawn(Handle);

impl Pool for Spawn {
    fn submit<F: FnOnce() + Send + 'static>(&self, task: F) {
        self.0.spawn(async move { task() });
    }
}

struct SpawnBlocking(Handle);

impl Pool for SpawnBlocking {
    fn submit<F: FnOnce() + Send + 'static>(&self, task: F) {
        self.0.spawn_blocking(task);
    }
}

fn tree(depth: u32) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        if depth > 0 {
            tokio::spawn(tree(depth - 1));
            tokio::spawn(tree(depth - 1));
        } else {
            latch_down();
        }
    })
}

/// A future each, all waited for.
pub fn get_futures(on: &Handle, n: i64, spawn: impl Fn(i64) -> JoinHandle<i64>) -> Span {
    let clock = Clock::begin();
    let futures: Vec<_> = (0..n).map(spawn).collect();
    on.block_on(async {
        for (i, future) in futures.into_iter().enumerate() {
            assert_eq!(future.await.unwrap(), i as i64);
        }
    });
    clock.end()
}

fn run_futures(
    job: Job,
    runtime: &Runtime,
    workload: &str,
    spawn: impl Fn(i64) -> JoinHandle<i64>,
) -> bool {
    match workload {
        "T1f" => {
            let n = scaled(1_000_000);
            for row in ["T1f", "T1f.warm"] {
                job.out_span(row, get_futures(runtime.handle(), n, &spawn), n, "task");
            }
        }
        "T2" => job.go_rounds("T2", |i| runtime.block_on(spawn(i)).unwrap()),
        _ => return false,
    }
    true
}

pub fn tokio_spawn(job: Job, workload: &str) {
    let runtime = Builder::new_multi_thread().worker_threads(job.threads).build().unwrap();
    let handle = runtime.handle().clone();
    let pool = Spawn(handle.clone());
    count_tasks(&pool, 2000);
    if workload == "T4" {
        t4(job, |depth| drop(handle.spawn(tree(depth))));
    } else if !run_futures(job, &runtime, workload, |i| handle.spawn(async move { i })) {
        run_plain(job, &pool, workload);
    }
}

pub fn tokio_spawn_blocking(job: Job, workload: &str) {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).max_blocking_threads(job.threads);
    let runtime = builder.build().unwrap();
    let handle = runtime.handle().clone();
    let pool = SpawnBlocking(handle.clone());
    count_tasks(&pool, 2000);
    if !run_futures(job, &runtime, workload, |i| handle.spawn_blocking(move || i)) {
        run_plain(job, &pool, workload);
    }
}

// --- rayon -------------------------------------------------------------------

struct Rayon(rayon::ThreadPool);

impl Pool for Rayon {
    fn submit<F: FnOnce() + Send + 'static>(&self, task: F) {
        self.0.spawn(task);
    }
}

fn rayon_tree(depth: u32) {
    if depth > 0 {
        rayon::spawn(move || rayon_tree(depth - 1));
        rayon::spawn(move || rayon_tree(depth - 1));
    } else {
        latch_down();
    }
}

pub fn rayon(job: Job, workload: &str) {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(job.threads);
    let pool = Rayon(builder.build().unwrap());
    count_tasks(&pool, 2000);
    match workload {
        "T2" => job.go_rounds("T2", |i| pool.0.install(|| i)),
        "T4" => t4(job, |depth| pool.submit(move || rayon_tree(depth))),
        _ => run_plain(job, &pool, workload),
    }
}
