//! The two seams to storage: where task documents live and where messages wait. Each has one
//! implementation today (Blob Storage, Storage Queue); Cosmos DB, Service Bus and others would be siblings.
#![expect(async_fn_in_trait, reason = "single-threaded by design: no caller needs a Send bound")]

use std::time::Duration;

use bytes::Bytes;
use lifecycle::sweep::Mark;
use models::{TaskId, TaskStatus, Timestamp};

/// Version of a stored document, as the store writes it (an HTTP entity tag, quotes included).
pub type ETag = String;

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

/// A document and the version it was read at.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The document.
    pub document: TaskStatus,
    /// Its version.
    pub etag: ETag,
}

/// What a read found.
#[derive(Debug, Clone, PartialEq)]
pub enum Read {
    /// The document.
    Found(Box<Stored>),
    /// There is none.
    Missing,
    /// It still has the version that was given.
    Unchanged,
}

/// What became of a conditional write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Done; the new version.
    Done(ETag),
    /// Somebody else wrote first (or the document is gone, or exists already): nothing was written.
    Conflict,
}

/// What a listing tells of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// The task.
    pub id: TaskId,
    /// When the document was last written, by storage's clock.
    pub written: Timestamp,
    /// What was stored with it for the sweep; documents of others have none.
    pub mark: Option<Mark>,
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// Tasks whose documents exist.
    pub tasks: Vec<Listed>,
    /// Where the next page begins; `None` on the last page.
    pub next: Option<String>,
}

/// A stored result, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultPart {
    /// The bytes.
    pub bytes: Bytes,
    /// Size of the whole result in bytes.
    pub total: u64,
    /// Version of the result.
    pub etag: ETag,
}

/// Where task documents and results live.
pub trait StatusStore {
    /// Stores a new document; [`Write::Conflict`] when there is one of that id. Makes what documents are
    /// kept in when it is not there yet; no other write does.
    ///
    /// # Errors
    /// [`StorageError`].
    async fn create(&self, document: &TaskStatus) -> Result<Write, StorageError>;

    /// Reads a document; with `unless`, only when its version differs.
    ///
    /// # Errors
    /// [`StorageError`], [`StorageError::Unreadable`] for a document that breaks the contract,
    /// [`StorageError::NoContainer`] when what documents are kept in does not exist.
    async fn read(&self, id: TaskId, unless: Option<&str>) -> Result<Read, StorageError>;

    /// Replaces the document of version `etag`.
    ///
    /// # Errors
    /// [`StorageError`].
    async fn replace(&self, document: &TaskStatus, etag: &str) -> Result<Write, StorageError>;

    /// Deletes the document of version `etag`. Gone already counts as done.
    ///
    /// # Errors
    /// [`StorageError`].
    async fn delete(&self, id: TaskId, etag: &str) -> Result<Write, StorageError>;

    /// Lists documents, `limit` (1 to 5000) at most, from `from` (a [`Page::next`]) on.
    ///
    /// # Errors
    /// [`StorageError`]; a `from` that storage did not make is [`StorageError::Refused`].
    async fn list(&self, from: Option<&str>, limit: u32) -> Result<Page, StorageError>;

    /// Stores the original of a message that was given up, where nothing else is kept: copies in the poison
    /// queue outlive the tasks.
    ///
    /// # Errors
    /// [`StorageError`].
    async fn put_poisoned(&self, name: &str, bytes: Bytes) -> Result<(), StorageError>;

    /// Stores a blob of this project's own beside the documents (a result), replacing one of that name.
    ///
    /// # Errors
    /// [`StorageError`].
    async fn put_attachment(&self, name: &str, content_type: &str, bytes: Bytes) -> Result<(), StorageError>;

    /// Stores an attachment only over version `etag`, or only when there is none of that name (`None`).
    /// [`Write::Conflict`] also where no document was ever stored.
    ///
    /// # Errors
    /// [`StorageError`].
    async fn swap_attachment(
        &self,
        name: &str,
        content_type: &str,
        bytes: Bytes,
        etag: Option<&str>,
    ) -> Result<Write, StorageError>;

