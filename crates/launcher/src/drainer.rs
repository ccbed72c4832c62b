//! The loop around drains, and the parallel drains of a replica.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use crate::backoff::{Pace, Verdict};
use crate::drain::{Outcome, Target, drain};
use crate::log::{Level, Line};
use crate::metrics::Metrics;
use crate::signals::Phase;

/// Lines about nothing are written at most this often.
const IDLE_LINE: Duration = Duration::from_secs(60);

/// What the drains of one replica share.
#[derive(Debug)]
pub struct Replica {
    target: Target,
    idle_max: Duration,
    phases: watch::Receiver<Phase>,
    metrics: Arc<Metrics>,
    /// Woken when a drain left messages behind, so that the others need not finish their pause.
    more: Notify,
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    drains: u64,
    last_line: Option<Instant>,
}

impl Replica {
    /// A replica whose drains go to `target`.
    #[must_use]
    pub fn new(
        target: Target,
        idle_max: Duration,
        phases: watch::Receiver<Phase>,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        Arc::new(Self { target, idle_max, phases, metrics, more: Notify::new(), idle: Mutex::default() })
    }

    /// Drains and pauses until the phase is no longer [`Phase::Running`] and the last drain has ended.
    ///
    /// Has no error: whatever a drain meets becomes a pause.
    pub async fn run(&self) {
        let mut phases = self.phases.clone();
        let mut pace = Pace::new(self.idle_max);
        while *phases.borrow_and_update() == Phase::Running {
            let verdict = self.once().await;
            let pause = pace.next(verdict, fraction());
            if pause.is_zero() {
                continue;
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = self.more.notified() => pace.reset(),
                changed = phases.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn once(&self) -> Verdict {
        let started = Instant::now();
        self.metrics.drain_started();
        let outcome = drain(&self.target, self.phases.clone()).await;
        let took = started.elapsed();
        self.metrics.drain_ended(&outcome, took);
        self.report(&outcome, took);
        let verdict = verdict(&outcome);
        if matches!(outcome, Outcome::Done(counts) if counts.more) {
            self.more.notify_waiters();
        }
        verdict
    }

    fn report(&self, outcome: &Outcome, took: Duration) {
        let line = match outcome {
            Outcome::Done(counts) if counts.did_something() => {
                let mut line =
                    Line::info("drained").with("received", counts.received).with("more", counts.more);
                for (name, count) in counts.outcomes().into_iter().chain(counts.upkeep()) {
                    if count > 0 {
                        line = line.with(name, count);
                    }
                }
                line
            }
            Outcome::Done(_) => match self.idle_line() {
                Some(line) => line,
                None => return,
            },
            Outcome::Refused { status, retry_after } => {
                let level = if status.is_server_error() { Level::Warn } else { Level::Error };
                let mut line =
                    Line::new(level, "the worker refused to drain").with("status", status.as_u16());
                if let Some(seconds) = retry_after {
                    line = line.with("retry_after_seconds", seconds.as_secs());
                }
                match advice(status.as_u16()) {
                    Some(advice) => line.with("advice", advice),
                    None => line,
                }
            }
            Outcome::Broken(broken) => {
                Line::warn("a drain had no usable answer").with("reason", broken.to_string())
            }
        };
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        line.with("duration_ms", milliseconds).write();
    }

    fn idle_line(&self) -> Option<Line> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.drains += 1;
        if idle.last_line.is_some_and(|last| last.elapsed() < IDLE_LINE) {
            return None;
        }
        idle.last_line = Some(Instant::now());
        Some(Line::info("nothing to drain").with("idle_drains", std::mem::take(&mut idle.drains)))
    }
}

fn verdict(outcome: &Outcome) -> Verdict {
    match outcome {
        Outcome::Done(counts) if counts.did_something() => Verdict::Busy,
        Outcome::Done(counts) if counts.more => Verdict::More,
        Outcome::Done(_) => Verdict::Idle,
        Outcome::Refused { retry_after, .. } => Verdict::Failed { retry_after: *retry_after },
        Outcome::Broken(_) => Verdict::Failed { retry_after: None },
    }
}

fn advice(status: u16) -> Option<&'static str> {
    match status {
        401 => Some(
            "the worker has another drain_token than the launcher: set SPIN_VARIABLE_DRAIN_TOKEN for both",
        ),
        403 => Some("the worker has no drain_token: set SPIN_VARIABLE_DRAIN_TOKEN for the host"),
        404 | 405 => Some("there is no drain route at --drain-url"),
        _ => None,
    }
}

/// A uniform fraction in `[0, 1)` for jitter; the middle when the system has no randomness to give.
fn fraction() -> f64 {
    getrandom::u32().map_or(0.5, |bits| f64::from(bits) / (f64::from(u32::MAX) + 1.0))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::drain::Counts;

    #[test]
    fn each_outcome_has_one_verdict() {
        let done = |received, more| Outcome::Done(Counts { received, more, ..Counts::default() });
        let retry_after = Some(Duration::from_secs(9));
        let refused = Outcome::Refused { status: StatusCode::SERVICE_UNAVAILABLE, retry_after };
        assert_eq!(verdict(&done(1, false)), Verdict::Busy);
        assert_eq!(verdict(&done(1, true)), Verdict::Busy);
        assert_eq!(verdict(&done(0, true)), Verdict::More);
        assert_eq!(verdict(&done(0, false)), Verdict::Idle);
        assert_eq!(verdict(&refused), Verdict::Failed { retry_after });
    }
}
