//! What the replica has done since it started, as Prometheus text.
//!
//! The components keep no counters: an instance lives for a second or an hour, and each would count only its own
//! requests. The launcher lives exactly as long as the replica.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use models::DrainReport;
use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use crate::drain::DrainResult;

/// Upper bounds of the duration histogram, in seconds.
const DURATION_BUCKETS_SECONDS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];

/// Counters with one label.
type Counters = Family<[(&'static str, &'static str); 1], Counter>;

/// The metrics of one replica.
#[derive(Debug)]
pub struct Metrics {
    healthy: Gauge,
    running: Gauge,
    paused: Gauge,
    drains: Counters,
    received: Counter,
    tasks: Counters,
    upkeep: Counters,
    handler_restarts: Counters,
    durations: Histogram,
    registry: Registry,
    latest_drain: Mutex<Option<LatestDrain>>,
}

/// How the drain ended that ended last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LatestDrain {
    /// Whether the worker returned its report.
    pub(crate) is_done: bool,
    /// Why it did not, if it said so.
    pub(crate) problem: Option<String>,
    /// Whether tasks of a handler were seen to share an instance.
    pub(crate) handlers_share_instances: bool,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("accepted");
        let mut counters = |name, help, label, values: &[&'static str]| {
            let counters = Counters::default();
            // Every series is there from the start: one that appears with its first value hides the first
            // increase from a rate.
            values.iter().for_each(|value| drop(counters.get_or_create(&[(label, value)])));
            registered(&mut registry, name, help, counters)
        };
        // The encoder adds `_total` to the names of counters.
        let drains = counters("drains", "Drains by result", "result", &["busy", "idle", "failed"]);
        let outcomes = DrainReport::default().outcomes().map(|(name, _)| name);
        let tasks = counters("tasks", "Deliveries by outcome", "outcome", &outcomes);
        let actions = DrainReport::default().upkeep().map(|(name, _)| name);
        let upkeep =
            counters("upkeep", "Documents and scheduled messages attended to, by action", "action", &actions);
        let handler_restarts = counters(
            "handler_process_restarts",
            "Restarts of the host of the handlers, by reason",
            "reason",
            &["ended", "overrun", "stall"],
        );
        let registry = &mut registry;
        Self {
            healthy: registered(
                registry,
                "host_healthy",
                "1 while the host responds, 0 before its first response, after three failures in a row and after its end",
                Gauge::default(),
            ),
            running: registered(registry, "drains_running", "Drains in flight", Gauge::default()),
            paused: registered(
                registry,
                "queue_paused",
                "1 if the last drain found the queue paused",
                Gauge::default(),
            ),
            received: registered(
                registry,
                "messages_received",
                "Messages received from the task queue",
                Counter::default(),
            ),
            durations: registered(
                registry,
                "drain_duration_seconds",
                "Duration of drains that did something",
                Histogram::new(DURATION_BUCKETS_SECONDS),
            ),
            drains,
            tasks,
            upkeep,
            handler_restarts,
            registry: std::mem::take(registry),
            latest_drain: Mutex::default(),
        }
    }
}

fn registered<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

impl Metrics {
    /// Records whether the host responds.
    pub fn set_healthy(&self, healthy: bool) {
        self.healthy.set(healthy.into());
    }

    /// Whether the host responds, as far as is known.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.healthy.get() == 1
    }

    /// Records that the host of the handlers was replaced.
    pub fn handlers_restarted(&self, reason: &'static str) {
        self.handler_restarts.get_or_create(&[("reason", reason)]).inc();
    }

    /// Records that a drain began.
    pub fn drain_started(&self) {
        self.running.inc();
    }

    /// Records that a drain ended.
    pub fn drain_ended(&self, outcome: &DrainResult, took: Duration) {
        self.running.dec();
        let latest = LatestDrain {
            is_done: matches!(outcome, DrainResult::Done(_)),
            problem: match outcome {
                DrainResult::Refused { problem, .. } => problem.clone(),
                DrainResult::Done(_) | DrainResult::Failed(_) => None,
            },
            handlers_share_instances: matches!(outcome, DrainResult::Done(report) if report.handlers_share_instances),
        };
        *self.latest_drain.lock().unwrap_or_else(PoisonError::into_inner) = Some(latest);
        if let DrainResult::Done(report) = outcome {
            self.paused.set(report.paused.into());
        }
        let result = match outcome {
            DrainResult::Done(report) if report.did_something() => {
                self.add(report);
                self.durations.observe(took.as_secs_f64());
                "busy"
            }
            DrainResult::Done(_) => "idle",
            DrainResult::Refused { .. } | DrainResult::Failed(_) => "failed",
        };
        self.drains.get_or_create(&[("result", result)]).inc();
    }

    fn add(&self, report: &DrainReport) {
        self.received.inc_by(report.received.into());
        for (name, count) in report.outcomes() {
            self.tasks.get_or_create(&[("outcome", name)]).inc_by(count.into());
        }
        for (name, count) in report.upkeep() {
            self.upkeep.get_or_create(&[("action", name)]).inc_by(count.into());
        }
    }

    /// How the latest drain ended; `None` before the end of the first.
    pub(crate) fn latest_drain(&self) -> Option<LatestDrain> {
        self.latest_drain.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The text of `GET /metrics`, in the format of [`prometheus_text::CONTENT_TYPE`].
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = prometheus_text::encode(&mut text, &self.registry);
        text
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
        for outcome in [counts, counts, DrainReport::default()].map(DrainResult::Done) {
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
