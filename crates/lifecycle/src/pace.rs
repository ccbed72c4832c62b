//! When a replica drains next: the pace of the launcher, shared by the loops that drain side by side.
//!
//! A loop drains, and waits as long as the end of its drain asks for: not at all after work, longer and
//! longer while there is none or while drains fail. What a worker asks for (`retryAfterSeconds`,
//! `Retry-After`) holds for all loops of the replica, whoever was told, and nothing that wakes a loop
//! shortens it.
//!
//! Time is what has passed since the replica started, by a clock that nobody sets.

use std::time::Duration;

use models::DrainReport;

/// The longest rest that a worker asks for, and that a launcher grants: one that is told more looks again
/// after so long. A busy storage account recovers within seconds, and an operator's correction must be seen.
pub const LONGEST_REST: Duration = Duration::from_secs(120);
/// The first pause after a drain that found nothing.
pub const FIRST_IDLE: Duration = Duration::from_millis(100);
/// After failures: 1 s, doubling to 30 s.
pub const FAILURE: Backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(30) };
/// A rest is made longer by up to a quarter, so that replicas that were told together come back one by one.
const SPREAD: f64 = 0.25;

/// Pauses that double up to a maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first pause.
    pub first: Duration,
    /// No pause is longer.
    pub max: Duration,
}

impl Backoff {
    /// The pause after `repeats` pauses in a row, before jitter.
    #[must_use]
    pub fn step(self, repeats: u32) -> Duration {
        // 2^20 times the shortest sensible first pause is beyond every maximum.
        self.first.saturating_mul(1 << repeats.min(20)).min(self.max)
    }

    /// The pause with jitter: between half of the step and all of it, so that replicas that were started
    /// together drift apart but none hammers. `fraction` is uniform in `[0, 1)`.
    #[must_use]
    pub fn pause(self, repeats: u32, fraction: f64) -> Duration {
        self.step(repeats).mul_f64(0.5 + fraction.clamp(0.0, 1.0) / 2.0)
    }
}

/// How a drain ended, as far as its own loop depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It did something: go on at once.
    Busy,
    /// It did nothing but says that there is more: go on after the shortest pause, because a worker that
    /// keeps saying so must not make the launcher spin.
    More,
    /// Nothing was there.
    Idle,
    /// No usable answer.
    Failed,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// For the loop that ran it.
    pub verdict: Verdict,
    /// Whether loops that found nothing should look again.
    pub more: bool,
    /// For how long no loop of the replica may drain.
    pub rest: Option<Duration>,
}

impl Ending {
    /// The worker answered with `report`.
    #[must_use]
    pub fn of(report: &DrainReport) -> Self {
        let verdict = match (report.did_something(), report.more) {
            (true, _) => Verdict::Busy,
            (false, true) => Verdict::More,
            (false, false) => Verdict::Idle,
        };
        Self { verdict, more: report.more, rest: report.retry_after() }
    }

    /// There was no report; the host may have said how long to stay away.
    #[must_use]
    pub fn failed(retry_after: Option<Duration>) -> Self {
        Self { verdict: Verdict::Failed, more: false, rest: retry_after }
    }
}

/// What a loop does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Drain.
    Drain,
    /// Ask again after this time, or when something has changed.
    Wait(Duration),
    /// End: the replica stops.
    Stop,
}

/// Where one loop stands.
#[derive(Debug, Clone, Copy, Default)]
struct Loop {
    due: Duration,
    idle_repeats: u32,
    failure_repeats: u32,
    /// It waits because there was nothing to do.
    is_idle: bool,
}

/// The pace of a replica.
#[derive(Debug, Clone)]
pub struct Pace {
    idle: Backoff,
    loops: Vec<Loop>,
    /// No loop drains before this.
    rest_until: Duration,
    stopped: bool,
}

impl Pace {
    /// A replica of `loops` loops, all due at once, whose idle pauses reach `idle_max`.
    #[must_use]
    pub fn new(loops: usize, idle_max: Duration) -> Self {
        Self {
            idle: Backoff { first: FIRST_IDLE, max: idle_max },
            loops: vec![Loop::default(); loops],
            rest_until: Duration::ZERO,
            stopped: false,
        }
    }

    /// What the loop at `index` does at `now`.
    #[must_use]
    pub fn next(&self, index: usize, now: Duration) -> Next {
        let Some(own) = self.loops.get(index).filter(|_| !self.stopped) else { return Next::Stop };
        match own.due.max(self.rest_until).saturating_sub(now) {
            Duration::ZERO => Next::Drain,
            wait => Next::Wait(wait),
        }
    }

    /// A drain of the loop at `index` has ended. Whether other loops have become due by it. `fraction` is
    /// uniform in `[0, 1)`.
    pub fn ended(&mut self, index: usize, ending: Ending, now: Duration, fraction: f64) -> bool {
        if let Some(rest) = ending.rest {
            let spread = 1.0 + SPREAD * fraction.clamp(0.0, 1.0);
            self.rest_until = self.rest_until.max(now + rest.min(LONGEST_REST).mul_f64(spread));
        }
        if let Some(own) = self.loops.get_mut(index) {
            own.after(ending.verdict, self.idle, now, fraction);
        }
        let mut woken = false;
        if ending.more {
            // A loop whose drains fail keeps its pause: that there is more to do is no reason to believe
            // that its next drain would not fail as well.
            let others = self.loops.iter_mut().enumerate().filter(|(other, _)| *other != index);
            for (_, other) in others.filter(|(_, other)| other.is_idle) {
                *other = Loop { due: now, ..Loop::default() };
                woken = true;
            }
        }
        woken
    }

    /// From now on no drain begins.
    pub fn stop(&mut self) {
        self.stopped = true;
    }
}

impl Loop {
    fn after(&mut self, verdict: Verdict, idle: Backoff, now: Duration, fraction: f64) {
        let before = *self;
        *self = match verdict {
            Verdict::Busy => Self { due: now, ..Self::default() },
            Verdict::More => Self { due: now + idle.pause(0, fraction), ..Self::default() },
            Verdict::Idle => Self {
                due: now + idle.pause(before.idle_repeats, fraction),
                idle_repeats: before.idle_repeats.saturating_add(1),
                failure_repeats: 0,
                is_idle: true,
            },
            Verdict::Failed => Self {
                due: now + FAILURE.pause(before.failure_repeats, fraction),
                idle_repeats: before.idle_repeats,
                failure_repeats: before.failure_repeats.saturating_add(1),
                is_idle: false,
            },
        };
    }
}
