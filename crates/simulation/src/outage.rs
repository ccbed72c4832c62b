//! Scenarios in which one part of the system fails and all others work, and scenarios that random generation
//! produces too seldom.

use std::time::Duration;

use crate::fault_period::moment;
use crate::random::Rng;
use crate::scenario::{Ask, Credential, Element, Foreign, Knobs, Part, Step, Task};

/// One part is out of order; no client cancels, retries or deletes a task.
pub(crate) fn of_one(rng: &mut Rng, knobs: &mut Knobs, elements: &mut Vec<Element>) {
    elements.retain(|element| match element {
        Element::Ask { ask, .. } => matches!(ask, Ask::Get | Ask::Result | Ask::List),
        _ => true,
    });
    let part = rng.one_of(
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
        Part::Handler => rng.one_of(503, &[500, 0]),
        Part::BlobsOfWorkers => rng.one_of(503, &[500, 0, 403, 404, 404]),
        _ => rng.one_of(503, &[500, 429, 0, 403]),
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
    let later = rng.one_of(0, &[3_000, 6_000]);
    let at = first.min().unwrap_or_default() + Duration::from_millis(rng.below(later));
    let lasts = Duration::from_secs(rng.one_of(600, &[60, 1_800, 7_200]));
    elements.push(Element::Outage { at, lasts, part, status });
}

/// What random generation produces too seldom: a message that crashes its reader, a second one while the task waits
/// for its next attempt, and workers that are stopped one after the other while they have work.
pub(crate) fn rare(rng: &mut Rng, knobs: &mut Knobs, tasks: &mut [Task], elements: &mut Vec<Element>) {
    if rng.chance(3) {
        let what = Foreign::Deadly(rng.index(tasks.len()));
        elements.push(Element::Foreign { at: moment(rng), what });
    }
    let task = rng.index(tasks.len());
    let mut first_step = |step| {
        if let Some(task) = tasks.get_mut(task) {
            (task.name, task.delay) = ("scripted", 0);
            task.steps.insert(0, step);
        }
    };
    if rng.chance(4) {
        first_step(Step::Throttle(30));
        (knobs.retry_cap, knobs.instance_skew_ms) = (300, 0);
        for _ in 0..3 {
            let at = Duration::from_secs(rng.below(40));
            elements.push(Element::Foreign { at, what: Foreign::SecondMessage(task) });
        }
    } else if rng.chance(12) {
        first_step(Step::Slow(knobs.task_timeout / 2));
        knobs.max_dequeue_count = knobs.max_dequeue_count.min(2);
        for at in [3, 8, 30, 60] {
            let at = Duration::from_secs(at + rng.below(3));
            let worker = rng.index(knobs.workers);
            elements.push(Element::StopWorker { at, worker, grace: Duration::ZERO });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn thousand_seeds_have_long_outages_of_each_part_alone() {
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
