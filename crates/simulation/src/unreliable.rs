//! A service that fails some of its requests for a while. A fault of one request says which one of its kind goes wrong,
//! and that is one of the first; here each request of a busy run may be hit, and its repetition too.

use std::time::Duration;

use crate::call::Call;
use crate::fault;
use crate::fault_period::moment;
use crate::random::Rng;
use crate::record::Role;
use crate::scenario::{Element, Fault, Part};
use crate::watch::Source;
use crate::world::World;

/// How many of a hundred crashes happen: a worker that is lost with every few requests ends no task.
const CRASHES: u64 = 25;

/// Gives some of the runs with faults such a time. A generator of its own leaves everything else as it was.
pub(crate) fn periods(rng: &mut Rng, elements: &mut Vec<Element>) {
    if !rng.chance(12) {
        return;
    }
    let part = rng.one_of(Part::Everything, &[Part::Everything, Part::Blobs, Part::Queues, Part::Handler]);
    let lasts = Duration::from_secs(rng.one_of(240, &[10, 60]));
    let percent = rng.one_of(10, &[3, 30, 60]);
    elements.push(Element::Unreliable { at: moment(rng), lasts, part, percent });
}

impl World {
    /// The fault of a request, if its service is unreliable now and the request is one of those that are hit.
    pub(crate) fn chance_fault(&self, source: Source, call: &Call) -> Option<Fault> {
        let hit = |element: &Element| match element {
            Element::Unreliable { at, lasts, part, percent }
                if (*at..*at + *lasts).contains(&source.now)
                    && call.is_hit_by(*part, source.role == Role::Worker) =>
            {
                Some(*percent)
            }
            _ => None,
        };
        let percent = self.scenario.elements.iter().find_map(hit)?;
        let mut rng = self.chance.borrow_mut();
        rng.chance(percent).then(|| {
            let fault = fault::any(&mut rng, self.knobs());
            if rng.chance(CRASHES) { fault } else { without_crash(fault) }
        })
    }
}

fn without_crash(fault: Fault) -> Fault {
    match fault {
        Fault::CrashBefore => Fault::ResetBefore,
        Fault::CrashAfter => Fault::ResetAfter,
        fault => fault,
    }
}
