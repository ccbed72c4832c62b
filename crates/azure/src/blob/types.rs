use std::ops::Range;

use bytes::Bytes;
use time::OffsetDateTime;

/// The condition of a write or delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition<'a> {
    /// Unconditional.
    Always,
    /// Only if there is no blob of that name (`If-None-Match: *`).
    IfAbsent,
    /// Only if the blob has this entity tag, quotes included (`If-Match`).
    IfMatch(&'a str),
}

/// The outcome of a conditional write.
///
/// [`put`](super::Blobs::put) returns the new entity tag, quotes included; [`delete`](super::Blobs::delete) returns
/// nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write<T = String> {
    /// The blob is written, or deleted.
    Done(T),
    /// The condition does not hold, and nothing was changed: the blob exists ([`Condition::IfAbsent`]), or it has
    /// another entity tag or, for a put, does not exist ([`Condition::IfMatch`]).
    Conflict,
}

/// Which part of a blob to read, and on which condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GetOptions<'a> {
    /// The bytes to read, `start..end`; `None` is all. An end beyond the blob's end is cut to it.
    pub range: Option<Range<u64>>,
    /// Read only if the blob has another entity tag than this.
    pub if_none_match: Option<&'a str>,
    /// Read only if the blob has this entity tag.
    pub if_match: Option<&'a str>,
}

/// The outcome of [`get`](super::Blobs::get).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// The blob, or the requested part of it.
    Found(Blob),
    /// The container has no blob of that name.
    Missing,
    /// The blob still has the entity tag of `if_none_match`.
    Unchanged,
    /// The blob does not have the entity tag of `if_match`.
    Changed,
}

/// A blob's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// The requested bytes.
    pub bytes: Bytes,
    /// Entity tag, quotes included.
    pub etag: String,
    /// Media type.
    pub content_type: String,
    /// Size of the whole blob in bytes.
    pub total_size: u64,
    /// When it was last written, by storage's clock.
    pub last_modified: OffsetDateTime,
}

/// A blob without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobProperties {
    /// Entity tag, quotes included.
    pub etag: String,
    /// Media type.
    pub content_type: String,
    /// Size in bytes.
    pub size: u64,
    /// When it was last written, by storage's clock.
    pub last_modified: OffsetDateTime,
}

/// One blob of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobItem {
    /// Name in the container.
    pub name: String,
    /// Entity tag, quotes included: the service lists it without, and they are added.
    pub etag: String,
    /// When it was last written, by storage's clock.
    pub last_modified: OffsetDateTime,
    /// Size in bytes.
    pub size: u64,
    /// The note of [`put_noted`](super::Blobs::put_noted).
    pub note: Option<String>,
}

/// One page of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlobPage {
    /// The blobs, in the order of their names.
    pub blobs: Vec<BlobItem>,
    /// The marker of the next page; `None` on the last page.
    pub next: Option<String>,
}
