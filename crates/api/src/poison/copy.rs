//! What a message in the poison queue contains.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lifecycle::replay::task_of;
use models::{EventMessage, PoisonCopy, PoisonMessage, TaskId, TaskMessage, Timestamp};
use storage::StorageError;

use crate::tasks::Tasks;

/// A message in the poison queue: the copy of one that was given up, or one that another program put there.
pub(super) struct GivenUp {
    /// How the API shows it, without the original.
    pub(super) view: PoisonMessage,
    original: Original,
}

enum Original {
    Text(String),
    /// In the blob of this name.
    Blob(String),
    /// The copy contains none that can be read.
    None,
}

impl GivenUp {
    /// Reads the text of the message `id`.
    pub(super) fn read(id: &str, inserted_at: Timestamp, text: &str) -> Self {
        let mut view = PoisonMessage {
            id: id.to_owned(),
            inserted_date_time: inserted_at,
            reason: None,
            kind: None,
            task_id: None,
            original_message_id: None,
            dequeue_count: None,
            blob: None,
            original: None,
        };
        let original = match PoisonCopy::parse(text) {
            Some(copy) => {
                let original = original_of(&copy);
                view.reason = Some(copy.reason);
                view.kind = copy.kind;
                view.original_message_id = Some(copy.message_id);
                view.dequeue_count = Some(copy.dequeue_count);
                view.blob = copy.blob;
                original
            }
            // Other programs, such as Azure Functions, move the message itself.
            None => Original::Text(text.to_owned()),
        };
        if let Original::Text(text) = &original {
            view.task_id = task_named(view.kind.as_deref(), text);
        }
        Self { view, original }
    }

    /// The text of the original message; `None` if it is not kept any more.
    ///
    /// # Errors
    /// [`StorageError`] of the store, if a blob contains the original.
    pub(super) async fn original(&self, tasks: &Tasks) -> Result<Option<String>, StorageError> {
        match &self.original {
            Original::Text(text) => Ok(Some(text.clone())),
            Original::Blob(name) => {
                let bytes = tasks.store.read_poisoned(name).await?;
                Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
            }
            Original::None => Ok(None),
        }
    }
}

/// The task that an original names: that of a task's message, or that of an event.
pub(super) fn task_named(kind: Option<&str>, original: &str) -> Option<TaskId> {
    match kind {
        None => task_of(&TaskMessage::parse(original)),
        Some(models::EVENT_KIND) => EventMessage::task_of(original),
        Some(_) => None,
    }
}

fn original_of(copy: &PoisonCopy) -> Original {
    match (&copy.message, copy.encoding.as_deref(), &copy.blob) {
        (Some(text), None, _) => Original::Text(text.clone()),
        (Some(text), Some("base64"), _) => {
            let bytes = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            bytes.map_or(Original::None, Original::Text)
        }
        // Any program with access to the queue may have written the name.
        (None, _, Some(name)) if *name == format!("{}-poison", copy.message_id) => {
            Original::Blob(name.clone())
        }
        _ => Original::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b";

    fn read(text: &str) -> GivenUp {
        GivenUp::read("m", Timestamp::from_unix_millis(0), text)
    }

    fn copy(members: &str) -> String {
        format!(
            r#"{{"Reason":"why","MessageId":"o",{members}"DequeueCount":5,"PoisonedAt":"2026-11-20T10:00:00Z"}}"#
        )
    }

    #[test]
    fn original_is_read_from_every_form_of_a_message() {
        let original = format!(r#"{{"TaskId":"{ID}"}}"#);
        let quoted = serde_json::to_string(&original).unwrap();
        let encoded = STANDARD.encode(&original);
        for text in [
            original.clone(),
            encoded.clone(),
            copy(&format!(r#""Message":{quoted},"#)),
            copy(&format!(r#""Message":"{encoded}","Encoding":"base64","#)),
        ] {
            let given_up = read(&text);
            assert_eq!(given_up.view.task_id, ID.parse().ok(), "{text}");
            assert!(matches!(given_up.original, Original::Text(_)), "{text}");
        }
    }

    #[test]
    fn unreadable_original_or_other_kind_names_no_task() {
        for members in [
            r#""Message":"x","Encoding":"gzip","#.to_owned(),
            r#""Message":"x","Encoding":"base64","#.to_owned(),
            r#""Blob":"../tasks/x-202","#.to_owned(),
            String::new(),
        ] {
            let given_up = read(&copy(&members));
            assert!(matches!(given_up.original, Original::None), "{members}");
            assert_eq!(given_up.view.task_id, None);
        }
        let event = format!(r#""Kind":"event","Message":"{{\"TaskId\":\"{ID}\"}}","#);
        assert_eq!(read(&copy(&event)).view.task_id, None);
        assert!(
            matches!(read(&copy(r#""Blob":"o-poison","#)).original, Original::Blob(name) if name == "o-poison")
        );
    }
}
