//! Queues that an operator deletes with everything in them.

use std::time::Duration;

use crate::call::Call;
use crate::fault_period::moment;
use crate::queues::QueueKind;
use crate::random::Rng;
use crate::requests;
use crate::scenario::{Element, Fault, Op};
use crate::world::World;

/// How long Azure refuses to create a queue of that name again.
const DELETION_TIME: Duration = Duration::from_secs(35);

/// Lets a queue other than that of tasks be lost in some of the runs with faults. A generator of its own leaves everything else
/// as it was.
pub(crate) fn losses(rng: &mut Rng, elements: &mut Vec<Element>) {
    if rng.chance(4) {
        let queue = rng.one_of(QueueKind::Scheduled, &[QueueKind::Events, QueueKind::Poison]);
        elements.push(Element::QueueLost { at: moment(rng), queue });
    }
}

impl World {
    /// Deletes the queue.
    pub(crate) fn lose(&self, queue: QueueKind) {
        for name in queue.names() {
            self.outside(requests::delete_queue(&name));
        }
        self.deleted_queues.borrow_mut().insert(queue, self.exec.now());
        self.record.borrow_mut().queue_lost(queue);
    }

    /// The refusal of a request to create a queue that is still being deleted.
    pub(crate) fn refused_creation(&self, call: &Call) -> Option<Fault> {
        let queue = call.queue.filter(|_| call.op == Op::Create)?;
        let deleted_at = self.deleted_queues.borrow().get(&queue).copied()?;
        (self.exec.now() < deleted_at + DELETION_TIME).then_some(Fault::Refused(409))
    }
}
