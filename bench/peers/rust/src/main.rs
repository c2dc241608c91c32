// SPDX-License-Identifier: Apache-2.0

//! tokio and rayon in the workloads of ../../../pb_pool.h and pb_loop.h, by the
//! names that bench/driver/plan.c has. Run as PROGRAM NAME WORKLOAD THREADS.

mod loops;
mod pb;
mod pools;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let peers: [(&'static str, fn(pb::Job, &str)); 4] = [
        ("tokio-spawn", pools::tokio_spawn),
        ("tokio-spawn_blocking", pools::tokio_spawn_blocking),
        ("rayon", pools::rayon),
        ("tokio-current_thread", loops::tokio_current_thread),
    ];
    if let [_, name, workload, threads] = &words[..] {
        let peer = peers.iter().find(|(known, _)| known == name);
        if let (Some((name, run)), Ok(threads @ 1..=64)) = (peer, threads.parse()) {
            run(pb::Job { name, threads }, workload);
            /* Taking a pool down is not measured. */
            std::process::exit(0);
        }
    }
    eprintln!("usage: PROGRAM NAME WORKLOAD THREADS");
    std::process::exit(2);
}
