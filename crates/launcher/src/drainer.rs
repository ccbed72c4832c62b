//! The loop around drains, and the parallel drains of a replica.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lifecycle::pace::{Next, Pace};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use crate::drain::{DrainResult, Target, drain};
use crate::metrics::Metrics;
use crate::signals::Phase;
use crate::stderr::WriteLine as _;
use logging::{Level, Line};
use models::milliseconds;

/// Drains that found nothing write one line in this time.
const IDLE_LOG_INTERVAL: Duration = Duration::from_secs(60);

/// What the drains of one replica share.
#[derive(Debug)]
pub struct Replica {
    target: Target,
    phases: watch::Receiver<Phase>,
    metrics: Arc<Metrics>,
    started: Instant,
    pace: Mutex<Pace>,
    /// Woken when a drain has made others due, so that they need not finish their pause.
    due: Notify,
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    drains: u64,
    last_line: Option<Instant>,
}

impl Replica {
    /// A replica of `loops` loops whose drains go to `target`, and pause for `idle_max` at most while there is
    /// nothing to do.
    #[must_use]
    pub fn new(
        target: Target,
        loops: usize,
        idle_max: Duration,
        phases: watch::Receiver<Phase>,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        let pace = Mutex::new(Pace::new(loops, idle_max));
        let (due, idle) = (Notify::new(), Mutex::default());
        Arc::new(Self { target, phases, metrics, started: Instant::now(), pace, due, idle })
    }

    /// The loop at `index`: drains and pauses until the phase is no longer [`Phase::Running`] and its last drain
    /// has ended. Each index has one loop.
    ///
    /// Has no error: a drain that fails is followed by a pause.
    pub async fn run(&self, index: usize) {
        let mut phases = self.phases.clone();
        loop {
            // Registered before the pace is read, so that a change from here on ends the wait.
            let mut due = std::pin::pin!(self.due.notified());
            due.as_mut().enable();
            if *phases.borrow_and_update() != Phase::Running {
                self.pace().stop();
            }
            let next = self.pace().next(index, self.started.elapsed());
            match next {
                Next::Stop => return,
                Next::Drain => self.drain_once(index).await,
                Next::Wait(pause) => tokio::select! {
                    () = sleep(pause) => {}
                    () = due => {}
                    changed = phases.changed() => if changed.is_err() { return },
                },
            }
        }
    }

    async fn drain_once(&self, index: usize) {
        let started = Instant::now();
        self.metrics.drain_started();
        let outcome = drain(&self.target, index, self.phases.clone()).await;
        let took = started.elapsed();
        self.metrics.drain_ended(&outcome, took);
        self.log(&outcome, took);
        let woken = self.pace().ended(index, outcome.ending(), self.started.elapsed(), fraction());
        if woken {
            self.due.notify_waiters();
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        // Every method of the pace leaves it whole, also when another thread panicked.
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self, outcome: &DrainResult, took: Duration) {
        let line = match outcome {
            DrainResult::Done(report) if report.did_something() || report.retry_after_seconds.is_some() => {
                let mut line =
                    Line::info("drained").with("received", report.received).with("more", report.more);
                for (name, count) in report.outcomes().into_iter().chain(report.upkeep()) {
                    if count > 0 {
                        line = line.with(name, count);
                    }
                }
                if let Some(seconds) = report.retry_after_seconds {
                    line = line.with("retry_after_seconds", seconds);
                }
                line
            }
            DrainResult::Done(_) => match self.idle_line() {
                Some(line) => line,
                None => return,
            },
            DrainResult::Refused { status, retry_after, problem } => {
                let level = if status.is_server_error() { Level::Warn } else { Level::Error };
                let mut line =
                    Line::new(level, "the worker refused to drain").with("status", status.as_u16());
                if let Some(seconds) = retry_after {
                    line = line.with("retry_after_seconds", seconds.as_secs());
                }
                match (problem, advice(status.as_u16())) {
                    (Some(problem), _) => line.with("problem", problem.as_str()),
                    (None, Some(advice)) => line.with("advice", advice),
                    (None, None) => line,
                }
            }
            DrainResult::Failed(error) => {
                Line::warn("a drain had no usable response").with("reason", error.to_string())
            }
        };
        line.with("duration_ms", milliseconds(took)).write();
    }

    fn idle_line(&self) -> Option<Line> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.drains += 1;
        if idle.last_line.is_some_and(|last| last.elapsed() < IDLE_LOG_INTERVAL) {
            return None;
        }
        idle.last_line = Some(Instant::now());
        Some(Line::info("nothing to drain").with("idle_drains", std::mem::take(&mut idle.drains)))
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

/// A uniform fraction in `[0, 1)` for jitter; 0.5 when the system has no randomness.
fn fraction() -> f64 {
    getrandom::u32().map_or(0.5, |bits| f64::from(bits) / (f64::from(u32::MAX) + 1.0))
}
