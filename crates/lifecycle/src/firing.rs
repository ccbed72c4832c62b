//! Which firings of a schedule are due, and which of the missed ones are made up for.
//!
//! A firing is missed if it is due for longer than [`GRACE`], because no worker ran, storage was not available, or the
//! schedule was paused.

use std::time::Duration;

use models::{Missed, Timestamp};

use crate::recurrence::Recurrence;

/// How late a firing may be without being missed. Scaling from zero, and clocks that differ, take up to about a minute.
pub const GRACE: Duration = Duration::from_secs(120);
/// The most missed firings of one schedule that are made up for.
pub const MAX_MISSED: usize = 1000;

/// What a step does with one schedule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Firings {
    /// The instants of the firings that take place, in order.
    pub fire: Vec<Timestamp>,
    /// When the schedule is due next. It may be in the past, and is then due at once; `None` means never again.
    pub next: Option<Timestamp>,
}

/// Decides at `now` about a schedule that is due at `next_at` for the first time since its latest firing.
///
/// At most `max` firings take place; further ones follow in the next step. None takes place after `end`.
#[must_use]
pub fn due(
    recurrence: &Recurrence,
    next_at: Timestamp,
    end: Option<Timestamp>,
    missed: Missed,
    max: usize,
    now: Timestamp,
) -> Firings {
    let within = |instant: &Timestamp| end.is_none_or(|end| *instant <= end);
    let last = end.map_or(now, |end| end.min(now));
    let mut next = Some(next_at).filter(within);
    let missed_until = now.minus(GRACE);
    let mut fire = Vec::new();
    if next_at < missed_until {
        if missed == Missed::All {
            next = recurrence.first_of_latest(MAX_MISSED, next_at, last).filter(within);
        } else {
            let before = missed_until.minus(Duration::from_millis(1));
            next = recurrence.next(before).filter(within);
            let none_is_due = next.is_none_or(|next| next > last);
            if missed == Missed::Once && none_is_due {
                let earlier = next_at.minus(Duration::from_millis(1));
                fire.extend(recurrence.latest(earlier, last.min(before)));
            }
        }
    }
    while let Some(instant) = next.filter(|instant| *instant <= last && fire.len() < max) {
        fire.push(instant);
        next = recurrence.next(instant).filter(within);
    }
    Firings { fire, next }
}
