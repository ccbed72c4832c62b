//! What submissions ask for beside the work: limits and a unique key.

use std::time::Duration;

use crate::random::Rng;
use crate::scenario::{Element, Identity, Knobs, Task};

/// Lets tasks expire, and lowers the number of their attempts.
pub(super) fn limits(rng: &mut Rng, knobs: &Knobs, tasks: &mut [Task]) {
    for task in tasks {
        if rng.chance(8) {
            // Before or after a delayed task is due; the others have to wait for a worker.
            task.expires = rng.one_of(task.delay + 20, &[1, 5, task.delay / 2 + 1, task.delay + 2]);
        }
        if rng.chance(10) {
            let most = u64::from(knobs.max_dequeue_count);
            task.max_attempts = u32::try_from(rng.between(1, most)).unwrap_or(1);
        }
    }
}

/// Gives tasks a unique key in place of their identity, and submits them several times at once.
pub(super) fn unique(rng: &mut Rng, tasks: usize, elements: &mut Vec<Element>) {
    for index in 0..tasks {
        if !rng.chance(7) {
            continue;
        }
        let mut copies = Vec::new();
        for element in &mut *elements {
            let Element::Submit { at, task, identity, .. } = element else { continue };
            if *task != index {
                continue;
            }
            *identity = Identity::Unique;
            let at = *at + Duration::from_millis(rng.below(40));
            copies.push((at, element.clone()));
        }
        for (moment, mut copy) in copies {
            if let Element::Submit { at, .. } = &mut copy {
                *at = moment;
            }
            elements.push(copy);
        }
    }
}
