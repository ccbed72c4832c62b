//! Each deliberate mistake is noticed, as the promise that it breaks, within a fixed number of seeds.

use simulation::mutation::Mutation;
use simulation::promise::Promise;
use simulation::search::native_player;

/// Most seeds that a mistake may survive.
const SEEDS: u64 = 400;

#[test]
fn every_mutation_is_caught() {
    let player = native_player();
    let mut survivors = Vec::new();
    for (mutation, promises) in Mutation::ALL {
        let caught = (0..SEEDS).find(|seed| {
            let outcome = player(*seed, &[], Some(mutation), false);
            outcome.violations.iter().any(|violation| promises.contains(&violation.promise))
        });
        match caught {
            Some(seed) => eprintln!("{mutation:?}: caught by seed {seed}"),
            None => survivors.push(mutation),
        }
    }
    assert!(survivors.is_empty(), "not noticed within {SEEDS} seeds: {survivors:?}");
}

#[test]
fn every_promise_has_a_mutation_that_breaks_it() {
    for promise in Promise::ALL {
        let broken = Mutation::ALL.iter().any(|(_, promises)| promises.contains(&promise));
        assert!(broken, "no mutation breaks {promise}");
    }
}
