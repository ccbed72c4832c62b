//! The Blob service.

mod types;

pub use types::{Blob, BlobItem, BlobPage, BlobProperties, Condition, Deleted, Get, GetOptions, Put};

use bytes::Bytes;

use crate::{Env, Error, Storage};

/// One container.
pub struct Blobs<E> {
    _storage: Storage<E>,
    container: String,
}

impl<E: Env + 'static> Blobs<E> {
    pub(crate) fn new(storage: Storage<E>, container: &str) -> Self {
        Self { _storage: storage, container: container.to_owned() }
    }

    /// Name of the container.
    #[must_use]
    pub fn container(&self) -> &str {
        &self.container
    }

    /// Creates the container; it may exist already.
    ///
    /// # Errors
    /// [`Error`]; `Conflict` with code `ContainerBeingDeleted` while an older one is being deleted.
    pub async fn create_container(&self) -> Result<(), Error> {
        Err(Error::unexpected("Create Container", "not built yet"))
    }

    /// Stores a whole block blob, replacing content, type and metadata together.
    ///
    /// A create that was tried twice may answer [`Put::ConditionNotMet`] because of its own first try:
    /// read the blob back.
    ///
    /// # Errors
    /// [`Error`]; `NotFound` with code `ContainerNotFound` when there is no such container.
    pub async fn put(
        &self,
        name: &str,
        bytes: Bytes,
        content_type: &str,
        condition: Condition<'_>,
    ) -> Result<Put, Error> {
        let _ = (name, bytes, content_type, condition);
        Err(Error::unexpected("Put Blob", "not built yet"))
    }

    /// Reads a blob or a part of it. A missing container counts as a missing blob.
    ///
    /// # Errors
    /// [`Error`]; `Refused` with status 416 when the range begins at or beyond the end.
    pub async fn get(&self, name: &str, options: GetOptions<'_>) -> Result<Get, Error> {
        let _ = (name, options);
        Err(Error::unexpected("Get Blob", "not built yet"))
    }

    /// Reads a blob's properties; `None` when there is no such blob (or container).
    ///
    /// # Errors
    /// [`Error`].
    pub async fn head(&self, name: &str) -> Result<Option<BlobProperties>, Error> {
        let _ = name;
        Err(Error::unexpected("Get Blob Properties", "not built yet"))
    }

    /// Deletes a blob. A blob (or container) that is not there counts as done.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete(&self, name: &str, condition: Condition<'_>) -> Result<Deleted, Error> {
        let _ = (name, condition);
        Err(Error::unexpected("Delete Blob", "not built yet"))
    }

    /// Lists up to `max` (1 to 5000) blobs whose names begin with `prefix`, from `marker` on. A page
    /// may be short or empty and still have a next one.
    ///
    /// # Errors
    /// [`Error`]; `NotFound` with code `ContainerNotFound` when there is no such container.
    pub async fn list(&self, prefix: &str, marker: Option<&str>, max: u32) -> Result<BlobPage, Error> {
        let _ = (prefix, marker, max);
        Err(Error::unexpected("List Blobs", "not built yet"))
    }
}
