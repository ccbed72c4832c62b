//! The host process of the task handlers: started, watched, killed and started again, without the worker's.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use azure::Secret;
use http::Uri;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use crate::child::Host;
use crate::health::probe;
use crate::metrics::Metrics;
use crate::overrun::{Process, Report};
use crate::stderr::WriteLine as _;
use logging::Line;

/// Between two health checks.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// How long a response to a health check may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// A health check that takes longer shows that handlers block the process: others take milliseconds.
const BLOCKED_AFTER: Duration = Duration::from_millis(500);
/// A process that lived longer than this is started again at once.
const STEADY_AFTER: Duration = Duration::from_secs(10);
/// The first pause before a process that ended early is started again; pauses double.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest of these pauses.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// How the process is started and judged.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Program and arguments.
    pub command: Vec<OsString>,
    /// Added to the environment.
    pub variables: BTreeMap<String, Secret>,
    /// Responds 2xx while the process serves requests.
    pub health_url: Uri,
    /// How long the process may take until it is healthy.
    pub start_timeout: Duration,
    /// How long it may then be without a response: handlers that compute keep it from responding.
    pub stall: Duration,
}

/// The process, until [`Self::stop`].
#[derive(Debug)]
pub struct HandlerProcess {
    stop: watch::Sender<Option<Instant>>,
    supervisor: JoinHandle<()>,
}

/// Why a process is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Overrun,
    Stall,
    Ended(u8),
}

impl HandlerProcess {
    /// Starts the process and its supervisor. `reports` are about handlers that have not ended in time.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(plan: Plan, reports: mpsc::Receiver<Report>, metrics: Arc<Metrics>) -> io::Result<Self> {
        let host = Host::start(&plan.command, &plan.variables)?;
        let (stop, stopped) = watch::channel(None);
        let supervisor = tokio::spawn(supervise(plan, host, reports, stopped, metrics));
        Ok(Self { stop, supervisor })
    }

    /// Ends the process: SIGTERM, and at `deadline` SIGKILL.
    pub async fn stop(self, deadline: Instant) {
        self.stop.send_replace(Some(deadline));
        // Its own limit is that of a killed process.
        let _ = timeout_at(deadline + Duration::from_secs(2), self.supervisor).await;
    }
}

async fn supervise(
    plan: Plan,
    first: Host,
    mut reports: mpsc::Receiver<Report>,
    mut stop: watch::Receiver<Option<Instant>>,
    metrics: Arc<Metrics>,
) {
    let mut host = first;
    let mut restarts = Restarts::default();
    loop {
        let started = Instant::now();
        let silence = Silence::default();
        let reason = tokio::select! {
            ending = host.ended() => Reason::Ended(ending.exit_code()),
            () = overrun(&mut reports, started, &plan, &silence) => Reason::Overrun,
            () = stall(&plan, &silence) => Reason::Stall,
            deadline = stopped(&mut stop) => {
                host.stop(deadline).await;
                return;
            }
        };
        host.kill().await;
        log(reason, started);
        metrics.handlers_restarted(reason.name());
        let mut pause = restarts.pause(reason, started.elapsed());
        host = loop {
            tokio::select! {
                () = sleep(pause) => {}
                _ = stopped(&mut stop) => return,
            }
            match Host::start(&plan.command, &plan.variables) {
                Ok(host) => break host,
                Err(error) => {
                    Line::error("the host of the handlers cannot be started")
                        .with("reason", error.to_string())
                        .write();
                    pause = MAX_PAUSE;
                }
            }
        };
    }
}

/// The pauses before a process is started again.
#[derive(Debug, Default)]
struct Restarts {
    /// Processes in a row that ended by themselves, or never responded, soon after their start.
    early: u32,
}

