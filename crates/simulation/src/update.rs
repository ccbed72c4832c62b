//! Rolling updates: replicas with the former settings beside replicas with the new ones.

use std::rc::Rc;
use std::time::Duration;

use crate::fleet::Fleet;
use crate::launcher::Launcher;
use crate::random::Rng;
use crate::record::Role;
use crate::scenario::{Element, Former, Index, Knobs};
use crate::world::World;

/// Updates the replicas in some of the runs with faults. A generator of its own leaves everything else as it was.
pub(crate) fn rolling(rng: &mut Rng, knobs: &Knobs, elements: &mut Vec<Element>) {
    if !rng.chance(12) {
        return;
    }
    let former = Former {
        visibility: rng.one_of(2, &[5, 10, 30, 60]).min(knobs.task_timeout),
        max_dequeue_count: u32::try_from(rng.one_of(5, &[1, 2, 3])).unwrap_or(5),
        retention_days: rng.one_of(1, &[30]),
    };
    // Three workers take 90 s at most, so that the update is over before the faults end.
    let at = Duration::from_millis(rng.below(60_000));
    let grace = Duration::from_millis(rng.one_of(0, &[100, 5_000]));
    elements.push(Element::Update { at, grace, former });
}

impl World {
    /// The settings with which an instance of the replica at `index` starts now.
    pub(crate) fn settings_of(&self, role: Role, index: Index) -> Knobs {
        let knobs = self.knobs();
        let former = self.scenario.elements.iter().find_map(|element| match element {
            Element::Update { former, .. } => Some(former),
            _ => None,
        });
        let (apis, workers) = self.updated.get();
        let is_updated = match role {
            Role::Worker => index / knobs.parallel.max(1) < workers,
            _ => index < apis,
        };
        former.filter(|_| !is_updated).map_or_else(|| knobs.clone(), |former| former.applied_to(knobs))
    }

    /// The least number of attempts that a worker of the run allows.
    pub(crate) fn least_dequeue_count(&self) -> u32 {
        let own = self.knobs().max_dequeue_count;
        own.min(self.settings_of(Role::Worker, 0).max_dequeue_count)
    }
}

/// Replaces one replica after the other, workers first.
pub(crate) async fn update(world: &World, fleet: &Fleet, launchers: &[Rc<Launcher>], grace: Duration) {
    for (worker, launcher) in launchers.iter().enumerate() {
        world.updated.set((0, worker + 1));
        Rc::clone(launcher).stop(grace).await;
    }
    for api in 0..world.knobs().apis {
        world.updated.set((api + 1, launchers.len()));
        fleet.kill(world, Role::Api, api, "its replica was updated");
    }
}
