//! The marker of a unique key: an attachment beside the documents that contains the id of the task that holds the key.

use models::{TaskId, TaskStatus};
use sha2::{Digest as _, Sha256};

use crate::{ETag, StatusStore, StorageError};

/// More bytes than a marker has.
const MAX_MARKER_BYTES: u64 = 256;

/// A marker and the version that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMarker {
    /// The task that holds the key; `None` if the content is not that of a marker.
    pub holder: Option<TaskId>,
    /// Its version.
    pub etag: ETag,
}

/// Returns the name of the marker of `key`. Keys of different callers are different keys.
#[must_use]
pub fn key_marker_name(owner: Option<&str>, key: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(b"unique-key\0");
    digest.update(owner.unwrap_or_default());
    digest.update(b"\0");
    digest.update(key);
    let digest: [u8; 32] = digest.finalize().into();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}-unique")
}

/// Reads a marker; `None` if there is none.
///
/// # Errors
/// [`StorageError`] of the store.
pub async fn read_key_marker(store: &dyn StatusStore, name: &str) -> Result<Option<KeyMarker>, StorageError> {
    let part = store.read_attachment(name, 0..MAX_MARKER_BYTES, None).await?;
    Ok(part.map(|part| {
        let holder = std::str::from_utf8(&part.bytes).ok().and_then(|text| text.parse().ok());
        KeyMarker { holder, etag: part.etag }
    }))
}

/// Deletes the marker of a terminal task if the task still holds its key. Call it before the deletion of the document:
/// after a crash in between, the document leads to the marker again.
///
/// # Errors
/// [`StorageError`] of the store.
pub async fn release_key(store: &dyn StatusStore, document: &TaskStatus) -> Result<(), StorageError> {
    let Some(key) = &document.unique_key else { return Ok(()) };
    let name = key_marker_name(document.owner.as_deref(), key);
    match read_key_marker(store, &name).await? {
        // After a conflict another task has the key.
        Some(marker) if marker.holder == Some(document.task_id) => {
            store.delete_marker(&name, &marker.etag).await.map(drop)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marker_has_one_name_per_caller_and_key() {
        let name = key_marker_name(Some("a"), "key");
        assert_eq!(name, key_marker_name(Some("a"), "key"));
        for other in [
            key_marker_name(Some("b"), "key"),
            key_marker_name(None, "key"),
            key_marker_name(Some("a"), "Key"),
        ] {
            assert_ne!(name, other);
        }
        assert_eq!(name.len(), 64 + "-unique".len());
    }
}
