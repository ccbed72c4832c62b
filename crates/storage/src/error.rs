use std::time::Duration;

use futures::future::LocalBoxFuture;
use models::TaskId;

use crate::ETag;

/// Why storage did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// It did not answer, or answered that it is busy or broken; worth another try later.
    #[error("{}: {detail}", if *.credentials { "the credentials for storage cannot be had" } else { "storage is not available" })]
    Unavailable {
        /// What failed, which part it was and what to check when it lasts; without secrets.
        detail: String,
        /// Whether it is where the credentials come from that does not answer, rather than storage itself.
        credentials: bool,
        /// How long storage asked to wait, when it did.
        retry_after: Option<Duration>,
    },
    /// Configuration or permissions are wrong; a retry does not help, an operator does.
    #[error("{0}")]
    Misconfigured(String),
    /// What documents are kept in does not exist, which says nothing about any of them; an operator has to look
    /// at the configuration, unless no task was ever submitted.
    #[error("{0}")]
    NoContainer(String),
    /// A stored document does not follow the contract.
    #[error("the stored document of task {task_id} cannot be read: {reason}")]
    Unreadable {
        /// Whose document it is.
        task_id: TaskId,
        /// What is wrong with it.
        reason: String,
        /// Its version.
        etag: ETag,
    },
    /// The state of one blob forbids it: somebody holds a lease, it is in the archive tier, a legal hold or a
    /// policy protects it, it has snapshots. An operator has to look at it; others are not concerned.
    #[error("storage does not allow it: {0}")]
    Blocked(String),
    /// Storage refused the request itself, which means a mistake in this program.
    #[error("storage refused the request: {0}")]
    Refused(String),
}

impl StorageError {
    /// Whether the error says something about the one document, or message, that was asked for: another one
    /// may do.
    #[must_use]
    pub fn concerns_one(&self) -> bool {
        match self {
            Self::Unreadable { .. } | Self::Blocked(_) | Self::Refused(_) => true,
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

/// What every call to storage returns. Not `Send`: components are single-threaded.
pub type StorageFuture<'a, T> = LocalBoxFuture<'a, Result<T, StorageError>>;
