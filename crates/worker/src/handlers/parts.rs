//! A large result, stored in parts while it arrives: no more than two parts of it are in memory.

use std::cell::{Cell, RefCell};

use azure::{Spill, TransportError};
use bytes::Bytes;
use futures::future::LocalBoxFuture;
use http::StatusCode;
use http::header::CONTENT_ENCODING;
use http::response::Parts;
use storage::{ResultStore, StorageError};

use super::Stored;
use super::response::is_json_lines;

/// Stores all but the last part of a result in its blob.
pub(super) struct PartWriter<'a> {
    store: &'a dyn ResultStore,
    /// The name of the blob, which is the attempt's own.
    name: String,
    part_bytes: usize,
    max_bytes: usize,
    stored: Cell<Stored>,
    error: RefCell<Option<StorageError>>,
}

impl<'a> PartWriter<'a> {
    pub(super) fn new(store: &'a dyn ResultStore, name: String, part_bytes: usize, max_bytes: usize) -> Self {
        let (stored, error) = (Cell::default(), RefCell::default());
        Self { store, name, part_bytes, max_bytes, stored, error }
    }

    pub(super) fn stored(&self) -> Stored {
        self.stored.get()
    }

    /// Returns why a part could not be stored, if that ended the request.
    pub(super) fn take_error(&self) -> Option<StorageError> {
        self.error.take()
    }
}

/// Returns whether the body is the result as it is. Progress, and what is no result, is read as a whole.
pub(crate) fn is_result(head: &Parts) -> bool {
    let is_coded = head.headers.contains_key(CONTENT_ENCODING);
    head.status == StatusCode::OK && !is_coded && !is_json_lines(head.status, &head.headers)
}

impl Spill for PartWriter<'_> {
    fn part_bytes(&self, head: &Parts) -> Option<usize> {
        is_result(head).then_some(self.part_bytes)
    }

    fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    fn take<'b>(&'b self, _: &'b Parts, part: Bytes) -> LocalBoxFuture<'b, Result<(), TransportError>> {
        Box::pin(async move {
            let Stored { parts, bytes } = self.stored.get();
            let length = part.len();
            match self.store.put_attachment_part(&self.name, parts, part).await {
                Ok(()) => {
                    self.stored.set(Stored { parts: parts + 1, bytes: bytes + length });
                    Ok(())
                }
                Err(error) => {
                    *self.error.borrow_mut() = Some(error);
                    Err(TransportError::Interrupted("a part of the result could not be stored".to_owned()))
                }
            }
        })
    }
}
