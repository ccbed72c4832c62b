//! A fixed number of seeds, natively; `cargo xtask sim` runs as many as one likes.

use simulation::search::{Findings, native_player, search};

fn run(first: u64, count: u64) -> Findings {
    let findings = search(&native_player(), first..first + count, None, 3);
    for failure in &findings.failures {
        for violation in &failure.violations {
            eprintln!("seed {}: {violation}", failure.seed);
        }
        eprintln!("  replay: cargo xtask sim --seed {} --trace", failure.seed);
    }
    assert!(findings.failures.is_empty(), "promises were broken, see above");
    findings
}

#[test]
fn every_promise_holds_on_the_first_seeds() {
    let findings = run(0, 300);
    // Runs in which nothing happens would prove nothing.
    for what in [
        "accepted",
        "delivery",
        "written Completed",
        "written Failed",
        "written Cancelled",
        "poison copy",
        "lease renewed or returned",
        "lease lost",
        "crash",
        "fault",
        "cancel confirmed",
        "explicit retry",
        "drain told to wait",
        "delivery beside a running task",
        "delivery before one of another queue",
        "schedule fired",
        "wake-up message deleted",
        "start with former settings",
    ] {
        let count = findings.counts.get(what).copied().unwrap_or(0);
        assert!(count > 0, "no seed has seen: {what}");
    }
}

#[test]
fn seed_plays_the_same_way_every_time() {
    let player = native_player();
    for seed in 0..20 {
        let (first, second) = (player(seed, &[], None, true), player(seed, &[], None, true));
        assert_eq!(first.trace, second.trace, "seed {seed}");
    }
}
