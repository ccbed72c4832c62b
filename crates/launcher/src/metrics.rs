//! What the replica has done since it started, as Prometheus text.
//!
//! The components keep no counters: an instance lives for a second or an hour, and each would tell another
//! story. The launcher lives exactly as long as the replica.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use models::DrainReport;

use crate::drain::Outcome;

/// Upper bounds of the duration histogram, in seconds.
const BOUNDS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];

/// The counters of one replica.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    healthy: bool,
    running: u64,
    drains: BTreeMap<&'static str, u64>,
    received: u64,
    tasks: BTreeMap<&'static str, u64>,
    upkeep: BTreeMap<&'static str, u64>,
    buckets: [u64; BOUNDS.len()],
    durations: f64,
    timed: u64,
}

impl Metrics {
    fn update<T>(&self, change: impl FnOnce(&mut Numbers) -> T) -> T {
        // A panic elsewhere leaves numbers that are still numbers.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Records whether the host answers.
    pub fn set_healthy(&self, healthy: bool) {
        self.update(|numbers| numbers.healthy = healthy);
    }

    /// Whether the host answers, as far as is known.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.update(|numbers| numbers.healthy)
    }

    /// Records that a drain began.
    pub fn drain_started(&self) {
        self.update(|numbers| numbers.running += 1);
    }

    /// Records that a drain ended.
    pub fn drain_ended(&self, outcome: &Outcome, took: Duration) {
        self.update(|numbers| {
            numbers.running = numbers.running.saturating_sub(1);
            match outcome {
                Outcome::Done(report) if report.did_something() => {
                    *numbers.drains.entry("busy").or_default() += 1;
                    numbers.add(report);
                    numbers.time(took);
                }
                Outcome::Done(_) => *numbers.drains.entry("idle").or_default() += 1,
                Outcome::Refused { .. } | Outcome::Broken(_) => {
                    *numbers.drains.entry("failed").or_default() += 1;
                }
            }
        });
    }

    /// The text of `GET /metrics`.
    #[must_use]
    pub fn render(&self) -> String {
        self.update(|numbers| numbers.render())
    }
}

impl Numbers {
    fn add(&mut self, report: &DrainReport) {
        self.received += u64::from(report.received);
        for (name, count) in report.outcomes() {
            *self.tasks.entry(name).or_default() += u64::from(count);
        }
        for (name, count) in report.upkeep() {
            *self.upkeep.entry(name).or_default() += u64::from(count);
        }
    }

    fn time(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        for (bucket, bound) in self.buckets.iter_mut().zip(BOUNDS) {
            if seconds <= bound {
                *bucket += 1;
            }
        }
        self.durations += seconds;
        self.timed += 1;
    }

    fn render(&self) -> String {
        let mut page = Page(String::new());
        page.head(
            "accepted_host_healthy",
            "gauge",
            "1 while the host answers, 0 before its first answer, after three failures in a row and after its end",
        );
        page.number("accepted_host_healthy", u64::from(self.healthy));
        page.head("accepted_drains_running", "gauge", "drains in flight");
        page.number("accepted_drains_running", self.running);
        page.head("accepted_drains_total", "counter", "drains by result");
        page.labelled("accepted_drains_total", "result", ["busy", "idle", "failed"], &self.drains);
        page.head("accepted_messages_received_total", "counter", "messages received from the task queue");
        page.number("accepted_messages_received_total", self.received);
        page.head("accepted_tasks_total", "counter", "deliveries by outcome");
        let outcomes = DrainReport::default().outcomes().map(|(name, _)| name);
        page.labelled("accepted_tasks_total", "outcome", outcomes, &self.tasks);
        page.head(
            "accepted_upkeep_total",
            "counter",
            "documents and scheduled messages attended to, by action",
        );
        let actions = DrainReport::default().upkeep().map(|(name, _)| name);
        page.labelled("accepted_upkeep_total", "action", actions, &self.upkeep);
        page.head("accepted_drain_duration_seconds", "histogram", "duration of drains that did something");
        for (bound, count) in BOUNDS.iter().zip(self.buckets) {
            page.line(&format!("accepted_drain_duration_seconds_bucket{{le=\"{bound}\"}} {count}"));
        }
        page.line(&format!("accepted_drain_duration_seconds_bucket{{le=\"+Inf\"}} {}", self.timed));
        page.line(&format!("accepted_drain_duration_seconds_sum {}", self.durations));
        page.number("accepted_drain_duration_seconds_count", self.timed);
        page.0
    }
}

struct Page(String);

impl Page {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn number(&mut self, name: &str, value: u64) {
        self.line(&format!("{name} {value}"));
    }

    /// Every label is shown from the start: a series that appears with its first value hides the first
    /// increase from a rate.
    fn labelled<const N: usize>(
        &mut self,
        name: &str,
        label: &str,
        values: [&'static str; N],
        counts: &BTreeMap<&'static str, u64>,
    ) {
        for value in values {
            let count = counts.get(value).copied().unwrap_or_default();
            self.line(&format!("{name}{{{label}=\"{value}\"}} {count}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drains_and_tasks_are_counted_by_result_and_outcome() {
        let metrics = Metrics::default();
        let counts =
            DrainReport { received: 4, completed: 3, retried: 1, purged: 2, ..DrainReport::default() };
        for outcome in [Outcome::Done(counts), Outcome::Done(counts), Outcome::Done(DrainReport::default())] {
            metrics.drain_started();
            metrics.drain_ended(&outcome, Duration::from_millis(300));
        }
        metrics.drain_started();
        metrics.set_healthy(true);
        let text = metrics.render();
        for line in [
            "accepted_host_healthy 1",
            "accepted_drains_running 1",
            "accepted_drains_total{result=\"busy\"} 2",
            "accepted_drains_total{result=\"idle\"} 1",
            "accepted_drains_total{result=\"failed\"} 0",
            "accepted_messages_received_total 8",
            "accepted_tasks_total{outcome=\"completed\"} 6",
            "accepted_tasks_total{outcome=\"lost\"} 0",
            "accepted_upkeep_total{action=\"purged\"} 4",
            "accepted_drain_duration_seconds_bucket{le=\"0.25\"} 0",
            "accepted_drain_duration_seconds_bucket{le=\"0.5\"} 2",
            "accepted_drain_duration_seconds_bucket{le=\"+Inf\"} 2",
            "accepted_drain_duration_seconds_sum 0.6",
        ] {
            assert!(text.lines().any(|there| there == line), "{line} not in\n{text}");
        }
    }

    #[test]
    fn every_series_has_help_and_type() {
        let text = Metrics::default().render();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap();
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .fold(name, |name, end| name.strip_suffix(end).unwrap_or(name));
            assert!(text.contains(&format!("# TYPE {base} ")), "{line}");
            assert!(text.contains(&format!("# HELP {base} ")), "{line}");
        }
    }
}
