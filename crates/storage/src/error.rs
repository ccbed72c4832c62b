use std::time::Duration;

use futures::future::LocalBoxFuture;
use models::TaskId;

use crate::ETag;

/// Why a call to storage failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// Storage did not respond, or responded that it is busy or out of order. Try again later.
    #[error("{}: {detail}", if *.credentials { "the credentials for storage are not available" } else { "storage is not available" })]
    Unavailable {
        /// The service that failed, how, and what to check if the error persists. It contains no secret.
        detail: String,
        /// Whether the source of the credentials is unavailable rather than storage itself.
        credentials: bool,
        /// How long storage asked to wait.
        retry_after: Option<Duration>,
    },
    /// The configuration or the permissions are wrong. An operator has to act; a retry does not help.
    #[error("{0}")]
    Misconfigured(String),
    /// The container of the documents does not exist, so nothing is known about any document. An operator has to check
    /// the configuration, unless no task was ever submitted.
    #[error("{0}")]
    NoContainer(String),
    /// A stored document does not follow the contract.
    #[error("the stored document of task {task_id} cannot be read: {reason}")]
    Unreadable {
        /// The task of the document.
        task_id: TaskId,
        /// The violation of the contract.
        reason: String,
        /// Its version.
        etag: ETag,
    },
    /// The schedules of recurring tasks, which are one blob, cannot be read.
    #[error("the stored schedules cannot be read: {0}")]
    UnreadableSchedules(String),
    /// The state of one blob does not allow the operation: another client holds a lease, the blob is in the archive
    /// tier or has snapshots, or a legal hold or a policy protects it. An operator has to act. Other blobs are not
    /// affected.
    #[error("storage does not allow it: {0}")]
    Blocked(String),
    /// Storage refused the request as invalid. The cause is a defect of this program or its input.
    #[error("storage refused the request: {0}")]
    Refused(String),
}

impl StorageError {
    /// Whether the error is about the requested document or message only. The same call for another one may succeed.
    #[must_use]
    pub fn affects_one_item(&self) -> bool {
        match self {
            Self::Unreadable { .. } | Self::UnreadableSchedules(_) | Self::Blocked(_) | Self::Refused(_) => {
                true
            }
            Self::Unavailable { .. } | Self::Misconfigured(_) | Self::NoContainer(_) => false,
        }
    }

    /// How long storage asked to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// The future of a call to storage. Not `Send`, because components are single-threaded.
pub type StorageFuture<'a, T> = LocalBoxFuture<'a, Result<T, StorageError>>;
