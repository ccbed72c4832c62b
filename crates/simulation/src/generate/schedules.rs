//! Which schedules operators have.

use crate::fault_period::moment;
use crate::plan::{Change, Plan};
use crate::random::Rng;
use crate::scenario::Element;

/// Gives an operator schedules. A generator of its own leaves everything else as it was.
pub(super) fn plans(rng: &mut Rng, elements: &mut Vec<Element>) {
    if !rng.chance(20) {
        return;
    }
    for index in 0..rng.between(1, 2) {
        let change = match rng.below(10) {
            0..4 => Change::None,
            4..7 => Change::Pause(rng.between(5, 60), rng.one_of(30, &[90, 700])),
            7..9 => Change::Replace(rng.between(5, 100), rng.one_of(20, &[10, 33])),
            _ => Change::Delete(rng.between(5, 100)),
        };
        let least = if let Change::Pause(at, lasts) = change { at + lasts + 60 } else { 0 };
        let plan = Plan {
            name: format!("s{index}"),
            interval: rng.one_of(20, &[10, 27, 45]),
            ends: least.max(rng.between(60, 230)),
            missed: rng.one_of("All", &["All", "Once", "Skip"]),
            overlap: if rng.chance(25) { "Skip" } else { "Allow" },
            change,
        };
        elements.push(Element::Schedule { at: moment(rng), plan });
    }
}
