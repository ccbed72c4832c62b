//! Runs many seeds, and makes a failing one small.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use crate::generate;
use crate::mutation::Mutation;
use crate::promise::{Promise, Violation};
use crate::run::Outcome;

/// Plays the scenario of a seed without the elements left out.
pub type Player = Rc<dyn Fn(u64, &[usize], Option<Mutation>, bool) -> Outcome>;

/// The native player.
#[must_use]
pub fn native_player() -> Player {
    Rc::new(|seed, left_out, mutation, tracing| {
        crate::run::native(generate::scenario(seed).without(left_out), mutation, tracing)
    })
}

/// Plays a seed; a panic, which would be a trap of the component, is a broken promise as well.
#[must_use]
pub fn play(
    player: &Player,
    seed: u64,
    left_out: &[usize],
    mutation: Option<Mutation>,
    tracing: bool,
) -> Outcome {
    let played = catch_unwind(AssertUnwindSafe(|| player(seed, left_out, mutation, tracing)));
    played.unwrap_or_else(|cause| {
        let text = cause.downcast_ref::<String>().cloned();
        let text = text.or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let what = format!("a component panicked: {}", text.unwrap_or_default());
        Outcome {
            violations: vec![Violation { promise: Promise::P8, at: Duration::ZERO, what }],
            ..Outcome::default()
        }
    })
}

/// A seed that broke a promise.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What it broke.
    pub violations: Vec<Violation>,
}

/// What many seeds showed.
#[derive(Debug, Default)]
pub struct Findings {
    /// How many seeds ran.
    pub seeds: u64,
    /// Those that broke a promise.
    pub failures: Vec<Failure>,
    /// What was seen, by a word for it.
    pub counts: BTreeMap<&'static str, u64>,
    /// Requests in all.
    pub requests: u64,
    /// The seed with the most requests, and how many.
    pub heaviest: (u64, u64),
}

impl Findings {
    /// Adds what others found.
    pub fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.requests += other.requests;
        if self.heaviest.1 < other.heaviest.1 {
            self.heaviest = other.heaviest;
        }
        self.failures.extend(other.failures);
        for (what, count) in other.counts {
            *self.counts.entry(what).or_default() += count;
        }
    }

    fn add(&mut self, seed: u64, outcome: Outcome) {
        if self.heaviest.1 < outcome.requests {
            self.heaviest = (seed, outcome.requests);
        }
        self.seeds += 1;
        self.requests += outcome.requests;
        for (what, count) in outcome.counts {
            *self.counts.entry(what).or_default() += count;
        }
        if !outcome.violations.is_empty() {
            self.failures.push(Failure { seed, violations: outcome.violations });
        }
    }
}

/// Runs `seeds` until `most` of them have failed.
pub fn search(
    player: &Player,
    seeds: impl IntoIterator<Item = u64>,
    mutation: Option<Mutation>,
    most: usize,
) -> Findings {
    let mut findings = Findings::default();
    for seed in seeds {
        findings.add(seed, play(player, seed, &[], mutation, false));
        if findings.failures.len() >= most {
            break;
        }
    }
    findings
}

/// The elements of a failing seed's scenario that can be left out without losing the failure: tries to drop
/// ever smaller groups of them.
#[must_use]
pub fn shrink(player: &Player, seed: u64, mutation: Option<Mutation>, promise: Promise) -> Vec<usize> {
    let count = generate::scenario(seed).elements.len();
    let fails = |left_out: &[usize]| {
        play(player, seed, left_out, mutation, false)
            .violations
            .iter()
            .any(|violation| violation.promise == promise)
    };
    let mut left_out: Vec<usize> = Vec::new();
    let mut size = count.div_ceil(2).max(1);
    loop {
        let mut progress = false;
        let kept: Vec<usize> = (0..count).filter(|index| !left_out.contains(index)).collect();
        for group in kept.chunks(size) {
            let mut attempt = left_out.clone();
            attempt.extend_from_slice(group);
            attempt.sort_unstable();
            if fails(&attempt) {
                left_out = attempt;
                progress = true;
            }
        }
        if size == 1 && !progress {
            return left_out;
        }
        if !progress {
            size = size.div_ceil(2).max(1).min(size - 1).max(1);
        }
    }
}
