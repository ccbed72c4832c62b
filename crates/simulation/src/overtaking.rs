//! P14: the order in which a drain receives, if each priority has a queue of its own.

use std::time::Duration;

use crate::call::TASK_QUEUES;
use crate::promise::Promise;
use crate::record::Record;
use crate::watch::Source;

/// How long a message has been visible before others count as received in its place: a queue that was empty is asked
/// again after a second, and that request takes its time.
const GRACE: Duration = Duration::from_secs(2);
/// How many messages of other queues a drain may receive in the place of a visible one, in addition to two rounds. The
/// inverse of each share (`lifecycle::priority`), and the slots that the shares of others may take.
const MOST_PASSED: [usize; 3] = [4, 8, 20];

impl Record {
    /// A drain begins, and owes no queue what earlier ones did not receive.
    pub(crate) fn order_begins(&mut self) {
        self.overtaking.passed = [0; 3];
    }

    /// P14 at the moment a worker receives these messages, which the record still has as visible.
    pub(crate) fn order_of(&mut self, from: Source, received: &[String]) {
        if self.overtaking.slots == 0 {
            return;
        }
        for (queue, most) in TASK_QUEUES.into_iter().zip(MOST_PASSED) {
            let of_queue = |id: &&String| self.messages.get(*id).is_some_and(|it| it.queue_name == queue);
            let own = received.iter().filter(of_queue).count();
            let is_passed = own == 0
                && self.messages.iter().any(|(id, message)| {
                    message.queue_name == queue
                        && message.visible_at + GRACE <= from.now
                        && !received.contains(id)
                });
            let Some(index) = TASK_QUEUES.iter().position(|name| *name == queue) else { continue };
            let Some(passed) = self.overtaking.passed.get_mut(index) else { continue };
            *passed = if is_passed { *passed + received.len() } else { 0 };
            if *passed > most + 2 * self.overtaking.slots {
                let what = format!("{passed} messages of other queues were received before one of {queue}");
                self.broken(Promise::P14, from.now, what);
            } else if is_passed && !received.is_empty() {
                self.count("delivery before one of another queue");
            }
        }
    }
}
