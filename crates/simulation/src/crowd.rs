//! Runs with a queue for each priority, and with more tasks than slots.

use std::time::Duration;

use crate::garbage;
use crate::random::Rng;
use crate::scenario::{Element, Knobs, Step, Task};

/// Gives each priority a queue of its own; now and then, if the run `may_crowd`, with more tasks than a drain can start. A
/// generator of its own leaves everything else as it was.
pub(crate) fn priorities(
    rng: &mut Rng,
    may_crowd: bool,
    knobs: &mut Knobs,
    tasks: &mut Vec<Task>,
    elements: &mut Vec<Element>,
) {
    knobs.priority_queues = rng.chance(25);
    if !may_crowd || !rng.chance(25) {
        return;
    }
    (knobs.priority_queues, knobs.queue_depth_limit) = (true, 0);
    (knobs.workers, knobs.parallel, knobs.fresh_percent) = (1, 1, 0);
    (knobs.max_concurrency, knobs.scripted_concurrency) =
        (usize::try_from(rng.one_of(2, &[1, 2, 4])).unwrap_or(2), 0);
    (knobs.drain_seconds, knobs.visibility, knobs.task_timeout) = (20, 30, 90);
    for _ in 0..48 {
        let priority = if rng.chance(60) { 2 } else { 0 };
        tasks.push(Task {
            id: garbage::guid(rng),
            steps: vec![Step::Slow(1)],
            name: "scripted",
            padding: 0,
            strange: false,
            delay: 0,
            priority,
            expires: 0,
            max_attempts: 0,
            calls: Vec::new(),
        });
        elements.push(Element::plain_submission(Duration::from_millis(rng.below(2_000)), tasks.len() - 1));
    }
}
