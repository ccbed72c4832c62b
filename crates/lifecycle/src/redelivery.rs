//! What the number of a delivery says, before the message is parsed or its document read.
//!
//! Storage counts deliveries; whether a worker died of one, storage cannot tell. A worker that gives a
//! message back therefore notes in it that it survived ([`survived`]), and deliveries without such a note
//! are no proof of anything: the reply to Get Messages may have been lost, for hours. So a message that
//! several deliveries in a row left no trace of is only handled with care ([`Approach::Announce`]): its
//! worker notes the beginning, and a beginning without an end is a worker that was lost.

use std::time::Duration;

use models::DeliveryNote;

use crate::schedule::whole_seconds;
use crate::{Policy, retry};

/// Fewer lost workers than this never condemn a message: an outage of both services at once can look
/// like one.
const FEWEST_LOST_WORKERS: u32 = 5;
/// The first pause of a message that was left alone, and the longest. Independent of the back-off of
/// attempts: what waits is storage, and the message should be back soon after it is.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How to take a message up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approach {
    /// Read it and decide.
    Plain,
    /// Write this note to the message first, renewing its lease; then read it and decide.
    Announce(DeliveryNote),
    /// Do not read it: put a copy with this reason into the poison queue, then delete the message. The
    /// document is not touched, as reading it may be what ends the workers, or another message that was
    /// received together with this one. Where the document can be read, the sweep sends a new message.
    GiveUp(String),
}

/// Decides how to take up delivery `dequeue_count` of a message with this note.
#[must_use]
pub fn approach(dequeue_count: u32, note: DeliveryNote, policy: &Policy) -> Approach {
    let bound = most_lost_workers(policy);
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

/// The note of a delivery whose worker gives the message back. `note` is what the message says until then.
#[must_use]
pub fn survived(dequeue_count: u32, note: DeliveryNote) -> DeliveryNote {
    DeliveryNote { delivery: dequeue_count, lost_workers: 0, ..note }
}

/// The note of a delivery whose worker hides the message for the back-off of `attempt`.
#[must_use]
pub fn backed_off(dequeue_count: u32, attempt: u32) -> DeliveryNote {
    DeliveryNote { delivery: dequeue_count, lost_workers: 0, backed_off: attempt }
}

/// How long to hide a message whose delivery ended in an error before an attempt was started: about 10 s,
/// 20 s, 40 s, 60 s, and never less than storage asked for. `fraction` is jitter, uniform in `[0, 1]`.
#[must_use]
pub fn pause(dequeue_count: u32, asked: Option<Duration>, fraction: f64) -> Duration {
    let doublings = dequeue_count.saturating_sub(1);
    let longest = retry::back_off(FIRST_PAUSE, LONGEST_PAUSE, doublings, 1.0);
    let jitter = retry::back_off(FIRST_PAUSE / 2, LONGEST_PAUSE / 2, doublings, fraction);
    whole_seconds((longest / 2 + jitter).max(asked.unwrap_or_default()))
}

/// As many as attempts, of which each may cost a worker as well.
fn most_lost_workers(policy: &Policy) -> u32 {
    policy.max_dequeue_count.max(FEWEST_LOST_WORKERS)
}

fn reason(lost: u32) -> String {
    format!("{lost} workers in a row ended after they received the message, before an attempt was recorded")
}
