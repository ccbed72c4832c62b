//! Counts of tests, read from what test runners print.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::command::{say, shown};

/// How many tests there were, and how they went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Ran and held.
    pub passed: u64,
    /// Ran and did not hold, or could not run.
    pub failed: u64,
    /// Were left out.
    pub skipped: u64,
}

impl Counts {
    /// One that passed.
    pub(crate) const PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };
    /// One that failed.
    pub(crate) const FAILED: Self = Self { passed: 0, failed: 1, skipped: 0 };

    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// The steps that ran so far.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    steps: Vec<(String, Counts, Duration)>,
}

impl Summary {
    /// Runs a test runner, shows what it prints and counts its tests.
    ///
    /// A runner that fails without a failed test, or succeeds without a test, counts as one failure.
    pub(crate) fn run(&mut self, name: &str, runner: Runner, command: &mut Command) {
        say(&format!("{name}: {}", shown(command)));
        let started = Instant::now();
        let counts = match watch(command) {
            Ok((success, lines)) => judge(success, count(runner, lines.lines())),
            Err(error) => {
                eprintln!("cannot start it: {error}");
                Counts::FAILED
            }
        };
        self.steps.push((name.to_owned(), counts, started.elapsed()));
    }

    /// Records a check that is not a test runner.
    pub(crate) fn check(&mut self, name: &str, check: impl FnOnce() -> anyhow::Result<()>) {
        let started = Instant::now();
        let counts = match check() {
            Ok(()) => Counts::PASSED,
            Err(error) => {
                eprintln!("\n{name}: {error:#}");
                Counts::FAILED
            }
        };
        self.steps.push((name.to_owned(), counts, started.elapsed()));
    }

    /// Prints each step and, alone on the last line, the sum.
    ///
    /// # Errors
    /// When anything failed, or nothing ran.
    pub(crate) fn close(self) -> anyhow::Result<()> {
        let mut sum = Counts::default();
        println!();
        for (name, counts, took) in &self.steps {
            println!(
                "  {:>5} passed  {:>3} failed  {:>3} skipped  {:>4} s  {name}",
                counts.passed,
                counts.failed,
                counts.skipped,
                took.as_secs()
            );
            sum.add(*counts);
        }
        println!();
        // Errors are reported above this line, so that it is the last one whatever happens.
        let outcome =
            if sum.failed == 0 && sum.passed > 0 { Ok(()) } else { Err(anyhow::Error::new(Closed)) };
        println!("{}", closing_line(sum));
        outcome
    }
}

/// The run failed and has said so.
#[derive(Debug)]
pub(crate) struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("something failed; see above")
    }
}

impl std::error::Error for Closed {}

fn closing_line(counts: Counts) -> String {
    let skipped = if counts.skipped > 0 { format!(", {} skipped", counts.skipped) } else { String::new() };
    format!("{} passed, {} failed{skipped}", counts.passed, counts.failed)
}

fn judge(success: bool, counts: Counts) -> Counts {
    let silent_failure = !success && counts.failed == 0;
    let nothing_ran = counts.passed + counts.failed == 0;
    Counts { failed: counts.failed + u64::from(silent_failure || nothing_ran), ..counts }
}

/// Runs a command, passing on what it prints and keeping a copy.
fn watch(command: &mut Command) -> std::io::Result<(bool, String)> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let copy = Arc::new(Mutex::new(String::new()));
    let threads = [
        child.stdout.take().map(|pipe| pass_on(pipe, Arc::clone(&copy))),
        child.stderr.take().map(|pipe| pass_on(pipe, Arc::clone(&copy))),
    ];
    for thread in threads.into_iter().flatten() {
        // It ends with the pipe; what it lost was not counted.
        let _ = thread.join();
    }
    let success = child.wait()?.success();
    let text = std::mem::take(&mut *copy.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((success, text))
}

fn pass_on(pipe: impl Read + Send + 'static, copy: Arc<Mutex<String>>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            let mut copy = copy.lock().unwrap_or_else(PoisonError::into_inner);
            // The reader may be gone; the tests run all the same.
            let _ = writeln!(std::io::stdout(), "{line}");
            copy.push_str(&line);
            copy.push('\n');
        }
    })
}

/// Who prints the closing lines. Only its own are counted, and only where it prints them: what a failed test
/// has printed is repeated in between, and may look like anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runner {
    /// cargo-nextest: one line for everything.
    Nextest,
    /// Cargo's own harness: a line for each program.
    Cargo,
    /// Node's test runner: a line for each number.
    Node,
}

