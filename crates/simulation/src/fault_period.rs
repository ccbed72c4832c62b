//! When things go wrong in a run: only in its first part, so that everything can come to its end afterwards.

use std::time::Duration;

use crate::random::Rng;
use crate::scenario::{Ask, Element, Part, Scenario};

/// Faults and clients are confined to this first part of a run; an outage may last longer.
pub const FAULT_PERIOD: Duration = Duration::from_secs(240);

/// A moment for something to happen.
pub(crate) fn moment(rng: &mut Rng) -> Duration {
    // Mostly early, so that things meet.
    let latest = rng.one_of(2_000, &[2_000, 20_000, 120_000]);
    Duration::from_millis(rng.below(latest))
}

impl Scenario {
    /// From when on nothing goes wrong any more: after the first minutes, or a longer outage.
    #[must_use]
    pub fn faults_end_at(&self) -> Duration {
        let ends = self.elements.iter().map(|element| match element {
            Element::Outage { at, lasts, .. } => *at + *lasts,
            _ => Duration::ZERO,
        });
        ends.fold(FAULT_PERIOD, Duration::max)
    }

    /// Whether the outage of one part is all that goes wrong, and no client cancels, retries or deletes a task.
    #[must_use]
    pub fn is_single_outage(&self) -> bool {
        let outages = self.elements.iter().filter(|element| matches!(element, Element::Outage { .. }));
        outages.count() == 1
            && self.elements.iter().all(|element| match element {
                Element::Submit { .. } | Element::Schedule { .. } | Element::ClockSet { .. } => true,
                Element::Ask { ask, .. } => matches!(ask, Ask::Get | Ask::Result | Ask::List),
                Element::Outage { part, .. } => *part != Part::Everything,
                _ => false,
            })
    }
}
