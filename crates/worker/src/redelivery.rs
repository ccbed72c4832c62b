//! Taking up a message that workers may have died of, and leaving one alone when storage does not do its
//! part; `lifecycle::redelivery` decides.

use std::time::Duration;

use lifecycle::redelivery::{Approach, approach, pause};
use models::DeliveryNote;
use service::env::Instant;
use service::log::Line;
use storage::{LeaseLost, QueueName, ReceivedMessage, StorageError};

use crate::counts::{Report, Verdict};
use crate::engine::Engine;
use crate::poison::poison;

/// What has to be done before the message is read; a report when that was all. `kept` is the note that
/// the message gets when this delivery gives it back.
pub(crate) async fn take_up(
    engine: &Engine,
    delivery: &mut ReceivedMessage,
    held_since: &mut Instant,
    kept: &mut DeliveryNote,
) -> Result<Option<Report>, StorageError> {
    let note = DeliveryNote::of(&delivery.text, delivery.dequeue_count);
    match approach(delivery.dequeue_count, note, &engine.policy) {
        Approach::Plain => Ok(None),
        Approach::Announce(note) => {
            engine.env.log(
                &Line::warn("a message that deliveries left no trace of is taken up")
                    .with("message_id", delivery.message_id.as_str())
                    .with("dequeue_count", delivery.dequeue_count)
                    .with("lost_workers", note.lost_workers.saturating_sub(1)),
            );
            let asked_at = engine.env.instant();
            Ok(match give_back(engine, delivery, engine.policy.visibility, note).await {
                Ok(Ok(receipt)) => {
                    delivery.pop_receipt = receipt;
                    *held_since = asked_at;
                    None
                }
                Ok(Err(LeaseLost)) => Some(Verdict::Lost.into()),
                Err(error) => Some(not_updated(engine, &error)),
            })
        }
        Approach::GiveUp(reason) => {
            // Should the copy fail, the message must not look as if it had been read.
            *kept = DeliveryNote { delivery: delivery.dequeue_count, ..note };
            poison(engine, QueueName::Tasks, delivery, &reason).await?;
            Ok(Some(Verdict::Poisoned.into()))
        }
    }
}

/// Gives the message back for `wait`: its task cannot be started yet.
pub(crate) async fn defer(
    engine: &Engine,
    delivery: &ReceivedMessage,
    wait: Duration,
    note: DeliveryNote,
) -> Report {
    match give_back(engine, delivery, wait, note).await {
        Ok(Ok(_)) => Verdict::Deferred.into(),
        Ok(Err(LeaseLost)) => Verdict::Lost.into(),
        Err(error) => not_updated(engine, &error),
    }
}

/// The end of a delivery whose message could not be updated. Another update would ask the same of the same
/// service; the message comes back when its lease runs out.
fn not_updated(engine: &Engine, error: &StorageError) -> Report {
    let rest = engine.note("a message could not be updated; it comes back with its lease", error);
    Report { verdict: Verdict::Lost, rest }
}

/// Hides the message for `wait` and leaves a note in it, where it has room for one.
pub(crate) async fn give_back(
    engine: &Engine,
    delivery: &ReceivedMessage,
    wait: Duration,
    note: DeliveryNote,
) -> Result<Result<String, LeaseLost>, StorageError> {
    let text = note.written_to(&delivery.text);
    let outcome = engine.queue.update(QueueName::Tasks, delivery, wait, text.as_deref()).await;
    match outcome {
        // Storage measures a text in its own way; hiding the message matters more than the note.
        Err(StorageError::Refused(_)) if text.is_some() => {
            engine.queue.update(QueueName::Tasks, delivery, wait, None).await
        }
        outcome => outcome,
    }
}

/// Leaves a message alone whose delivery ended in an error, for longer each time: an outage must cost
/// neither a try nor a request a minute for each message. When that fails, too, it comes back with the end
/// of its lease.
pub(crate) async fn leave(
    engine: &Engine,
    delivery: &ReceivedMessage,
    kept: DeliveryNote,
    asked: Option<Duration>,
) {
    let wait = pause(delivery.dequeue_count, asked, engine.env.fraction());
    if let Err(error) = give_back(engine, delivery, wait, kept).await {
        engine.note("a message could not be given back early", &error);
    }
}
