use std::ops::Range;

use bytes::Bytes;
use time::OffsetDateTime;

/// When a blob is written or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition<'a> {
    /// In any case.
    Always,
    /// Only when there is no blob of that name (`If-None-Match: *`).
    IfAbsent,
    /// Only when the blob has this entity tag, quotes included (`If-Match`).
    IfMatch(&'a str),
}

/// What became of [`put`](super::Blobs::put).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// Stored; the new entity tag, quotes included.
    Stored(String),
    /// Nothing was written: the blob exists (`IfAbsent`), is gone or has another entity tag (`IfMatch`).
    ConditionNotMet,
}

/// What became of [`delete`](super::Blobs::delete).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// There is no such blob any more.
    Done,
    /// It has another entity tag and is still there.
    ConditionNotMet,
}

/// Which part of a blob to read, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GetOptions<'a> {
    /// Bytes to read, `start..end`; `None` is all. An end beyond the blob's is cut to it.
    pub range: Option<Range<u64>>,
    /// Read only when the entity tag differs from this one.
    pub if_none_match: Option<&'a str>,
    /// Read only when the entity tag is this one.
    pub if_match: Option<&'a str>,
}

/// What [`get`](super::Blobs::get) found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Get {
    /// The blob, or the wanted part of it.
    Found(Blob),
    /// There is none of that name.
    NotFound,
    /// It still has the entity tag of `if_none_match`.
    NotModified,
    /// It does not have the entity tag of `if_match`.
    ConditionNotMet,
}

/// A blob's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// The bytes asked for.
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

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobItem {
    /// Name in the container.
    pub name: String,
    /// Entity tag, quotes included (the service lists it without; they are added).
    pub etag: String,
    /// When it was last written, by storage's clock.
    pub last_modified: OffsetDateTime,
    /// Size in bytes.
    pub size: u64,
    /// What [`put_noted`](super::Blobs::put_noted) noted.
    pub note: Option<String>,
}

/// One page of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlobPage {
    /// The blobs, in the order of their names.
    pub blobs: Vec<BlobItem>,
    /// Where the next page begins; `None` on the last page.
    pub next: Option<String>,
}
