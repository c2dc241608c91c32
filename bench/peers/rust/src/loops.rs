// SPDX-License-Identifier: Apache-2.0

//! The L and S workloads of ../../../pb_loop.h, and those of coroutines: tokio's
//! current_thread runtime on a thread of its own, its blocking pool for calls.

use crate::pb::*;
use crate::pools::get_futures;
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, Ordering::*};
use std::sync::{mpsc, Arc};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{oneshot, Notify};

fn start_loop(workers: usize) -> Handle {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.max_blocking_threads(workers).enable_all().build().unwrap();
        sender.send(runtime.handle().clone()).unwrap();
        runtime.block_on(std::future::pending::<()>());
    });
    receiver.recv().unwrap()
}

fn count_callbacks(on: &Handle, n: i64) -> Span {
    let clock = Clock::begin();
    latch_init(n);
    for _ in 0..n {
        on.spawn(async { latch_down() });
    }
    latch_wait();
    clock.end()
}

fn l1(job: Job, on: &Handle, row: &str, per: &str) {
    let n = scaled(1_000_000);
    job.out_span(row, count_callbacks(on, n), n, per);
}

fn l1f(job: Job, on: &Handle) {
    let n = scaled(1_000_000);
    let span = get_futures(on, n, |i| on.spawn(async move { i }));
    job.out_span("L1f", span, n, "callback");
}

fn l2(job: Job, on: &Handle) {
    job.go_rounds("L2", |i| {
        let (sender, receiver) = oneshot::channel();
        on.spawn(async move { sender.send(i).unwrap() });
        receiver.blocking_recv().unwrap()
    });
}

/// A timer is a task that sleeps.
fn fire(job: Job, on: &Handle, row: &str, n: i64) {
    let clock = Clock::begin();
    latch_init(n);
    on.spawn(async move {
        for i in 0..n {
            let length = Duration::from_micros((1000 + i * 7919 % 4001) as u64);
            tokio::spawn(async move {
                tokio::time::sleep(length).await;
                latch_down();
            });
        }
    });
    latch_wait();
    let span = clock.end();
    assert!(n < 100 || span.wall > 3_000_000); /* nobody is early */
    job.out_span(row, span, n, "timer");
}

// --- S1, S2: blocking calls from inside the loop -----------------------------

static CALLS: AtomicI64 = AtomicI64::new(0);

fn windowed(on: &Handle, n: i64, call: fn()) -> Span {
    let lanes = n.min(1000);
    let left = Arc::new(AtomicI64::new(n));
    let clock = Clock::begin();
    latch_init(lanes);
    for _ in 0..lanes {
        let left = left.clone();
        on.spawn(async move {
            while left.fetch_sub(1, Relaxed) > 0 {
                tokio::task::spawn_blocking(call).await.unwrap();
            }
            latch_down();
        });
    }
    latch_wait();
    clock.end()
}

/// Those that are measured tell nobody that they ran; these do.
fn warm_calls(on: &Handle) {
    windowed(on, 2000, || drop(CALLS.fetch_add(1, Relaxed)));
    assert_eq!(CALLS.load(SeqCst), 2000);
}

fn s1(job: Job, on: &Handle) {
    let n = scaled(200_000);
    warm_calls(on);
    job.out_span("S1", windowed(on, n, || ()), n, "call");
}

fn s2(job: Job, on: &Handle) {
    let most = scaled(50_000);
    let (sender, receiver) = oneshot::channel();
    warm_calls(on);
    on.spawn(async move {
        let mut ns = Vec::with_capacity(most as usize);
        let clock = Clock::begin();
        while (ns.len() as i64) < most && !clock.capped(ns.len() as i64) {
            let t = Instant::now();
            tokio::task::spawn_blocking(|| ()).await.unwrap();
            ns.push(t.elapsed().as_nanos() as u64);
        }
        sender.send((clock.end(), ns)).unwrap();
    });
    let (span, mut ns) = receiver.blocking_recv().unwrap();
    job.out_cpu("S2", span, ns.len() as i64, "call");
    job.out_latency("S2", &mut ns);
}

// --- co: tasks as coroutines -------------------------------------------------

thread_local! {
    static LAST: Cell<usize> = Cell::new(0);
    static TURNS: Cell<i64> = Cell::new(0);
}

async fn give_way(me: usize, n: i64) -> i64 {
    for _ in 0..n {
        if LAST.with(|last| last.replace(me)) != me {
            TURNS.with(|turns| turns.set(turns.get() + 1));
        }
        tokio::task::yield_now().await;
    }
    TURNS.with(|turns| turns.get())
}

fn co_yield(job: Job, on: &Handle) {
    let n = scaled(1_000_000);
    let (sender, receiver) = oneshot::channel();
    on.spawn(async move {
        let clock = Clock::begin();
        let first = tokio::spawn(give_way(1, n));
        let second = tokio::spawn(give_way(2, n));
        let turns = first.await.unwrap().max(second.await.unwrap());
        sender.send((clock.end(), turns)).unwrap();
    });
    let (span, turns) = receiver.blocking_recv().unwrap();
    assert!(turns >= n);
    job.out_span("co.yield", span, 2 * n, "yield");
}

fn co_many(job: Job, on: &Handle) {
    static WAITING: AtomicI64 = AtomicI64::new(0);
    let n = scaled(100_000);
    let gate = Arc::new(Notify::new());
    let before = resident();
    let clock = Clock::begin();
    latch_init(n);
    for _ in 0..n {
        let gate = gate.clone();
        on.spawn(async move {
            WAITING.fetch_add(1, SeqCst);
            gate.notified().await;
            latch_down();
        });
    }
    let (sender, receiver) = oneshot::channel();
    on.spawn(async move { sender.send(()).unwrap() });
    receiver.blocking_recv().unwrap();
    let span = clock.end();
    let grown = resident() - before;
    assert_eq!(WAITING.load(SeqCst), n);
    gate.notify_waiters();
    latch_wait();
    job.out("co.many", n as f64, "coroutines");
    job.out("co.many.resident", grown as f64 / 1024.0 / n as f64, "KiB");
    job.out_span("co.many.each", span, n, "coroutine");
}

pub fn tokio_current_thread(job: Job, workload: &str) {
    let on = start_loop(job.threads);
    count_callbacks(&on, 2000);
    match workload {
        "L1" => l1(job, &on, "L1", "callback"),
        "L1f" => l1f(job, &on),
        "L2" => l2(job, &on),
        "L3" => fire(job, &on, "L3", scaled(100_000)),
        "L3.sleep" => {
            fire(job, &on, "L3.sleep", scaled(20_000));
            fire(job, &on, "L3.sleep.warm", scaled(20_000));
        }
        "S1" => s1(job, &on),
        "S2" => s2(job, &on),
        "co.spawn" => l1(job, &on, "co.spawn", "coroutine"),
        "co.yield" => co_yield(job, &on),
        "co.many" => co_many(job, &on),
        _ => std::process::exit(2),
    }
}
