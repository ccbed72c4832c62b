//! Messages that may have crashed workers, and messages that are hidden because they cannot be processed now.
//! `lifecycle::redelivery` decides.

use std::time::Duration;

use lifecycle::redelivery::{Approach, approach, pause, survived};
use models::DeliveryNote;
use service::env::Instant;
use service::log::Line;
use storage::{LeaseLost, ReceivedMessage, StorageError};

use crate::engine::{Engine, rest_after};
use crate::outcome::{DeliveryEnd, DeliveryOutcome};
use crate::poison::poison;

/// Does what `approach` requires before the message is parsed. Returns the end of the delivery if that is all.
///
/// # Errors
/// The poison copy could not be stored.
pub(crate) async fn prepare(
    engine: &Engine,
    message: &mut ReceivedMessage,
    leased_since: &mut Instant,
    approach: Approach,
) -> Result<Option<DeliveryEnd>, StorageError> {
    match approach {
        Approach::Plain => Ok(None),
        Approach::Announce(note) => Ok(announce(engine, message, leased_since, note).await),
        Approach::GiveUp(reason) => {
            poison(engine, message, &reason).await?;
            Ok(Some(DeliveryOutcome::Poisoned.into()))
        }
    }
}

/// Writes the note, which counts this worker as lost unless the delivery ends, and renews the lease.
async fn announce(
    engine: &Engine,
    message: &mut ReceivedMessage,
    leased_since: &mut Instant,
    note: DeliveryNote,
) -> Option<DeliveryEnd> {
    engine.env.log(
        &Line::warn("a message that deliveries left no trace of is taken up")
            .with("message_id", message.message_id.as_str())
            .with("dequeue_count", message.dequeue_count)
            .with("lost_workers", note.lost_workers.saturating_sub(1)),
    );
    let requested_at = engine.env.instant();
    match give_back(engine, message, engine.policy.visibility, note).await {
        Ok(Ok(pop_receipt)) => {
            message.pop_receipt = pop_receipt;
            *leased_since = requested_at;
            None
        }
        Ok(Err(LeaseLost)) => Some(DeliveryOutcome::Lost.into()),
        Err(error) => Some(not_updated(engine, &error)),
    }
}

/// Returns the text with which the first renewal of the lease ends the announcement of this worker, if there is one: the
/// attempt is recorded, so that reading the message has not crashed it.
pub(crate) fn announcement_ended(engine: &Engine, message: &ReceivedMessage) -> Option<String> {
    let (count, note) = (message.dequeue_count, DeliveryNote::of(&message.text, message.dequeue_count));
    match approach(count, note, &engine.policy) {
        Approach::Announce(_) => survived(count, note).written_to(&message.text),
        Approach::Plain | Approach::GiveUp(_) => None,
    }
}

/// Returns the note to leave in the message if the delivery ends in an error.
pub(crate) fn note_after_error(approach: &Approach, dequeue_count: u32, note: DeliveryNote) -> DeliveryNote {
    match approach {
        Approach::Plain | Approach::Announce(_) => survived(dequeue_count, note),
        // The message was not parsed, so this worker did not survive it.
        Approach::GiveUp(_) => DeliveryNote { delivery: dequeue_count, ..note },
    }
}

/// Hides the message for `wait`, because its task cannot be started now.
pub(crate) async fn defer(
    engine: &Engine,
    message: &ReceivedMessage,
    wait: Duration,
    note: DeliveryNote,
) -> DeliveryEnd {
    match give_back(engine, message, wait, note).await {
        Ok(Ok(_)) => DeliveryOutcome::Deferred.into(),
        Ok(Err(LeaseLost)) => DeliveryOutcome::Lost.into(),
        Err(error) => not_updated(engine, &error),
    }
}

/// Ends a delivery whose message could not be updated. Another update would fail as well; the message becomes visible
/// when its lease expires.
fn not_updated(engine: &Engine, error: &StorageError) -> DeliveryEnd {
    engine.log_failure("a message could not be updated; it comes back with its lease", error);
    DeliveryEnd { outcome: DeliveryOutcome::Lost, rest: rest_after(error) }
}

/// Hides the message for `wait` and writes the note into it if it has room for one.
pub(crate) async fn give_back(
    engine: &Engine,
    message: &ReceivedMessage,
    wait: Duration,
    note: DeliveryNote,
) -> Result<Result<String, LeaseLost>, StorageError> {
    let text = note.written_to(&message.text);
    update(engine, message, wait, text.as_deref()).await
}

/// Hides the message for `wait` and replaces its text if there is a new one.
pub(crate) async fn update(
    engine: &Engine,
    message: &ReceivedMessage,
    wait: Duration,
    text: Option<&str>,
) -> Result<Result<String, LeaseLost>, StorageError> {
    match engine.queue.update(message, wait, text).await {
        // Storage may measure the text differently. Hiding the message matters more than the note.
        Err(StorageError::Refused(_)) if text.is_some() => engine.queue.update(message, wait, None).await,
        updated => updated,
    }
}

/// Hides the message of a delivery that ended in an error, for longer with each delivery: during an outage, a message
/// must not cost attempts or a request a minute. If that fails too, it becomes visible when its lease expires.
pub(crate) async fn hide_after_error(
    engine: &Engine,
    message: &ReceivedMessage,
    note: DeliveryNote,
    rest: Option<Duration>,
) {
    let wait = pause(message.dequeue_count, rest, engine.env.fraction());
    if let Err(error) = give_back(engine, message, wait, note).await {
        engine.log_failure("a message could not be given back early", &error);
    }
}
