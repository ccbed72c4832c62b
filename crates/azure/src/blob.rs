//! The Blob service (<https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api>).

mod requests;
mod responses;
mod types;

pub use types::{Blob, BlobItem, BlobPage, BlobProperties, Condition, GetOptions, Read, Write};

use bytes::Bytes;

use crate::{Error, StorageClient};

/// One container.
pub struct Blobs {
    storage: StorageClient,
    container: String,
}

impl StorageClient {
    /// A container of the account. It is neither checked nor created.
    #[must_use]
    pub fn blobs(&self, container: &str) -> Blobs {
        Blobs { storage: self.clone(), container: container.to_owned() }
    }
}

impl Blobs {
    /// The name of the container.
    #[must_use]
    pub fn container(&self) -> &str {
        &self.container
    }

    /// Creates the container. If it exists already, nothing changes.
    ///
    /// # Errors
    /// [`Error`]; `Conflict` with code `ContainerBeingDeleted` while an older one is being deleted.
    pub async fn create_container(&self) -> Result<(), Error> {
        let response = self.storage.send(&requests::create_container(&self.container)).await?;
        responses::create_container(&response)
    }

    /// Stores a whole block blob, replacing content, type and metadata together.
    ///
    /// A conditional write that was tried twice may return [`Write::Conflict`] because its first try succeeded. Read
    /// the blob and compare before concluding that another client wrote it.
    ///
    /// # Errors
    /// [`Error`]; `NotFound` with code `ContainerNotFound` when there is no such container.
    pub async fn put(
        &self,
        name: &str,
        bytes: Bytes,
        content_type: &str,
        condition: Condition<'_>,
    ) -> Result<Write, Error> {
        self.put_noted(name, bytes, content_type, None, condition).await
    }

    /// As [`Self::put`], with an optional short note in visible ASCII, which is stored as metadata and returned by listings
    /// ([`BlobItem::note`]). It is replaced together with the content.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub async fn put_noted(
        &self,
        name: &str,
        bytes: Bytes,
        content_type: &str,
        note: Option<&str>,
        condition: Condition<'_>,
    ) -> Result<Write, Error> {
        let call = requests::put(&self.container, name, bytes, content_type, note, condition);
        responses::put(&self.storage.send(&call).await?, condition)
    }

    /// Stores block `number` of a blob that [`Self::commit_blocks`] makes later. A block that is stored again is replaced.
    /// The service discards blocks that belong to no blob after a week.
    ///
    /// # Errors
    /// [`Error`]; `NotFound` with code `ContainerNotFound` when there is no such container.
    pub async fn put_block(&self, name: &str, number: u32, bytes: Bytes) -> Result<(), Error> {
        let call = requests::put_block(&self.container, name, number, bytes);
        responses::stored(&self.storage.send(&call).await?)
    }

    /// Makes a blob of its blocks 0 to `count` - 1, replacing content, type and metadata together. Repeating the call has
    /// no further effect.
    ///
    /// # Errors
    /// [`Error`]; `Refused` with code `InvalidBlockList` when a block is missing.
    pub async fn commit_blocks(&self, name: &str, count: u32, content_type: &str) -> Result<(), Error> {
        let call = requests::put_block_list(&self.container, name, count, content_type);
        responses::stored(&self.storage.send(&call).await?)
    }

    /// Reads a blob or a part of it.
    ///
    /// # Errors
    /// [`Error`]; `NotFound` with code `ContainerNotFound` when there is no such container; `Refused` with status 416
    /// when the range begins at or beyond the end.
    pub async fn get(&self, name: &str, options: GetOptions<'_>) -> Result<Read, Error> {
        responses::get(self.storage.send(&requests::get(&self.container, name, &options)).await?)
    }

    /// Reads a blob's properties; `None` if there is no such blob.
    ///
    /// # Errors
    /// [`Error`]; `NotFound` with code `ContainerNotFound` when there is no such container.
    pub async fn head(&self, name: &str) -> Result<Option<BlobProperties>, Error> {
        responses::head(&self.storage.send(&requests::head(&self.container, name)).await?)
    }

    /// Deletes a blob. [`Write::Done`] also if it does not exist.
    ///
    /// # Errors
    /// [`Error`]; `NotFound` with code `ContainerNotFound` when there is no such container.
    pub async fn delete(&self, name: &str, condition: Condition<'_>) -> Result<Write<()>, Error> {
        let call = requests::delete(&self.container, name, condition);
        responses::delete(&self.storage.send(&call).await?, condition)
    }

    /// Lists at most `max` blobs (1 to 5000, clamped) whose names begin with `prefix`, starting at `marker` (a
    /// [`BlobPage::next`]). A page may be short or empty and still have a next one.
    ///
    /// # Errors
    /// [`Error`]; `NotFound` with code `ContainerNotFound` when there is no such container.
    pub async fn list(&self, prefix: &str, marker: Option<&str>, max: u32) -> Result<BlobPage, Error> {
        let call = requests::list(&self.container, prefix, marker, max);
        responses::list(&self.storage.send(&call).await?)
    }
}

#[cfg(test)]
mod tests;
