//! The pause of the queue: a blob beside the documents that exists while the queue is paused.

use models::Timestamp;

use crate::{PublicStore, StatusStore, StorageError};

pub(crate) const PAUSE_BLOB: &str = "queue-pause";
/// More bytes than the blob has.
const MAX_BYTES: u64 = 256;

/// Whether the queue is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// Workers receive messages.
    None,
    /// Workers receive no messages. Contains the time of the request, unless the blob cannot be read.
    Since(Option<Timestamp>),
}

/// Reads whether the queue is paused. The content of the blob does not matter for that.
///
/// # Errors
/// [`StorageError`] of the store.
pub async fn read_pause(store: &dyn StatusStore) -> Result<Pause, StorageError> {
    let part = store.read_attachment(PAUSE_BLOB, 0..MAX_BYTES, None).await?;
    Ok(part.map_or(Pause::None, |part| {
        Pause::Since(std::str::from_utf8(&part.bytes).ok().and_then(|text| text.parse().ok()))
    }))
}

/// Pauses the queue. The time of an earlier pause is kept.
///
/// # Errors
/// [`StorageError`] of the store.
pub async fn pause(store: &dyn PublicStore, now: Timestamp) -> Result<(), StorageError> {
    store.create_attachment(PAUSE_BLOB, "text/plain", now.to_string().into()).await.map(drop)
}

/// Ends the pause. It succeeds if the queue is not paused.
///
/// # Errors
/// [`StorageError`] of the store.
pub async fn resume(store: &dyn PublicStore) -> Result<(), StorageError> {
    match store.delete_attachment(PAUSE_BLOB).await {
        // No container, no pause.
        Err(StorageError::NoContainer(_)) => Ok(()),
        outcome => outcome,
    }
}