impl Restarts {
    /// How long to wait after a process that lived for `life`. One with a handler that ran too long worked until then, and
    /// is started again at once.
    fn pause(&mut self, reason: Reason, life: Duration) -> Duration {
        if reason == Reason::Overrun || life >= STEADY_AFTER {
            self.early = 0;
            return Duration::ZERO;
        }
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.early)).min(MAX_PAUSE);
        self.early = self.early.saturating_add(1);
        pause
    }
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::Overrun => "overrun",
            Self::Stall => "stall",
            Self::Ended(_) => "ended",
        }
    }
}

fn log(reason: Reason, started: Instant) {
    let seconds = started.elapsed().as_secs();
    let line = match reason {
        Reason::Overrun => {
            Line::warn("a handler did not end in time; the host of the handlers is started again")
        }
        Reason::Stall => Line::error("the host of the handlers does not respond and is started again"),
        Reason::Ended(code) => Line::error("the host of the handlers ended by itself and is started again")
            .with("exit_code", code),
    };
    line.with("seconds", seconds).write();
}

/// When the process was last seen not to respond.
#[derive(Debug, Default)]
struct Silence(Mutex<Option<Instant>>);

impl Silence {
    /// Checks the health of the process. A late response counts as one, and as a silence.
    async fn probe(&self, plan: &Plan, limit: Duration) -> bool {
        let asked = Instant::now();
        let is_healthy = probe(&plan.health_url, limit).await.is_ok();
        if !is_healthy || asked.elapsed() > BLOCKED_AFTER {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        is_healthy
    }

    /// What is known of the last `ago` of the process that was started then.
    fn process(&self, ago: Duration, started: Instant) -> Process {
        let since = started.elapsed().saturating_sub(ago);
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let was_silent = last.is_some_and(|last| last.saturating_duration_since(started) >= since);
        if started.elapsed() < ago || was_silent { Process::Blocked } else { Process::Responsive }
    }
}

/// Waits for a report about a handler of the process that was started then. A report about an earlier process is late.
///
/// Before the process is replaced, every report that waits gets to know whether it was blocked.
async fn overrun(reports: &mut mpsc::Receiver<Report>, started: Instant, plan: &Plan, silence: &Silence) {
    while let Some(report) = reports.recv().await {
        let is_late = started.elapsed() < report.ago;
        if !is_late {
            // A handler may block the process since the last check.
            silence.probe(plan, BLOCKED_AFTER).await;
        }
        inform(report, started, silence);
        if !is_late {
            while let Ok(report) = reports.try_recv() {
                inform(report, started, silence);
            }
            return;
        }
    }
    std::future::pending::<()>().await;
}

fn inform(report: Report, started: Instant, silence: &Silence) {
    // The worker may have given up the report.
    let _ = report.process.send(silence.process(report.ago, started));
}

/// Waits until the process has not been healthy for too long.
async fn stall(plan: &Plan, silence: &Silence) {
    let mut limit = plan.start_timeout;
    let mut healthy_at = Instant::now();
    loop {
        let asked = Instant::now();
        if silence.probe(plan, PROBE_TIMEOUT.min(limit)).await {
            (healthy_at, limit) = (Instant::now(), plan.stall);
        } else if healthy_at.elapsed() >= limit {
            return;
        }
        tokio::time::sleep_until(asked + PROBE_INTERVAL).await;
    }
}

async fn stopped(stop: &mut watch::Receiver<Option<Instant>>) -> Instant {
    loop {
        if let Some(deadline) = *stop.borrow_and_update() {
            return deadline;
        }
        if stop.changed().await.is_err() {
            // The owner is gone without a stop, which ends the launcher.
            return Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_while_processes_end_early() {
        let mut restarts = Restarts::default();
        let mut pause = |reason, seconds| restarts.pause(reason, Duration::from_secs(seconds)).as_millis();
        let ended = Reason::Ended(1);
        let pauses = [(); 7].map(|()| pause(ended, 1));
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        assert_eq!((pause(ended, 11), pause(Reason::Stall, 1)), (0, 500), "after a steady one");
        assert_eq!((pause(Reason::Overrun, 1), pause(ended, 1)), (0, 500), "after one that worked");
    }
}
