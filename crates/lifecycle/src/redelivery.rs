//! How to process a message according to its dequeue count and its note, before it is parsed or its document is
//! read.
//!
//! Storage counts deliveries, but it does not know whether a delivery crashed its worker. A worker that gives a
//! message back therefore writes a note into it ([`survived`]). A delivery without a note proves nothing, because
//! the response to Get Messages may have been lost. After several such deliveries in a row, the next worker first
//! announces itself in the note ([`Approach::Announce`]). An announcement without an end counts as a lost worker.

use std::time::Duration;

use models::DeliveryNote;

use crate::delayed::whole_seconds;
use crate::{Policy, retry};

/// A message is not given up for fewer lost workers: an outage of both services at the same time can look like
/// one.
const MIN_LOST_WORKERS: u32 = 5;
/// The first pause of a message whose delivery ended in an error. It is independent of the back-off of attempts:
/// the message should be delivered soon after storage works again.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// The longest of these pauses.
pub(crate) const MAX_PAUSE: Duration = Duration::from_secs(60);

/// How to process a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approach {
    /// Parse it and decide.
    Plain,
    /// Write this note into the message first, which also renews the lease; then parse it and decide.
    Announce(DeliveryNote),
    /// Do not parse it: send a copy with this reason to the poison queue, then delete the message. Do not touch the
    /// document: reading it may be what crashes the workers, or the cause may be another message that was received
    /// with this one. The sweep sends a new message if the document can be read.
    GiveUp(String),
}

/// Decides how to process delivery `dequeue_count` of a message with this note.
#[must_use]
pub fn approach(dequeue_count: u32, note: DeliveryNote, policy: &Policy) -> Approach {
    let bound = max_lost_workers(policy);
    if note.lost_workers >= bound {
        return Approach::GiveUp(reason(note.lost_workers));
    }
    let without_trace = dequeue_count.saturating_sub(1).saturating_sub(note.delivery);
    if note.lost_workers > 0 || without_trace >= bound {
        let lost_workers = note.lost_workers.saturating_add(1);
        return Approach::Announce(DeliveryNote { delivery: dequeue_count, lost_workers, ..note });
    }
    Approach::Plain
}

/// Returns the note of a delivery whose worker gives the message back. `note` is the message's present note.
#[must_use]
pub fn survived(dequeue_count: u32, note: DeliveryNote) -> DeliveryNote {
    DeliveryNote { delivery: dequeue_count, lost_workers: 0, ..note }
}

/// Returns the note of a delivery whose worker hides the message for the back-off of `attempt`.
#[must_use]
pub fn backed_off(dequeue_count: u32, attempt: u32) -> DeliveryNote {
    DeliveryNote { delivery: dequeue_count, lost_workers: 0, backed_off: attempt }
}

/// Returns how long to hide a message whose delivery ended in an error before an attempt was started.
///
/// The pauses are 10 s, 20 s, 40 s, then 60 s, half of it jitter, and at least the time that storage `asked` for.
/// `fraction` is the jitter, uniform in `[0, 1]`.
#[must_use]
pub fn pause(dequeue_count: u32, asked: Option<Duration>, fraction: f64) -> Duration {
    let doublings = dequeue_count.saturating_sub(1);
    let longest = retry::back_off(FIRST_PAUSE, MAX_PAUSE, doublings, 1.0);
    let jitter = retry::back_off(FIRST_PAUSE / 2, MAX_PAUSE / 2, doublings, fraction);
    whole_seconds((longest / 2 + jitter).max(asked.unwrap_or_default()))
}

/// As many as attempts, because each attempt may crash a worker as well.
fn max_lost_workers(policy: &Policy) -> u32 {
    policy.max_dequeue_count.max(MIN_LOST_WORKERS)
}

fn reason(lost: u32) -> String {
    format!("{lost} workers in a row ended after they received the message, before an attempt was recorded")
}
