//! Scenarios in which one part of the system is out of order and everything else is well, and others that
//! happen too seldom by themselves.

use std::time::Duration;

use crate::generate::{STORM, moment};
use crate::random::Dice;
use crate::scenario::{Ask, Credential, Element, Foreign, Knobs, Part, Scenario, Step, Task};

impl Scenario {
    /// From when on nothing goes wrong any more: after the first minutes, or a longer outage.
    #[must_use]
    pub fn calm_at(&self) -> Duration {
        let ends = self.elements.iter().map(|element| match element {
            Element::Outage { at, lasts, .. } => *at + *lasts,
            _ => Duration::ZERO,
        });
        ends.fold(STORM, Duration::max)
    }

    /// Whether the outage of one part is all that goes wrong, and nobody ends a task by asking.
    #[must_use]
    pub fn is_single_outage(&self) -> bool {
        let outages = self.elements.iter().filter(|element| matches!(element, Element::Outage { .. }));
        outages.count() == 1
            && self.elements.iter().all(|element| match element {
                Element::Submit { .. } | Element::ClockSet { .. } => true,
                Element::Ask { ask, .. } => matches!(ask, Ask::Get | Ask::Result | Ask::List),
                Element::Outage { part, .. } => *part != Part::Everything,
                _ => false,
            })
    }
}

/// One part is out of order; nobody ends a task by asking.
pub(crate) fn of_one(dice: &mut Dice, knobs: &mut Knobs, elements: &mut Vec<Element>) {
    elements.retain(|element| match element {
        Element::Ask { ask, .. } => matches!(ask, Ask::Get | Ask::Result | Ask::List),
        _ => true,
    });
    let part = dice.one_of(
        Part::BlobsOfWorkers,
        &[
            Part::BlobsOfWorkers,
            Part::BlobsOfWorkers,
            Part::Blobs,
            Part::Queues,
            Part::Identity,
            Part::Vault,
            Part::Handler,
        ],
    );
    let status = match part {
        // What a handler refuses with 401 or 404 has its end.
        Part::Handler => dice.one_of(503, &[500, 0]),
        Part::BlobsOfWorkers => dice.one_of(503, &[500, 0, 403, 404, 404]),
        _ => dice.one_of(503, &[500, 429, 0, 403]),
    };
    match part {
        Part::Identity => knobs.credential = Credential::Keyless,
        Part::Vault => knobs.credential = Credential::KeyVault,
        _ => {}
    }
    if matches!(part, Part::Identity | Part::Vault) {
        // Instances that know no token or secret yet.
        knobs.fresh_percent = 50;
    }
    // While there is something to do: from the first submission on, or soon after it.
    let first = elements.iter().filter_map(|element| match element {
        Element::Submit { at, .. } => Some(*at),
        _ => None,
    });
    let later = dice.one_of(0, &[3_000, 6_000]);
    let at = first.min().unwrap_or_default() + Duration::from_millis(dice.below(later));
    let lasts = Duration::from_secs(dice.one_of(600, &[60, 1_800, 7_200]));
    elements.push(Element::Outage { at, lasts, part, status });
}

/// What happens too seldom by itself: a message that ends whoever reads it, a second one while the task waits
/// for its next attempt, and workers that are stopped one after the other while they have work.
pub(crate) fn rare(dice: &mut Dice, knobs: &mut Knobs, tasks: &mut [Task], elements: &mut Vec<Element>) {
    if dice.chance(3) {
        let what = Foreign::Deadly(dice.index(tasks.len()));
        elements.push(Element::Foreign { at: moment(dice), what });
    }
    let task = dice.index(tasks.len());
    let mut first_step = |step| {
        if let Some(task) = tasks.get_mut(task) {
            (task.name, task.delay) = ("scripted", 0);
            task.steps.insert(0, step);
        }
    };
    if dice.chance(4) {
        first_step(Step::Throttle(30));
        (knobs.retry_cap, knobs.instance_skew_ms) = (300, 0);
        for _ in 0..3 {
            let at = Duration::from_secs(dice.below(40));
            elements.push(Element::Foreign { at, what: Foreign::SecondMessage(task) });
        }
    } else if dice.chance(4) {
        first_step(Step::Slow(knobs.task_timeout / 2));
        knobs.max_dequeue_count = knobs.max_dequeue_count.min(2);
        for at in [3, 8, 30, 60] {
            let at = Duration::from_secs(at + dice.below(3));
            let worker = dice.index(knobs.workers);
            elements.push(Element::StopWorker { at, worker, grace: Duration::ZERO });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_seeds_have_long_outages_of_each_part_alone() {
        let mut longest = std::collections::BTreeMap::new();
        for scenario in (0..1_000).map(crate::generate::scenario).filter(Scenario::is_single_outage) {
            for element in scenario.elements {
                if let Element::Outage { part, lasts, .. } = element {
                    let entry = longest.entry(format!("{part:?}")).or_insert(lasts);
                    *entry = lasts.max(*entry);
                }
            }
        }
        for part in ["BlobsOfWorkers", "Blobs", "Queues", "Identity", "Vault", "Handler"] {
            assert_eq!(longest.get(part), Some(&Duration::from_secs(7_200)), "{part}");
        }
    }
}
