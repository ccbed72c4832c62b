//! The two seams to storage: where task documents live and where messages wait.
//!
//! Both are used as objects, so that another store or queue can be chosen by a variable. Each has a second trait
//! for what only one component asks for, because an object brings all of its methods into a component: signing
//! links is 21 KB that the worker does not carry, and receiving is 10 KB that the API does not carry.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use lifecycle::sweep::Mark;
use models::{TaskId, TaskStatus, Timestamp};

/// What every call to storage returns. Not `Send`: components are single-threaded.
pub type StorageFuture<'a, T> = LocalBoxFuture<'a, Result<T, StorageError>>;

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
    fn create<'a>(&'a self, document: &'a TaskStatus) -> StorageFuture<'a, Write>;

    /// Reads a document; with `unless`, only when its version differs.
    ///
    /// # Errors
    /// [`StorageError`], [`StorageError::Unreadable`] for a document that breaks the contract,
    /// [`StorageError::NoContainer`] when what documents are kept in does not exist.
    fn read<'a>(&'a self, id: TaskId, unless: Option<&'a str>) -> StorageFuture<'a, Read>;

    /// Replaces the document of version `etag`.
    ///
    /// # Errors
    /// [`StorageError`].
    fn replace<'a>(&'a self, document: &'a TaskStatus, etag: &'a str) -> StorageFuture<'a, Write>;

    /// Deletes the document of version `etag`. Gone already counts as done.
    ///
    /// # Errors
    /// [`StorageError`].
    fn delete<'a>(&'a self, id: TaskId, etag: &'a str) -> StorageFuture<'a, Write>;

    /// Lists documents, `limit` (1 to 5000) at most, from `from` (a [`Page::next`]) on.
    ///
    /// # Errors
    /// [`StorageError`]; a `from` that storage did not make is [`StorageError::Refused`].
    fn list<'a>(&'a self, from: Option<&'a str>, limit: u32) -> StorageFuture<'a, Page>;

    /// Stores the original of a message that was given up, where nothing else is kept: copies in the poison
    /// queue outlive the tasks.
    ///
    /// # Errors
    /// [`StorageError`].
    fn put_poisoned<'a>(&'a self, name: &'a str, bytes: Bytes) -> StorageFuture<'a, ()>;

    /// Stores a blob of this project's own beside the documents (a result), replacing one of that name.
    ///
    /// # Errors
    /// [`StorageError`].
    fn put_attachment<'a>(
        &'a self,
        name: &'a str,
        content_type: &'a str,
        bytes: Bytes,
    ) -> StorageFuture<'a, ()>;

    /// Stores an attachment only over version `etag`, or only when there is none of that name (`None`).
    /// [`Write::Conflict`] also where no document was ever stored.
    ///
    /// # Errors
    /// [`StorageError`].
    fn swap_attachment<'a>(
        &'a self,
        name: &'a str,
        content_type: &'a str,
        bytes: Bytes,
        etag: Option<&'a str>,
    ) -> StorageFuture<'a, Write>;

    /// Reads bytes `from..to` of an attachment (to its end when `to` is beyond it), of version `etag`
    /// when given; `None` when it does not exist or has another version.
    ///
    /// # Errors
    /// [`StorageError`].
    fn read_attachment<'a>(
        &'a self,
        name: &'a str,
        range: std::ops::Range<u64>,
        etag: Option<&'a str>,
    ) -> StorageFuture<'a, Option<ResultPart>>;

    /// Deletes an attachment. Gone already counts as done.
    ///
    /// # Errors
    /// [`StorageError`].
    fn delete_attachment<'a>(&'a self, name: &'a str) -> StorageFuture<'a, ()>;

    /// Address of the document, without any signature.
    ///
    /// # Errors
    /// [`StorageError`] when the account cannot be determined.
    fn address(&self, id: TaskId) -> StorageFuture<'_, String>;

    /// Makes one cheap request that proves the store is reachable and the credentials are good.
    ///
    /// # Errors
    /// [`StorageError`].
    fn probe(&self) -> StorageFuture<'_, ()>;
}

/// A store whose documents clients may read by a signed link.
pub trait PublicStore: StatusStore {
    /// Address of the document with a read-only signature that expires after `lifetime`; `None` when the
    /// credential is one that cannot sign.
    ///
    /// # Errors
    /// [`StorageError`] when the account cannot be determined or a key for the signature cannot be had.
    fn signed_address(&self, id: TaskId, lifetime: Duration) -> StorageFuture<'_, Option<String>>;
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
    fn send<'a>(&'a self, queue: QueueName, text: &'a str, delay: Duration) -> StorageFuture<'a, ()>;

    /// How many messages there are, visible or not; at least the true number.
    ///
    /// # Errors
    /// [`StorageError`].
    fn depth(&self, queue: QueueName) -> StorageFuture<'_, u64>;

    /// When the oldest visible message was put, from a look at the first 32; `None` when there is none.
    ///
    /// # Errors
    /// [`StorageError`].
    fn oldest(&self, queue: QueueName) -> StorageFuture<'_, Option<Timestamp>>;
}

/// A queue whose messages can be received. A received message is leased: hidden from others for a while.
pub trait TaskReceiver: TaskQueue {
    /// Receives up to `count` (1 to 32) messages, hidden from others for `visibility`.
    ///
    /// # Errors
    /// [`StorageError`].
    fn receive(&self, queue: QueueName, count: u32, visibility: Duration)
    -> StorageFuture<'_, Vec<Delivery>>;

    /// Hides the message for `visibility` from now (zero: gives it back at once), and replaces its text when
    /// one is given. Answers with the new pop receipt; the old one is dead.
    ///
    /// # Errors
    /// [`StorageError`]; when it is [`StorageError::Unavailable`] the receipt may be dead.
    fn update<'a>(
        &'a self,
        queue: QueueName,
        delivery: &'a Delivery,
        visibility: Duration,
        text: Option<&'a str>,
    ) -> StorageFuture<'a, Held<String>>;

    /// Deletes the message.
    ///
    /// # Errors
    /// [`StorageError`].
    fn delete<'a>(&'a self, queue: QueueName, delivery: &'a Delivery) -> StorageFuture<'a, Held<()>>;
}

/// What the API works with.
#[derive(Clone)]
pub struct ApiStorage {
    /// Task documents and results.
    pub store: Rc<dyn PublicStore>,
    /// Messages.
    pub queue: Rc<dyn TaskQueue>,
}

/// What the worker works with.
#[derive(Clone)]
pub struct WorkerStorage {
    /// Task documents and results.
    pub store: Rc<dyn StatusStore>,
    /// Messages.
    pub queue: Rc<dyn TaskReceiver>,
}
