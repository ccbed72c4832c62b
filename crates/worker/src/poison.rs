//! Giving a message up: a copy with the reason goes to the poison queue, then the message is deleted.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use models::{DeliveryNote, PoisonCopy, fits_message};
use service::log::Line;
use storage::{QueueName, ReceivedMessage, StorageError};

use crate::engine::Engine;

/// The longest reason in a copy, in characters. The copy without the original always fits into a message.
const MAX_REASON_CHARS: usize = 4096;

/// A copy for the poison queue, and the blob with the original (name and bytes) if the copy only names it.
#[derive(Debug, PartialEq, Eq)]
struct Copy {
    text: String,
    blob: Option<(String, Bytes)>,
}

/// Sends the copy before deleting the message, so that a crash in between leaves a second copy.
///
/// # Errors
/// The copy was not stored; the message was not deleted.
pub(crate) async fn poison(
    engine: &Engine,
    message: &ReceivedMessage,
    reason: &str,
) -> Result<(), StorageError> {
    let kind = (message.queue == QueueName::Events).then_some(models::EVENT_KIND);
    let copy = copy_of(message, kind, reason, engine.env.timestamp());
    if let Some((name, bytes)) = copy.blob {
        engine.store.put_poisoned(&name, bytes).await?;
    }
    engine.queue.send(QueueName::Poison, &copy.text, Duration::ZERO).await?;
    engine.env.log(
        &Line::warn("message given up")
            .with("message_id", message.message_id.as_str())
            .with("dequeue_count", message.dequeue_count)
            .with("reason", reason),
    );
    engine.discard(message).await;
    Ok(())
}

fn copy_of(received: &ReceivedMessage, kind: Option<&str>, reason: &str, now: models::Timestamp) -> Copy {
    // As it was sent, without the notes of workers.
    let original = DeliveryNote::removed_from(&received.text);
    let is_plain = original.chars().all(xml_can_carry);
    let message = if is_plain { original.clone().into_owned() } else { STANDARD.encode(&*original) };
    let mut copy = PoisonCopy {
        kind: kind.map(str::to_owned),
        reason: reason.chars().take(MAX_REASON_CHARS).collect(),
        message: Some(message),
        encoding: (!is_plain).then(|| "base64".to_owned()),
        blob: None,
        message_id: received.message_id.clone(),
        dequeue_count: received.dequeue_count,
        poisoned_at: now,
    };
    let text = serde_json::to_string(&copy).unwrap_or_default();
    if fits_message(&text) {
        return Copy { text, blob: None };
    }
    let name = format!("{}-poison", received.message_id);
    (copy.message, copy.encoding, copy.blob) = (None, None, Some(name.clone()));
    let text = serde_json::to_string(&copy).unwrap_or_default();
    Copy { text, blob: Some((name, original.into_owned().into_bytes().into())) }
}

/// The `Char` production of XML 1.0. Storage Queue rejects other characters in XML bodies, but the message may have been
/// written by another client.
fn xml_can_carry(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::Timestamp;

    #[test]
    fn copy_fits_into_a_message_whatever_its_content() {
        for text in ["x", "&", "<", "\"", "\u{1}", "\u{ffff}", "\r"] {
            for length in [0, 1_000, 13_000, 65_536] {
                let delivery = ReceivedMessage {
                    queue: QueueName::Tasks,
                    message_id: "0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b".to_owned(),
                    pop_receipt: String::new(),
                    dequeue_count: 1,
                    inserted_at: Timestamp::from_unix_millis(0),
                    next_visible_at: Timestamp::from_unix_millis(0),
                    text: text.repeat(length),
                };
                for reason in ["why".to_owned(), text.repeat(200_000)] {
                    let copy = copy_of(&delivery, None, &reason, Timestamp::from_unix_millis(0));
                    assert!(fits_message(&copy.text), "{length} of {text:?}");
                    let read: PoisonCopy = serde_json::from_str(&copy.text).unwrap();
                    assert!(read.message.is_some() != copy.blob.is_some(), "the original is kept once");
                    assert!(copy.blob.is_none_or(|(_, bytes)| bytes == delivery.text.as_bytes()));
                }
            }
        }
    }
}
