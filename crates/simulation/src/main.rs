//! `sim`: searches seeds for broken promises, and replays one.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser};
use simulation::generate;
use simulation::mutation::Mutation;
use simulation::search::{Failure, Findings, Player, native_player, play, search, shrink};

/// Searches seeds for broken promises, or replays one seed with --seed.
#[derive(Parser)]
#[command(name = "sim", version)]
struct Arguments {
    /// Run the components natively: fast, and the default.
    #[arg(long, overrides_with = "wasm")]
    native: bool,

    /// Run the shipped components. `cargo xtask sim --wasm` builds what this needs.
    #[arg(long, overrides_with = "native")]
    wasm: bool,

    /// How many seeds to play.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    seeds: u64,

    /// The first of them.
    #[arg(long, value_name = "S", default_value_t = 0)]
    start: u64,

    /// How many threads play; by default one for each core.
    #[arg(long, value_name = "T")]
    threads: Option<usize>,

    /// Stop after this many seeds have broken a promise.
    #[arg(long, value_name = "F", default_value_t = 10)]
    most: usize,

    /// Play this seed alone.
    #[arg(long, value_name = "X")]
    seed: Option<u64>,

    /// With --seed: elements of its scenario to leave out, by their numbers.
    #[arg(long, value_name = "I,J,…", value_delimiter = ',')]
    without: Vec<usize>,

    /// With --seed: print its timeline.
    #[arg(long)]
    trace: bool,

    /// Make this deliberate mistake: some seeds must break a promise.
    #[arg(long, value_name = "NAME", value_parser = mutation)]
    mutation: Option<Mutation>,
}

fn mutation(name: &str) -> Result<Mutation, String> {
    Mutation::named(name).ok_or_else(|| {
        let names: Vec<_> = Mutation::ALL.iter().map(|(it, _)| format!("{it:?}")).collect();
        format!("it is none of {}", names.join(", "))
    })
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.wasm && cfg!(not(feature = "wasm")) {
        let text =
            "this sim was built without the feature `wasm`; `cargo xtask sim --wasm` builds one that has it";
        Arguments::command().error(ErrorKind::ArgumentConflict, text).exit();
    }
    let clean = match arguments.seed {
        Some(seed) => replay(&arguments, seed),
        None => hunt(&arguments),
    };
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn player(arguments: &Arguments) -> Player {
    #[cfg(feature = "wasm")]
    if arguments.wasm {
        return simulation::wasm::player();
    }
    debug_assert!(!arguments.wasm, "refused at the start");
    native_player()
}

fn command(arguments: &Arguments, seed: u64, left_out: &[usize]) -> String {
    let mut text = format!("cargo xtask sim --seed {seed} --trace");
    if arguments.wasm {
        text += " --wasm";
    }
    if let Some(mutation) = arguments.mutation {
        text += &format!(" --mutation {mutation:?}");
    }
    if !left_out.is_empty() {
        let list: Vec<_> = left_out.iter().map(usize::to_string).collect();
        text += &format!(" --without {}", list.join(","));
    }
    text
}

fn replay(arguments: &Arguments, seed: u64) -> bool {
    let scenario = generate::scenario(seed).without(&arguments.without);
    println!("{scenario}");
    let outcome = play(&player(arguments), seed, &arguments.without, arguments.mutation, arguments.trace);
    for line in &outcome.trace {
        println!("{line}");
    }
    println!("\n{} requests in {:?} of virtual time", outcome.requests, outcome.lasted);
    for violation in &outcome.violations {
        println!("{violation}");
    }
    if outcome.violations.is_empty() {
        println!("all promises held");
    }
    outcome.violations.is_empty()
}

fn hunt(arguments: &Arguments) -> bool {
    const BATCH: u64 = 50;
    let (seeds, most) = (arguments.seeds, arguments.most);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = arguments.threads.unwrap_or(cores).max(1);
    let next = AtomicU64::new(0);
    let enough = AtomicBool::new(false);
    let total = Mutex::new(Findings::default());
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let player = player(arguments);
                while !enough.load(Ordering::Relaxed) {
                    let first = next.fetch_add(BATCH, Ordering::Relaxed);
                    if first >= seeds {
                        break;
                    }
                    let batch = arguments.start + first..arguments.start + (first + BATCH).min(seeds);
                    let findings = search(&player, batch, arguments.mutation, most);
                    let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                    total.merge(findings);
                    enough.store(total.failures.len() >= most, Ordering::Relaxed);
                }
            });
        }
    });
    let elapsed = started.elapsed().as_secs_f64();
    let findings = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    report(arguments, &findings, elapsed, threads);
    findings.failures.is_empty()
}

fn report(arguments: &Arguments, findings: &Findings, elapsed: f64, threads: usize) {
    for (what, count) in &findings.counts {
        println!("{count:>12}  {what}");
    }
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let (rate, each) =
        (findings.seeds as f64 / elapsed, findings.requests as f64 / findings.seeds.max(1) as f64);
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let per_core = rate / threads as f64;
    println!(
        "{} seeds in {elapsed:.1} s on {threads} threads: {rate:.0} seeds/s, {per_core:.0} per thread; \
         {each:.0} requests a seed, most {} (seed {})",
        findings.seeds, findings.heaviest.1, findings.heaviest.0
    );
    let mut failures: Vec<&Failure> = findings.failures.iter().collect();
    failures.sort_by_key(|failure| failure.seed);
    let player = player(arguments);
    for (index, failure) in failures.iter().enumerate() {
        let Some(first) = failure.violations.first() else { continue };
        println!("\nseed {}: {first}", failure.seed);
        let left_out = if index < 3 {
            shrink(&player, failure.seed, arguments.mutation, first.promise)
        } else {
            Vec::new()
        };
        println!("  {}", command(arguments, failure.seed, &left_out));
    }
    println!("{} of {} seeds broke a promise", failures.len(), findings.seeds);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_runner_wins_and_lists_are_split() {
        let parse = |line: &str| Arguments::try_parse_from(line.split_whitespace());
        assert!(parse("sim --native --wasm").unwrap().wasm);
        assert!(!parse("sim --wasm --native").unwrap().wasm);
        let replay = parse("sim --seed 7 --without 1,4 --trace --mutation NeverWait").unwrap();
        assert_eq!((replay.seed, replay.without), (Some(7), vec![1, 4]));
        assert!(parse("sim --mutation Nothing").err().unwrap().to_string().contains("NeverWait"));
    }
}
