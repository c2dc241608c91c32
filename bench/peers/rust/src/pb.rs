// SPDX-License-Identifier: Apache-2.0

//! As ../../../pb.h: clocks, how much work, what comes out, a latch.

use std::sync::atomic::{AtomicI64, Ordering::*};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// What was asked for.
#[derive(Clone, Copy)]
pub struct Job {
    pub name: &'static str,
    pub threads: usize,
}

pub fn env(name: &str, otherwise: i64) -> i64 {
    match std::env::var(name).map(|text| text.parse()) {
        Ok(Ok(n)) if n > 0 => n,
        _ => otherwise,
    }
}

pub fn scaled(n: i64) -> i64 {
    (n / env("PB_SCALE", 1)).max(1)
}

// --- Clocks ------------------------------------------------------------------

/// A stretch of time, or of the CPU time of all threads, in ns.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub wall: u64,
    pub cpu: u64,
}

pub struct Clock {
    wall: Instant,
    cpu: u64,
}

fn cpu_ns() -> u64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut t) };
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

impl Clock {
    pub fn begin() -> Clock {
        let cpu = cpu_ns();
        Clock { wall: Instant::now(), cpu }
    }

    pub fn end(&self) -> Span {
        let wall = self.wall.elapsed().as_nanos() as u64;
        Span { wall, cpu: cpu_ns() - self.cpu }
    }

    /// Round trips end after PB_CAP_MS once there are enough of them.
    pub fn capped(&self, done: i64) -> bool {
        done & 255 == 0
            && done >= 2048
            && self.wall.elapsed() > Duration::from_millis(env("PB_CAP_MS", 250) as u64)
    }
}

pub fn better(a: Span, b: Span) -> Span {
    if a.wall < b.wall {
        a
    } else {
        b
    }
}

// --- What comes out ----------------------------------------------------------

impl Job {
    pub fn out(&self, row: &str, figure: f64, unit: &str) {
        println!("{}\t{}\t{}\t{}\t{}", row, self.name, self.threads, figure, unit);
    }

    pub fn out_span(&self, row: &str, span: Span, n: i64, per: &str) {
        self.out(row, span.wall as f64 / n as f64, &format!("ns/{}", per));
        self.out_cpu(row, span, n, per);
    }

    pub fn out_cpu(&self, row: &str, span: Span, n: i64, per: &str) {
        let unit = format!("cpu-ns/{}", per);
        self.out(&format!("{}.cpu", row), span.cpu as f64 / n as f64, &unit);
    }

    pub fn out_latency(&self, row: &str, ns: &mut [u64]) {
        ns.sort_unstable();
        let n = ns.len();
        self.out(row, ns[n / 2] as f64, "ns");
        self.out(&format!("{}.p99", row), ns[n - 1 - n / 100] as f64, "ns");
    }

    /// Round trips, one at a time; `round` gives back what it was given.
    pub fn go_rounds(&self, row: &str, mut round: impl FnMut(i64) -> i64) {
        let most = scaled(100_000);
        let mut ns = Vec::with_capacity(most as usize);
        let clock = Clock::begin();
        for i in 0..most {
            if clock.capped(i) {
                break;
            }
            let t = Instant::now();
            assert_eq!(round(i), i);
            ns.push(t.elapsed().as_nanos() as u64);
        }
        self.out_cpu(row, clock.end(), ns.len() as i64, "round");
        self.out_latency(row, &mut ns);
    }
}

/// Resident bytes.
pub fn resident() -> i64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: i64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) }
}

// --- Waiting -----------------------------------------------------------------

static LEFT: AtomicI64 = AtomicI64::new(0);
static ZERO: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

pub fn latch_init(n: i64) {
    *ZERO.0.lock().unwrap() = false;
    LEFT.store(n, SeqCst);
}

pub fn latch_down() {
    if LEFT.fetch_sub(1, AcqRel) == 1 {
        *ZERO.0.lock().unwrap() = true;
        ZERO.1.notify_one();
    }
}

pub fn latch_wait() {
    let mut zero = ZERO.0.lock().unwrap();
    while !*zero {
        zero = ZERO.1.wait(zero).unwrap();
    }
}

/// A door that is closed at first.
pub struct Gate(Mutex<bool>, Condvar);

impl Gate {
    pub const fn new() -> Gate {
        Gate(Mutex::new(false), Condvar::new())
    }

    pub fn pass(&self) {
        let mut open = self.0.lock().unwrap();
        while !*open {
            open = self.1.wait(open).unwrap();
        }
    }

    pub fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }
}

// --- T5: work ----------------------------------------------------------------

/// A dependent chain of multiply-adds.
#[inline(never)]
pub fn work(steps: u64) -> u64 {
    let mut x = 1u64;
    for _ in 0..steps {
        x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        unsafe { std::arch::asm!("/* {0} */", inout(reg) x, options(nomem, nostack)) };
    }
    x
}

pub fn steps_per_us() -> u64 {
    const STEPS: u64 = 50000;
    let (mut best, product) = (u64::MAX, work(STEPS));
    for _ in 0..60 {
        let t = Instant::now();
        assert_eq!(work(STEPS), product);
        best = best.min(t.elapsed().as_nanos() as u64);
    }
    1 + STEPS * 1000 / best
}
