//! The pace of a replica: when each of its concurrent loops drains next.
//!
//! A loop drains again at once after a drain with work, and with increasing pauses after drains without work or
//! after failures. A rest that a worker asks for (`retryAfterSeconds`, `Retry-After`) applies to all loops of the
//! replica, and nothing shortens it.
//!
//! Times are durations since the start of the replica by the monotonic clock.

use std::time::Duration;

use models::DrainReport;

/// The longest rest that a worker asks for and a launcher grants. A throttled storage account recovers within
/// seconds, and a corrected configuration should take effect soon.
pub const MAX_REST: Duration = Duration::from_secs(120);
/// The first pause after a drain without work.
pub const FIRST_IDLE_PAUSE: Duration = Duration::from_millis(100);
/// The pauses after failed drains: 1 s, doubling to 30 s.
pub const FAILURE_BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(30) };
/// The jitter added to a rest, as a fraction of it, so that replicas do not all continue at the same time.
const REST_JITTER: f64 = 0.25;

/// Exponential back-off: pauses that double up to a maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first pause.
    pub first: Duration,
    /// The longest pause.
    pub max: Duration,
}

impl Backoff {
    /// Returns the pause after `repeats` earlier pauses in a row, without jitter.
    #[must_use]
    pub fn step(self, repeats: u32) -> Duration {
        // 2^20 times any first pause in use is longer than any maximum.
        self.first.saturating_mul(1 << repeats.min(20)).min(self.max)
    }

    /// Returns the pause with jitter: between half of [`Self::step`] and all of it. `fraction` is uniform in
    /// `[0, 1)`.
    #[must_use]
    pub fn pause(self, repeats: u32, fraction: f64) -> Duration {
        self.step(repeats).mul_f64(0.5 + fraction.clamp(0.0, 1.0) / 2.0)
    }
}

/// How a drain ended, for the loop that ran it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrainOutcome {
    /// The drain did work: drain again at once.
    Busy,
    /// The drain did no work but reports more: drain again after the shortest pause, so that such a worker does not
    /// cause a busy loop.
    More,
    /// There was no work.
    Idle,
    /// The response was not a report.
    Failed,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// What it means for the loop that ran it.
    pub outcome: DrainOutcome,
    /// Whether idle loops should drain at once.
    pub more: bool,
    /// The time in which no loop of the replica may drain.
    pub rest: Option<Duration>,
}

impl Ending {
    /// The ending of a drain with a report.
    #[must_use]
    pub fn of(report: &DrainReport) -> Self {
        let outcome = match (report.did_something(), report.more) {
            (true, _) => DrainOutcome::Busy,
            (false, true) => DrainOutcome::More,
            (false, false) => DrainOutcome::Idle,
        };
        Self { outcome, more: report.more, rest: report.retry_after() }
    }

    /// The ending of a drain without a report. `retry_after` is the `Retry-After` of the response.
    #[must_use]
    pub fn failed(retry_after: Option<Duration>) -> Self {
        Self { outcome: DrainOutcome::Failed, more: false, rest: retry_after }
    }
}

/// The next step of a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Drain now.
    Drain,
    /// Ask again after this time, or when [`Pace::ended`] has returned true.
    Wait(Duration),
    /// End, because the replica stops.
    Stop,
}

/// The state of one loop.
#[derive(Debug, Clone, Copy, Default)]
struct Loop {
    due: Duration,
    idle_repeats: u32,
    failure_repeats: u32,
    /// Whether it waits because there was no work.
    is_idle: bool,
}

/// The pace of a replica.
#[derive(Debug, Clone)]
pub struct Pace {
    idle: Backoff,
    loops: Vec<Loop>,
    /// No loop drains before this time.
    rest_until: Duration,
    stopped: bool,
}

impl Pace {
    /// Creates the pace of `loops` loops, all due at once, with idle pauses of up to `idle_max`.
    #[must_use]
    pub fn new(loops: usize, idle_max: Duration) -> Self {
        Self {
            idle: Backoff { first: FIRST_IDLE_PAUSE, max: idle_max },
            loops: vec![Loop::default(); loops],
            rest_until: Duration::ZERO,
            stopped: false,
        }
    }

    /// Returns the next step of the loop at `index`.
    #[must_use]
    pub fn next(&self, index: usize, now: Duration) -> Next {
        let Some(own) = self.loops.get(index).filter(|_| !self.stopped) else { return Next::Stop };
        match own.due.max(self.rest_until).saturating_sub(now) {
            Duration::ZERO => Next::Drain,
            wait => Next::Wait(wait),
        }
    }

    /// Records the end of a drain of the loop at `index`. Returns whether other loops have become due. `fraction`
    /// is uniform in `[0, 1)`.
    pub fn ended(&mut self, index: usize, ending: Ending, now: Duration, fraction: f64) -> bool {
        if let Some(rest) = ending.rest {
            let spread = 1.0 + REST_JITTER * fraction.clamp(0.0, 1.0);
            self.rest_until = self.rest_until.max(now + rest.min(MAX_REST).mul_f64(spread));
        }
        if let Some(own) = self.loops.get_mut(index) {
            own.after(ending.outcome, self.idle, now, fraction);
        }
        let mut woken = false;
        if ending.more {
            // A loop whose drains fail keeps its pause: more work does not make its next drain succeed.
            let others = self.loops.iter_mut().enumerate().filter(|(other, _)| *other != index);
            for (_, other) in others.filter(|(_, other)| other.is_idle) {
                *other = Loop { due: now, ..Loop::default() };
                woken = true;
            }
        }
        woken
    }

    /// Stops all loops: no further drain begins.
    pub fn stop(&mut self) {
        self.stopped = true;
    }
}

impl Loop {
    fn after(&mut self, outcome: DrainOutcome, idle: Backoff, now: Duration, fraction: f64) {
        let before = *self;
        *self = match outcome {
            DrainOutcome::Busy => Self { due: now, ..Self::default() },
            DrainOutcome::More => Self { due: now + idle.pause(0, fraction), ..Self::default() },
            DrainOutcome::Idle => Self {
                due: now + idle.pause(before.idle_repeats, fraction),
                idle_repeats: before.idle_repeats.saturating_add(1),
                failure_repeats: 0,
                is_idle: true,
            },
            DrainOutcome::Failed => Self {
                due: now + FAILURE_BACKOFF.pause(before.failure_repeats, fraction),
                idle_repeats: before.idle_repeats,
                failure_repeats: before.failure_repeats.saturating_add(1),
                is_idle: false,
            },
        };
    }
}
