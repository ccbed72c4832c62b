//! Second messages of running tasks, received by workers whose clocks differ as much as the service tolerates.

use std::time::Duration;

use crate::random::Rng;
use crate::scenario::{Element, Foreign, Identity, Knobs, Step, TOLERATED_SKEW_MS, Task};

/// Gives a task whose attempt lasts some seconds a second message meanwhile. Between the two, the clocks of workers are set
/// forwards: the worker that receives the second message may believe that the attempt began a minute ago, when its lease and its
/// time limit are over.
pub(super) fn duplicates(rng: &mut Rng, knobs: &mut Knobs, tasks: &mut [Task], elements: &mut Vec<Element>) {
    // The order of messages is judged without.
    if knobs.priority_queues || !rng.chance(60) {
        return;
    }
    elements.retain(|element| !matches!(element, Element::Ask { .. } | Element::Submit { deaf: true, .. }));
    // How often a task ran is judged if it was submitted once, under its id.
    let submissions = elements.iter().filter_map(|element| match element {
        Element::Submit { at, task, identity, .. } => Some((*at, *task, *identity)),
        _ => None,
    });
    let submissions: Vec<_> = submissions.collect();
    let is_single = |task| submissions.iter().filter(|(_, other, _)| *other == task).count() == 1;
    let first =
        submissions.iter().find(|(_, task, identity)| *identity == Identity::TaskId && is_single(*task));
    let Some((at, index, _)) = first.copied() else { return };
    let Some(task) = tasks.get_mut(index).filter(|task| task.delay == 0) else { return };
    (knobs.storage_skew_ms, knobs.instance_skew_ms) = (0, knobs.instance_skew_ms.min(500));
    (knobs.visibility, knobs.task_timeout) = (rng.one_of(2, &[5, 10]), rng.one_of(12, &[20]));
    // The second message is received while the first one's attempt runs.
    (knobs.max_concurrency, knobs.scripted_concurrency) = (32, 0);
    task.steps.insert(0, Step::Slow(rng.between(5, 8)));
    let tolerated = TOLERATED_SKEW_MS.saturating_sub(knobs.skew_ms()) / 2_000;
    let ahead = i64::try_from(tolerated).unwrap_or(0);
    elements.push(Element::ClockSet { at, workers: true, ahead: -ahead });
    let later = at + Duration::from_millis(rng.between(500, 3_000));
    elements.push(Element::ClockSet { at: later, workers: true, ahead });
    elements.push(Element::Foreign { at: later, what: Foreign::SecondMessage(index) });
}
