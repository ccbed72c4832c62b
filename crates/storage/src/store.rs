//! Where task documents and results live.

use std::ops::Range;
use std::time::Duration;

use ::azure::Write;
use bytes::Bytes;
use lifecycle::sweep::Mark;
use models::{TaskId, TaskStatus, Timestamp};

use crate::{ETag, StorageFuture};

/// A document and the version it was read at.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDocument {
    /// The document.
    pub document: TaskStatus,
    /// Its version.
    pub etag: ETag,
}

/// What a read found.
#[derive(Debug, Clone, PartialEq)]
pub enum Read {
    /// The document.
    Found(Box<StoredDocument>),
    /// There is none.
    Missing,
    /// It still has the version that was given.
    Unchanged,
}

/// What a listing tells of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedDocument {
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
    pub tasks: Vec<ListedDocument>,
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
    fn delete<'a>(&'a self, id: TaskId, etag: &'a str) -> StorageFuture<'a, Write<()>>;

    /// Lists documents, `limit` (1 to 5000) at most, from `from` (a [`Page::next`]) on.
    ///
    /// # Errors
    /// [`StorageError`]; a `from` that storage did not make is [`StorageError::Refused`].
    fn list<'a>(&'a self, from: Option<&'a str>, limit: u32) -> StorageFuture<'a, Page>;

    /// Reads bytes `from..to` of an attachment (to its end when `to` is beyond it), of version `etag`
    /// when given; `None` when it does not exist or has another version.
    ///
    /// # Errors
    /// [`StorageError`].
    fn read_attachment<'a>(
        &'a self,
        name: &'a str,
        range: Range<u64>,
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
}

/// A store whose documents clients may read by a signed link.
pub trait PublicStore: StatusStore {
    /// Address of the document with a read-only signature that expires after `lifetime`; `None` when the
    /// credential is one that cannot sign.
    ///
    /// # Errors
    /// [`StorageError`] when the account cannot be determined or a key for the signature cannot be had.
    fn signed_address(&self, id: TaskId, lifetime: Duration) -> StorageFuture<'_, Option<String>>;

    /// Makes one cheap request that proves the store is reachable and the credentials are good.
    ///
    /// # Errors
    /// [`StorageError`].
    fn probe(&self) -> StorageFuture<'_, ()>;
}

/// A store that keeps what workers make.
pub trait ResultStore: StatusStore {
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
}
