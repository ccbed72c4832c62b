//! Giving a message up: a copy that says why, then the deletion.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use models::{MESSAGE_LIMIT_BYTES, PoisonCopy};

use super::engine::Engine;
use crate::env::Env;
use crate::log::Line;
use crate::storage::{Delivery, QueueName, StatusStore, StorageError, TaskQueue};

/// The text of the copy, and the original as an attachment when the text only refers to it.
#[derive(Debug, PartialEq, Eq)]
struct Copy {
    text: String,
    attachment: Option<(String, Bytes)>,
}

impl<E: Env, S: StatusStore, Q: TaskQueue> Engine<E, S, Q> {
    /// Copies, then deletes: a crash in between leaves a second copy, never none.
    pub(super) async fn poison(
        &self,
        queue: QueueName,
        delivery: &Delivery,
        reason: &str,
    ) -> Result<(), StorageError> {
        let copy = copy_of(delivery, reason, self.env.timestamp());
        if let Some((name, bytes)) = copy.attachment {
            self.store.put_attachment(&name, "application/octet-stream", bytes).await?;
        }
        self.queue.send(QueueName::Poison, &copy.text, Duration::ZERO).await?;
        self.env.log(
            &Line::warn("message given up")
                .with("message_id", delivery.message_id.as_str())
                .with("dequeue_count", delivery.dequeue_count)
                .with("reason", reason),
        );
        if let Err(error) = self.queue.delete(queue, delivery).await {
            self.note("a message could not be deleted", &error);
        }
        Ok(())
    }
}

fn copy_of(delivery: &Delivery, reason: &str, now: models::Timestamp) -> Copy {
    let is_plain = delivery.text.chars().all(xml_can_carry);
    let message = if is_plain { delivery.text.clone() } else { STANDARD.encode(&delivery.text) };
    let mut copy = PoisonCopy {
        reason: reason.to_owned(),
        message: Some(message),
        encoding: (!is_plain).then(|| "base64".to_owned()),
        blob: None,
        message_id: delivery.message_id.clone(),
        dequeue_count: delivery.dequeue_count,
        poisoned_at: now,
    };
    let text = serde_json::to_string(&copy).unwrap_or_default();
    if text.len() <= MESSAGE_LIMIT_BYTES {
        return Copy { text, attachment: None };
    }
    let name = format!("{}-poison", delivery.message_id);
    (copy.message, copy.encoding, copy.blob) = (None, None, Some(name.clone()));
    let text = serde_json::to_string(&copy).unwrap_or_default();
    Copy { text, attachment: Some((name, delivery.text.clone().into_bytes().into())) }
}

/// The `Char` production of XML 1.0. A message holds nothing else, unless it came in by another door.
fn xml_can_carry(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}