/// Adds up the closing lines of a runner.
fn count<'a>(runner: Runner, lines: impl Iterator<Item = &'a str>) -> Counts {
    let mut counts = Counts::default();
    for line in lines {
        counts.add(match runner {
            Runner::Nextest => match line.trim_start().strip_prefix("Summary [") {
                Some(rest) => by_words(rest.split_once("run: ").map_or("", |(_, rest)| rest).split(',')),
                None => continue,
            },
            Runner::Cargo => match line.strip_prefix("test result: ") {
                Some(rest) => by_words(rest.split_once(". ").map_or("", |(_, rest)| rest).split(';')),
                None => continue,
            },
            Runner::Node => {
                let Some(rest) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ ")) else {
                    continue;
                };
                let mut words = rest.split(' ');
                match (words.next(), words.next(), words.next()) {
                    (Some(word), Some(number), None) => one(word, number.parse().unwrap_or_default()),
                    _ => continue,
                }
            }
        });
    }
    counts
}

/// `"3 passed"`, `" 1 failed"`, …; what stands in brackets is part of the number before it.
fn by_words<'a>(parts: impl Iterator<Item = &'a str>) -> Counts {
    let mut counts = Counts::default();
    for part in parts {
        let mut words = part.split_whitespace();
        if let (Some(Ok(number)), Some(word)) = (words.next().map(str::parse), words.next()) {
            counts.add(one(word, number));
        }
    }
    counts
}

fn one(word: &str, number: u64) -> Counts {
    let mut counts = Counts::default();
    match word {
        "passed" | "pass" => counts.passed = number,
        "failed" | "fail" | "timed" | "exec" | "cancelled" => counts.failed = number,
        "skipped" | "ignored" | "todo" => counts.skipped = number,
        _ => {}
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64, skipped: u64) -> Counts {
        Counts { passed, failed, skipped }
    }

    #[test]
    fn closing_lines_of_every_runner_are_understood() {
        let table = [
            (
                Runner::Nextest,
                "     Summary [   3.1s] 51 tests run: 46 passed, 5 failed, 2 skipped",
                counts(46, 5, 2),
            ),
            (
                Runner::Nextest,
                "  Summary [ 3.1s] 19/50 tests run: 17 passed (1 slow), 1 failed, 1 timed out, 0 skipped",
                counts(17, 2, 0),
            ),
            (
                Runner::Cargo,
                "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.00s",
                counts(12, 0, 1),
            ),
            (
                Runner::Cargo,
                "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured",
                counts(1, 2, 0),
            ),
            (
                Runner::Node,
                "# tests 7\n# suites 0\n# pass 5\n# fail 1\n# cancelled 1\n# todo 0",
                counts(5, 2, 0),
            ),
            (Runner::Node, "ℹ tests 5\nℹ pass 5\nℹ fail 0", counts(5, 0, 0)),
            (Runner::Node, "7 passed in prose\n# pass the salt\nrunning 3 tests", counts(0, 0, 0)),
        ];
        for (runner, text, expected) in table {
            assert_eq!(count(runner, text.lines()), expected, "{text}");
        }
    }

    #[test]
    fn output_of_a_failed_test_is_not_counted() {
        let repeated = "    test result: FAILED. 0 passed; 1 failed; 0 ignored\n    # pass 3\n# fail 4";
        assert_eq!(count(Runner::Nextest, repeated.lines()), Counts::default());
        assert_eq!(count(Runner::Cargo, repeated.lines()), Counts::default());
    }

    #[test]
    fn runs_without_tests_count_as_failures() {
        assert_eq!(judge(true, counts(3, 0, 0)), counts(3, 0, 0));
        assert_eq!(judge(false, counts(3, 1, 0)), counts(3, 1, 0));
        assert_eq!(judge(false, counts(3, 0, 0)), counts(3, 1, 0));
        assert_eq!(judge(true, counts(0, 0, 4)), counts(0, 1, 4));
        assert_eq!(judge(false, counts(0, 0, 0)), counts(0, 1, 0));
    }

    #[test]
    fn runner_is_watched_and_counted() {
        let mut summary = Summary::default();
        summary.run(
            "echo",
            Runner::Node,
            Command::new("sh").args(["-c", "echo '# pass 2' >&2; echo '# skipped 1'"]),
        );
        summary.run("broken", Runner::Node, Command::new("sh").args(["-c", "echo '# pass 2'; exit 1"]));
        summary.run("missing", Runner::Cargo, &mut Command::new("/no/such/program"));
        let found: Vec<_> = summary.steps.iter().map(|(_, counts, _)| *counts).collect();
        assert_eq!(found, [counts(2, 0, 1), counts(2, 1, 0), counts(0, 1, 0)]);
        assert!(summary.close().is_err());
    }

    #[test]
    fn closing_line_is_plain() {
        assert_eq!(closing_line(counts(3, 0, 0)), "3 passed, 0 failed");
        assert_eq!(closing_line(counts(3, 1, 2)), "3 passed, 1 failed, 2 skipped");
    }
}
