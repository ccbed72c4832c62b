//! What goes wrong inside the services themselves, for tests and the simulator. Faults of the way there and back (errors,
//! delays, lost responses) are made around [`FakeAzure`].

use time::{Duration, OffsetDateTime};

use crate::fake::FakeAzure;
use crate::ids::mix;
use crate::state::queue::Message;
use crate::state::{Change, Moment};

impl FakeAzure {
    /// Makes the queue's invisible messages visible at once, keeping their receipts: what clock skew between the
    /// service's machines does now and then. The next receiver gets them although another holds their lease.
    pub fn reveal_messages(&mut self, account: &str, queue: &str, now: OffsetDateTime) {
        self.change_messages(account, queue, |message| {
            let hidden = message.visible.0 > now;
            if hidden {
                message.visible = Moment(now);
            }
            hidden
        });
    }

    /// Shuffles the order in which the queue's visible messages are received, by `random`: Azure promises none.
    pub fn reorder_messages(&mut self, account: &str, queue: &str, random: u64, now: OffsetDateTime) {
        self.change_messages(account, queue, |message| {
            let visible = message.visible.0 <= now;
            if visible {
                // Messages are received by when they became visible; up to half a second ago changes nothing else.
                let ago = mix(message.sequence ^ random) % 500_000_000;
                message.visible =
                    Moment(now.saturating_sub(Duration::nanoseconds(i64::try_from(ago).unwrap_or_default())));
            }
            visible
        });
    }

    /// Removes a queue with its messages; the name is free at once.
    pub fn remove_queue(&mut self, account: &str, queue: &str) {
        let until = Moment(OffsetDateTime::UNIX_EPOCH);
        self.state.apply(Change::QueueGone { account: account.to_owned(), name: queue.to_owned(), until });
    }

    /// Removes a container with its blobs; the name is free at once.
    pub fn remove_container(&mut self, account: &str, container: &str) {
        let until = Moment(OffsetDateTime::UNIX_EPOCH);
        let (account, name) = (account.to_owned(), container.to_owned());
        self.state.apply(Change::ContainerGone { account, name, until });
    }

    /// Stores the messages that `change` says it changed.
    fn change_messages(&mut self, account: &str, queue: &str, mut change: impl FnMut(&mut Message) -> bool) {
        let changed: Vec<Message> = self
            .state
            .view(account)
            .and_then(|state| state.queues.get(queue))
            .into_iter()
            .flat_map(|queue| queue.iter().cloned())
            .filter_map(|mut message| change(&mut message).then_some(message))
            .collect();
        for message in changed {
            let (account, queue) = (account.to_owned(), queue.to_owned());
            self.state.apply(Change::Message { account, queue, message: Box::new(message) });
        }
    }
}
