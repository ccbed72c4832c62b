//! When a recurring task is due: a cron expression in a time zone, or a fixed interval.
//!
//! All results are whole seconds. A cron expression names local times. Where clocks are set forward, a local time does not
//! exist; where they are set back, it occurs twice:
//!
//! | | hour field names every hour | other expressions |
//! |---|---|---|
//! | does not exist | not due | due at the first instant after the gap |
//! | occurs twice | due both times | due the first time |
//!
//! An expression for every hour thus counts elapsed time, and every other one is due once a day at which it names a time.

mod calendar;
mod cron;
mod interval;
mod zone;

use std::time::Duration;

use models::Timestamp;

pub use cron::Cron;
pub use interval::{MAX_INTERVAL, MIN_INTERVAL, parse_interval};
pub use zone::{Zone, zone_names};

use zone::Instants;

/// Local times that are examined for one result. Those of three hours suffice, because no zone is set by more.
const MAX_CANDIDATES: usize = 400;
/// The longest time without an instant that is found: 29 February is due eight years later at the latest.
const MAX_GAP: Duration = Duration::from_secs(9 * 366 * 86_400);

/// When something is due again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recurrence {
    /// At the local times of an expression.
    Cron(Box<Cron>, Zone),
    /// At a moment, and at every multiple of a time (at least [`MIN_INTERVAL`]) after it.
    Every(Duration, Timestamp),
}

impl Recurrence {
    /// Returns the first instant after `after`; `None` if there is none within nine years.
    #[must_use]
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Cron(cron, zone) => {
                next_of_cron(cron, zone, after.unix_millis().div_euclid(1000)).map(of_seconds)
            }
            Self::Every(interval, start) if after < *start => Some(*start).filter(|_| !interval.is_zero()),
            Self::Every(interval, start) => {
                let interval = i64::try_from(interval.as_millis()).ok().filter(|millis| *millis > 0)?;
                let passed = after.unix_millis().checked_sub(start.unix_millis())?;
                let multiples = passed.div_euclid(interval).checked_add(1)?.checked_mul(interval)?;
                start.unix_millis().checked_add(multiples).map(Timestamp::from_unix_millis)
            }
        }
    }

    /// Returns the last instant at or before `now` and after `since`; `None` if there is none.
    ///
    /// It takes about 30 calculations, however many instants there are: after an outage of months the missed ones are not
    /// counted one by one.
    #[must_use]
    pub fn latest(&self, since: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let mut latest = self.next(since).filter(|first| *first <= now)?;
        // The first instant after `low` is not after `now`; the first one after `high` is.
        let (mut low, mut high) = (latest, now);
        while let Some(after) = self.next(low).filter(|after| *after <= now) {
            latest = after;
            low = after;
            let middle = low.plus(high.since(low) / 2);
            match self.next(middle).filter(|after| *after <= now) {
                Some(after) => (latest, low) = (after, after),
                None => high = middle,
            }
        }
        Some(latest)
    }

    /// Returns the first of the latest `count` instants up to `now`, given that `first` is one of them or an earlier instant.
    /// If there are fewer from `first` on, it is `first`.
    #[must_use]
    pub fn first_of_latest(&self, count: usize, first: Timestamp, now: Timestamp) -> Option<Timestamp> {
        // From `low` on there are more than `count` instants, from `high` on there are not.
        let (mut low, mut high) = (first, now);
        if !self.has_more(count, first, now) {
            return Some(first);
        }
        while high.since(low) > Duration::from_secs(1) {
            let middle = low.plus(high.since(low) / 2);
            match self.next(middle).filter(|instant| *instant <= high) {
                Some(instant) if self.has_more(count, instant, now) => low = instant,
                _ => high = middle,
            }
        }
        self.next(low)
    }

    /// Whether there are more than `count` instants from `first`, which is one, to `now`.
    fn has_more(&self, count: usize, first: Timestamp, now: Timestamp) -> bool {
        let mut instant = first;
        let more = (0..count).all(|_| match self.next(instant).filter(|next| *next <= now) {
            Some(next) => {
                instant = next;
                true
            }
            None => false,
        });
        more && first <= now
    }
}

fn of_seconds(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(seconds.saturating_mul(1000))
}

/// The first instant after `after`, in seconds since 1970.
fn next_of_cron(cron: &Cron, zone: &Zone, after: i64) -> Option<i64> {
    let end = after.saturating_add(i64::try_from(MAX_GAP.as_secs()).ok()?);
    // Local times that occur again, and those of a gap, are earlier than the local time of `after`.
    let mut local = after + zone.earliest_offset() - 60;
    let mut best: Option<i64> = None;
    for _ in 0..MAX_CANDIDATES {
        local = cron.next_local(local)?;
        let instants = zone.instants_of(local);
        let first = match instants {
            Instants::One(instant) | Instants::Two(instant, _) | Instants::Gap(instant) => instant,
        };
        let candidates = match instants {
            Instants::One(instant) => [Some(instant), None],
            Instants::Two(first, second) => [Some(first), Some(second).filter(|_| cron.is_hourly())],
            Instants::Gap(end) => [Some(end).filter(|_| !cron.is_hourly()), None],
        };
        for candidate in candidates.into_iter().flatten().filter(|candidate| *candidate > after) {
            best = Some(best.map_or(candidate, |best| best.min(candidate)));
        }
        if best.is_some_and(|best| first >= best) || first > end {
            break;
        }
    }
    best.filter(|best| *best <= end)
}
