//! The promises of the design, by the names that violations carry.

use std::fmt;
use std::time::Duration;

/// One promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// A 202 is sent only after the status blob and the queue message are both stored.
    P1,
    /// An accepted task reaches exactly one terminal state, and a terminal state never changes.
    P2,
    /// A message is deleted only after its terminal state or its poison copy is stored, and then always.
    P3,
    /// The recorded outcome is one: a result is written once.
    P4,
    /// A repeated submission gets the response of the first; other content is refused.
    P5,
    /// A lost lease ends the attempt without writing anything.
    P6,
    /// No secret appears in a log, an error or a stored document.
    P7,
    /// Nothing grows without bound.
    P8,
    /// A task becomes `TooManyDeliveries` only after `max_dequeue_count` attempts were started, and a message
    /// is given up unread only after it killed that many workers, those included that lived and could not update it.
    P9,
    /// After an outage of one part alone every accepted task comes to the end that its handler gives it.
    P10,
    /// No drain is repeated sooner than the worker asked, by any loop of the replica.
    P11,
    /// A visible message is received within a bounded time while a replica has free slots.
    P12,
    /// The end of every task with a receiver is delivered to it, or given up with its reason.
    P13,
    /// With `priority_queues`, higher priorities are received first, and each priority gets its share.
    P14,
    /// No worker receives tasks while the queue is paused.
    P15,
    /// Each firing of a schedule becomes one task, and no task is created without one.
    P16,
    /// With a sink, the acceptance and the end of every task are delivered to it, or given up with the reason.
    P17,
}

impl Promise {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::P1,
        Self::P2,
        Self::P3,
        Self::P4,
        Self::P5,
        Self::P6,
        Self::P7,
        Self::P8,
        Self::P9,
        Self::P10,
        Self::P11,
        Self::P12,
        Self::P13,
        Self::P14,
        Self::P15,
        Self::P16,
        Self::P17,
    ];
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub promise: Promise,
    /// When, in virtual time.
    pub at: Duration,
    /// How.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} broken at {}: {}", self.promise, clock(self.at), self.what)
    }
}

/// Virtual time as people read it: seconds with three decimals.
#[must_use]
pub fn clock(at: Duration) -> String {
    format!("{:9.3}s", at.as_secs_f64())
}
