//! Each deliberate mistake is noticed, as the promise that it breaks, within a fixed number of seeds.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use simulation::mutation::Mutation;
use simulation::promise::Promise;
use simulation::search::native_player;

/// Most seeds that a mistake may survive.
const SEEDS: u64 = 400;

/// The first seed that detects it.
fn caught(mutation: Mutation, promises: &[Promise]) -> Option<u64> {
    let player = native_player();
    (0..SEEDS).find(|seed| {
        let outcome = player(*seed, &[], Some(mutation), false);
        outcome.violations.iter().any(|violation| promises.contains(&violation.promise))
    })
}

#[test]
fn every_mutation_is_caught() {
    let next = AtomicUsize::new(0);
    let survivors = Mutex::new(Vec::new());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some((mutation, promises)) = Mutation::ALL.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    match caught(*mutation, promises) {
                        Some(seed) => eprintln!("{mutation:?}: caught by seed {seed}"),
                        None => survivors.lock().unwrap().push(*mutation),
                    }
                }
            });
        }
    });
    let survivors = survivors.into_inner().unwrap();
    assert!(survivors.is_empty(), "not noticed within {SEEDS} seeds: {survivors:?}");
}

#[test]
fn every_promise_has_a_mutation_that_breaks_it() {
    for promise in Promise::ALL {
        let broken = Mutation::ALL.iter().any(|(_, promises)| promises.contains(&promise));
        assert!(broken, "no mutation breaks {promise}");
    }
}
