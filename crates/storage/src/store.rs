//! The interface to documents and results.

use std::ops::Range;
use std::time::Duration;

use ::azure::Write;
use bytes::Bytes;
use lifecycle::sweep::Mark;
use models::{TaskId, TaskStatus, Timestamp};

use crate::{ETag, StorageFuture};

/// A document and the version that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDocument {
    /// The document.
    pub document: TaskStatus,
    /// Its version.
    pub etag: ETag,
}

/// The result of a read.
#[derive(Debug, Clone, PartialEq)]
pub enum Read {
    /// The document.
    Found(Box<StoredDocument>),
    /// There is no document.
    Missing,
    /// The document has the given version.
    Unchanged,
}

/// An entry of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedDocument {
    /// Id of the task.
    pub id: TaskId,
    /// When the document was last written, by storage's clock.
    pub written: Timestamp,
    /// The mark for the sweep; documents of the .NET side have none.
    pub mark: Option<Mark>,
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// Tasks whose documents exist.
    pub tasks: Vec<ListedDocument>,
    /// Start of the next page; `None` on the last page.
    pub next: Option<String>,
}

/// An attachment, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentPart {
    /// The bytes.
    pub bytes: Bytes,
    /// Size of the complete attachment in bytes.
    pub total: u64,
    /// Version of the attachment.
    pub etag: ETag,
}

/// Documents, and attachments (results and other blobs of this project) beside them. Every call can fail with
/// [`StorageError`](crate::StorageError).
pub trait StatusStore {
    /// Stores a new document; [`Write::Conflict`] if one exists for this id. It creates the container if necessary; no
    /// other write does.
    fn create<'a>(&'a self, document: &'a TaskStatus) -> StorageFuture<'a, Write>;

    /// Reads a document; with `unless`, only if its version differs from this one.
    ///
    /// # Errors
    /// [`Unreadable`](crate::StorageError::Unreadable) for a document that does not follow the contract,
    /// [`NoContainer`](crate::StorageError::NoContainer) if the container does not exist.
    fn read<'a>(&'a self, id: TaskId, unless: Option<&'a str>) -> StorageFuture<'a, Read>;

    /// Replaces version `etag` of the document.
    fn replace<'a>(&'a self, document: &'a TaskStatus, etag: &'a str) -> StorageFuture<'a, Write>;

    /// Deletes version `etag` of the document. It succeeds if the document does not exist.
    fn delete<'a>(&'a self, id: TaskId, etag: &'a str) -> StorageFuture<'a, Write<()>>;

    /// Lists up to `limit` (1 to 5000) documents, starting at `from`, a [`Page::next`].
    ///
    /// # Errors
    /// [`Refused`](crate::StorageError::Refused) if storage did not create `from`.
    fn list<'a>(&'a self, from: Option<&'a str>, limit: u32) -> StorageFuture<'a, Page>;

    /// Reads a range of bytes of an attachment, up to its end. Returns `None` if it does not exist, or has another
    /// version than `etag`.
    fn read_attachment<'a>(
        &'a self,
        name: &'a str,
        range: Range<u64>,
        etag: Option<&'a str>,
    ) -> StorageFuture<'a, Option<AttachmentPart>>;

    /// Deletes an attachment. It succeeds if the attachment does not exist.
    fn delete_attachment<'a>(&'a self, name: &'a str) -> StorageFuture<'a, ()>;

    /// Replaces version `etag` of an attachment, or creates it if `etag` is `None`. Returns [`Write::Conflict`] for
    /// another version, and if the container does not exist.
    fn swap_attachment<'a>(
        &'a self,
        name: &'a str,
        content_type: &'a str,
        bytes: Bytes,
        etag: Option<&'a str>,
    ) -> StorageFuture<'a, Write>;

    /// Deletes version `etag` of a key marker. It succeeds if the marker does not exist.
    fn delete_marker<'a>(&'a self, name: &'a str, etag: &'a str) -> StorageFuture<'a, Write<()>>;

    /// Returns the address of the document without a signature. It fails if the account cannot be determined.
    fn address(&self, id: TaskId) -> StorageFuture<'_, String>;
}

/// The store as the API uses it: it signs addresses of documents for clients, and writes markers of unique keys.
pub trait PublicStore: StatusStore {
    /// Returns the address of the document with a read-only SAS that expires after `lifetime`; `None` if the credential
    /// cannot sign. It fails if the account cannot be determined or no key for the signature is available.
    fn signed_address(&self, id: TaskId, lifetime: Duration) -> StorageFuture<'_, Option<String>>;

    /// Makes `holder` the task in a key marker: replaces version `etag`, or creates the marker if `etag` is `None`, and
    /// the container with it. Returns [`Write::Conflict`] for another version.
    fn put_marker<'a>(
        &'a self,
        name: &'a str,
        holder: TaskId,
        etag: Option<&'a str>,
    ) -> StorageFuture<'a, Write>;

    /// Creates an attachment, and the container with it. Returns [`Write::Conflict`] if the attachment exists.
    fn create_attachment<'a>(
        &'a self,
        name: &'a str,
        content_type: &'a str,
        bytes: Bytes,
    ) -> StorageFuture<'a, Write>;

    /// Reads the original of a given-up message that did not fit into its copy; `None` if it does not exist.
    fn read_poisoned<'a>(&'a self, name: &'a str) -> StorageFuture<'a, Option<Bytes>>;

    /// Sends one cheap request to check that the store is reachable and the credentials are valid.
    fn probe(&self) -> StorageFuture<'_, ()>;
}

/// The store as the worker uses it: it stores results, poison originals and the state of the sweep.
pub trait ResultStore: StatusStore {
    /// Stores the original of a given-up message in a container of its own, because copies in the poison queue outlive
    /// the tasks.
    fn put_poisoned<'a>(&'a self, name: &'a str, bytes: Bytes) -> StorageFuture<'a, ()>;

    /// Stores an attachment and replaces one of the same name.
    fn put_attachment<'a>(
        &'a self,
        name: &'a str,
        content_type: &'a str,
        bytes: Bytes,
    ) -> StorageFuture<'a, ()>;

    /// Stores part `number` of an attachment that [`Self::complete_attachment`] makes later. A part that is stored again is
    /// replaced.
    fn put_attachment_part<'a>(&'a self, name: &'a str, number: u32, bytes: Bytes) -> StorageFuture<'a, ()>;

    /// Makes an attachment of its parts 0 to `count` - 1, and replaces one of the same name. It may be repeated.
    fn complete_attachment<'a>(
        &'a self,
        name: &'a str,
        content_type: &'a str,
        count: u32,
    ) -> StorageFuture<'a, ()>;
}
