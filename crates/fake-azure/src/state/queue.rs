//! The messages of one queue, ordered by when they become visible.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Moment;

/// A queue's description.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct QueueInfo {
    pub(crate) metadata: Vec<(String, String)>,
}

/// A stored message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Message {
    /// Counts up per service; receipts refer to it.
    pub(crate) sequence: u64,
    pub(crate) id: String,
    pub(crate) text: String,
    pub(crate) inserted: Moment,
    /// `None` is never.
    pub(crate) expires: Option<Moment>,
    pub(crate) visible: Moment,
    pub(crate) dequeue_count: u32,
    /// The one receipt that is good. A message that was never received has the one of its insertion.
    pub(crate) receipt: String,
}

/// A queue with its messages.
#[derive(Debug, Clone, Default)]
pub(crate) struct Queue {
    pub(crate) info: QueueInfo,
    messages: BTreeMap<u64, Message>,
    by_id: HashMap<String, u64>,
    by_visibility: BTreeSet<(Moment, u64)>,
    by_expiry: BTreeSet<(Moment, u64)>,
}

impl Queue {
    /// Inserts `message`, or replaces the one with its sequence.
    pub(crate) fn upsert(&mut self, message: Message) {
        self.remove(message.sequence);
        self.by_id.insert(message.id.clone(), message.sequence);
        self.by_visibility.insert((message.visible, message.sequence));
        if let Some(expires) = message.expires {
            self.by_expiry.insert((expires, message.sequence));
        }
        self.messages.insert(message.sequence, message);
    }

    pub(crate) fn remove(&mut self, sequence: u64) {
        let Some(message) = self.messages.remove(&sequence) else { return };
        self.by_id.remove(&message.id);
        self.by_visibility.remove(&(message.visible, sequence));
        if let Some(expires) = message.expires {
            self.by_expiry.remove(&(expires, sequence));
        }
    }

    pub(crate) fn clear(&mut self) {
        self.messages.clear();
        self.by_id.clear();
        self.by_visibility.clear();
        self.by_expiry.clear();
    }

    /// Drops what has expired. Needs no journal: a later reader drops the same.
    pub(crate) fn expire(&mut self, now: OffsetDateTime) {
        while let Some(&(expires, sequence)) = self.by_expiry.first() {
            if expires.0 > now {
                return;
            }
            self.remove(sequence);
        }
    }

    /// The message with this id.
    pub(crate) fn find(&self, id: &str) -> Option<&Message> {
        self.messages.get(self.by_id.get(id)?)
    }

    /// The visible messages, the one that has been visible for longest first.
    pub(crate) fn visible(&self, now: OffsetDateTime) -> impl Iterator<Item = &Message> {
        self.by_visibility
            .iter()
            .take_while(move |(visible, _)| visible.0 <= now)
            .filter_map(|(_, sequence)| self.messages.get(sequence))
    }

    /// All messages, invisible ones too, in the order of their insertion.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Message> {
        self.messages.values()
    }

    /// How many there are, invisible ones too.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }
}