    /// Reads bytes `from..to` of an attachment (to its end when `to` is beyond it), of version `etag`
    /// when given; `None` when it does not exist or has another version.
    ///
    /// # Errors
    /// [`StorageError`].
    async fn read_attachment(
        &self,
        name: &str,
        range: std::ops::Range<u64>,
        etag: Option<&str>,
    ) -> Result<Option<ResultPart>, StorageError>;

    /// Deletes an attachment. Gone already counts as done.
    ///
    /// # Errors
    /// [`StorageError`].
    async fn delete_attachment(&self, name: &str) -> Result<(), StorageError>;

    /// Address of the document, without any signature.
    ///
    /// # Errors
    /// [`StorageError`] when the account cannot be determined.
    async fn address(&self, id: TaskId) -> Result<String, StorageError>;

    /// Address of the document with a read-only signature that expires after `lifetime`; `None` when the
    /// credential is one that cannot sign.
    ///
    /// # Errors
    /// [`StorageError`] when the account cannot be determined or a key for the signature cannot be had.
    async fn signed_address(&self, id: TaskId, lifetime: Duration) -> Result<Option<String>, StorageError>;

    /// Makes one cheap request that proves the store is reachable and the credentials are good.
    ///
    /// # Errors
    /// [`StorageError`].
    async fn probe(&self) -> Result<(), StorageError>;
}

/// Which of the queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueName {
    /// Messages ready for a worker.
    Tasks,
    /// `{queue}-scheduled`: messages of tasks that may not start yet, invisible until then.
    Scheduled,
    /// `{queue}-poison`: copies of messages that were given up.
    Poison,
}

/// One receipt of a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Id of the message.
    pub message_id: String,
    /// Proof of the lease; replaced by every update. Never logged.
    pub pop_receipt: String,
    /// How often the message has been delivered, 1 for the first time.
    pub dequeue_count: u32,
    /// When the message was put.
    pub inserted_at: Timestamp,
    /// When the lease runs out, by storage's clock.
    pub next_visible_at: Timestamp,
    /// The message's text.
    pub text: String,
}

impl std::fmt::Debug for Delivery {
    /// Without receipt and text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery")
            .field("message_id", &self.message_id)
            .field("dequeue_count", &self.dequeue_count)
            .finish_non_exhaustive()
    }
}

/// What became of an operation that needs the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held<T> {
    /// Done.
    Yes(T),
    /// The lease is lost: somebody else has the message, or it is gone. Write nothing more.
    Lost,
}

/// Where messages wait. Queues are made on first use.
pub trait TaskQueue {
    /// Puts a message that becomes visible after `delay` (at most seven days) and never expires.
    ///
    /// # Errors
    /// [`StorageError`]; when it is [`StorageError::Unavailable`] the message may have been put.
    async fn send(&self, queue: QueueName, text: &str, delay: Duration) -> Result<(), StorageError>;

    /// Receives up to `count` (1 to 32) messages, hidden from others for `visibility`.
    ///
    /// # Errors
    /// [`StorageError`].
    async fn receive(
        &self,
        queue: QueueName,
        count: u32,
        visibility: Duration,
    ) -> Result<Vec<Delivery>, StorageError>;

    /// Hides the message for `visibility` from now (zero: gives it back at once), and replaces its text when
    /// one is given. Answers with the new pop receipt; the old one is dead.
    ///
    /// # Errors
    /// [`StorageError`]; when it is [`StorageError::Unavailable`] the receipt may be dead.
    async fn update(
        &self,
        queue: QueueName,
        delivery: &Delivery,
        visibility: Duration,
        text: Option<&str>,
    ) -> Result<Held<String>, StorageError>;

    /// Deletes the message.
    ///
    /// # Errors
    /// [`StorageError`].
    async fn delete(&self, queue: QueueName, delivery: &Delivery) -> Result<Held<()>, StorageError>;

    /// How many messages there are, visible or not; at least the true number.
    ///
    /// # Errors
    /// [`StorageError`].
    async fn depth(&self, queue: QueueName) -> Result<u64, StorageError>;

    /// When the oldest visible message was put, from a look at the first 32; `None` when there is none.
    ///
    /// # Errors
    /// [`StorageError`].
    async fn oldest(&self, queue: QueueName) -> Result<Option<Timestamp>, StorageError>;
}
