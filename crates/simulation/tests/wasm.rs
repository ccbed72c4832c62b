//! The same promises, kept by the shipped components. Needs the feature `wasm` and built components.
#![cfg(feature = "wasm")]

use simulation::mutation::Mutation;
use simulation::search::search;
use simulation::wasm;

#[test]
fn components_keep_every_promise_on_the_first_seeds() {
    let findings = search(&wasm::player(), 0..60, None, 3);
    for failure in &findings.failures {
        for violation in &failure.violations {
            eprintln!("seed {}: {violation}", failure.seed);
        }
        eprintln!("  replay: cargo xtask sim --wasm --seed {} --trace", failure.seed);
    }
    assert!(findings.failures.is_empty(), "promises were broken, see above");
    for what in ["accepted", "delivery", "written Completed", "lease renewed or returned", "crash", "fault"] {
        assert!(findings.counts.get(what).copied().unwrap_or(0) > 0, "no seed has seen: {what}");
    }
}

#[test]
fn components_do_nothing_that_storage_would_not_notice() {
    // One mistake that only a component with the real clock, log and transport could hide.
    for mutation in [Mutation::DeleteBeforeWrite, Mutation::AcceptWithoutMessage] {
        let findings = search(&wasm::player(), 0..5, Some(mutation), 1);
        assert!(!findings.failures.is_empty(), "{mutation:?} was not noticed");
    }
}
