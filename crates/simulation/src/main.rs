//! `sim`: searches seeds for broken promises, and replays one.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use simulation::generate;
use simulation::mutation::Mutation;
use simulation::search::{Failure, Findings, Player, native_player, play, search, shrink};

const USAGE: &str = "\
usage: sim [--native | --wasm] [--seeds N] [--start S] [--threads T] [--mutation NAME] [--most F]
       sim [--native | --wasm] --seed X [--without I,J,…] [--trace] [--mutation NAME]

Without --seed: plays seeds S to S+N (default 0 and 10000) and reports those that break a promise.
With --seed: plays that one; --trace prints its timeline, --without leaves elements of its scenario out.";

#[derive(Clone, Default)]
struct Arguments {
    wasm: bool,
    seeds: Option<u64>,
    start: u64,
    threads: Option<usize>,
    seed: Option<u64>,
    without: Vec<usize>,
    trace: bool,
    mutation: Option<Mutation>,
    most: Option<usize>,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let clean = match arguments.seed {
        Some(seed) => replay(&arguments, seed),
        None => hunt(&arguments),
    };
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        let number =
            |text: String| text.parse::<u64>().map_err(|_| format!("{word}: {text} is not a number"));
        match word.as_str() {
            "--wasm" => arguments.wasm = true,
            "--native" => arguments.wasm = false,
            "--trace" => arguments.trace = true,
            "--seeds" => arguments.seeds = Some(number(value()?)?),
            "--start" => arguments.start = number(value()?)?,
            "--threads" => arguments.threads = usize::try_from(number(value()?)?).ok(),
            "--most" => arguments.most = usize::try_from(number(value()?)?).ok(),
            "--seed" => arguments.seed = Some(number(value()?)?),
            "--without" => {
                let list = value()?;
                let parsed: Result<Vec<_>, _> = list.split(',').map(str::parse).collect();
                arguments.without =
                    parsed.map_err(|_| format!("--without: {list} is not a list of numbers"))?;
            }
            "--mutation" => {
                let name = value()?;
                let found = Mutation::named(&name).ok_or_else(|| {
                    let names: Vec<_> = Mutation::ALL.iter().map(|(it, _)| format!("{it:?}")).collect();
                    format!("--mutation: {name} is none of {}", names.join(", "))
                })?;
                arguments.mutation = Some(found);
            }
            _ => return Err(format!("{word} is not understood")),
        }
    }
    Ok(arguments)
}

fn player(arguments: &Arguments) -> Player {
    if arguments.wasm { wasm_player() } else { native_player() }
}

#[cfg(feature = "wasm")]
fn wasm_player() -> Player {
    simulation::wasm::player()
}

#[cfg(not(feature = "wasm"))]
#[expect(clippy::panic, reason = "the command line asks for something that this binary was built without")]
fn wasm_player() -> Player {
    panic!("this sim was built without the feature `wasm`; `cargo xtask sim --wasm` builds one that has it")
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
    let seeds = arguments.seeds.unwrap_or(10_000);
    let most = arguments.most.unwrap_or(10);
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
