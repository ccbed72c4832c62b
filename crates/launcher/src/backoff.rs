//! How long to wait before the next drain: pure values, with the randomness as an argument.

use std::time::Duration;

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

/// How a drain went, as far as the next one depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It did something: go on at once.
    Busy,
    /// It did nothing but says that there is more: go on after the shortest pause, because a worker that keeps
    /// saying so must not make the launcher spin.
    More,
    /// Nothing was there.
    Idle,
    /// No usable answer. The host may have said how long to stay away.
    Failed {
        /// From `Retry-After`.
        retry_after: Option<Duration>,
    },
}

/// Decides the pause before the next drain from the verdicts so far.
#[derive(Debug, Clone)]
pub struct Pace {
    idle: Backoff,
    failure: Backoff,
    idle_repeats: u32,
    failure_repeats: u32,
}

/// After failures: 1 s, doubling to 30 s.
pub const FAILURE: Backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(30) };
/// The first pause after an idle drain.
pub const FIRST_IDLE: Duration = Duration::from_millis(100);
/// A host cannot stop its launcher for longer than this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(120);

impl Pace {
    /// A fresh pace whose idle pauses reach `idle_max`.
    #[must_use]
    pub fn new(idle_max: Duration) -> Self {
        Self {
            idle: Backoff { first: FIRST_IDLE, max: idle_max },
            failure: FAILURE,
            idle_repeats: 0,
            failure_repeats: 0,
        }
    }

    /// The pause after a drain that went as `verdict` says.
    pub fn next(&mut self, verdict: Verdict, fraction: f64) -> Duration {
        match verdict {
            Verdict::Busy => {
                self.reset();
                Duration::ZERO
            }
            Verdict::More => {
                self.reset();
                self.idle.pause(0, fraction)
            }
            Verdict::Idle => {
                self.failure_repeats = 0;
                let pause = self.idle.pause(self.idle_repeats, fraction);
                self.idle_repeats = self.idle_repeats.saturating_add(1);
                pause
            }
            Verdict::Failed { retry_after } => {
                let pause = self.failure.pause(self.failure_repeats, fraction);
                self.failure_repeats = self.failure_repeats.saturating_add(1);
                pause.max(retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER))
            }
        }
    }

    /// Forgets the idle pauses: another drain found work.
    pub fn reset(&mut self) {
        self.idle_repeats = 0;
        self.failure_repeats = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(pace: &mut Pace, verdicts: &[Verdict], fraction: f64) -> Vec<u128> {
        verdicts.iter().map(|verdict| pace.next(*verdict, fraction).as_millis()).collect()
    }

    const FAILED: Verdict = Verdict::Failed { retry_after: None };

    #[test]
    fn idle_pauses_double_from_100_ms_to_the_maximum_with_jitter_down_to_half() {
        let mut pace = Pace::new(Duration::from_secs(5));
        let most = milliseconds(&mut pace, &[Verdict::Idle; 8], 1.0);
        assert_eq!(most, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        pace.reset();
        let least = milliseconds(&mut pace, &[Verdict::Idle; 8], 0.0);
        assert_eq!(least, [50, 100, 200, 400, 800, 1600, 2500, 2500]);
    }

    #[test]
    fn failures_back_off_from_1_s_to_30_s() {
        let mut pace = Pace::new(Duration::from_secs(5));
        let pauses = milliseconds(&mut pace, &[FAILED; 7], 1.0);
        assert_eq!(pauses, [1000, 2000, 4000, 8000, 16000, 30000, 30000]);
    }

    #[test]
    fn work_means_going_on_at_once_and_starting_over() {
        let mut pace = Pace::new(Duration::from_secs(5));
        let verdicts = [
            Verdict::Idle,
            Verdict::Idle,
            Verdict::Busy,
            Verdict::Idle,
            FAILED,
            FAILED,
            Verdict::Idle,
            FAILED,
        ];
        assert_eq!(milliseconds(&mut pace, &verdicts, 1.0), [100, 200, 0, 100, 1000, 2000, 200, 1000]);
    }

    #[test]
    fn more_without_work_never_spins_and_never_slows_down() {
        let mut pace = Pace::new(Duration::from_secs(5));
        assert_eq!(
            milliseconds(&mut pace, &[Verdict::Idle, Verdict::More, Verdict::More], 1.0),
            [100, 100, 100]
        );
    }

    #[test]
    fn retry_after_lengthens_a_pause_within_bounds() {
        let failed = |seconds| Verdict::Failed { retry_after: Some(Duration::from_secs(seconds)) };
        let mut pace = Pace::new(Duration::from_secs(5));
        assert_eq!(
            milliseconds(&mut pace, &[failed(7), failed(1), failed(86_400)], 1.0),
            [7000, 2000, 120_000]
        );
    }

    #[test]
    fn no_count_of_repeats_overflows() {
        let backoff = Backoff { first: Duration::from_secs(3600), max: Duration::MAX };
        assert!(backoff.step(u32::MAX) > Duration::from_secs(3600));
    }
}
