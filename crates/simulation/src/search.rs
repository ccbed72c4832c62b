//! Runs many seeds, and makes a failing one small.

use std::collections::BTreeMap;
use std::rc::Rc;

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
}

impl Findings {
    /// Adds what others found.
    pub fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.requests += other.requests;
        self.failures.extend(other.failures);
        for (what, count) in other.counts {
            *self.counts.entry(what).or_default() += count;
        }
    }

    fn add(&mut self, seed: u64, outcome: Outcome) {
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
        findings.add(seed, player(seed, &[], mutation, false));
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
        player(seed, left_out, mutation, false).violations.iter().any(|violation| violation.promise == promise)
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
