use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use azure::{BlobItem, Blobs, Condition, ErrorKind, GetOptions};
use bytes::Bytes;
use lifecycle::sweep::Mark;
use models::{TaskId, TaskStatus};

use super::account::Account;
use super::error::is_missing;
use crate::{
    AttachmentPart, ETag, ListedDocument, Page, PublicStore, Read, ResultStore, StatusStore, StorageError,
    StorageFuture, StoredDocument, Write,
};

const JSON: &str = "application/json";

/// Task documents (`{TaskId}-202`) and attachments as blobs of one container, and originals of poison messages in a
/// second one, `{container}-poison`.
pub(crate) struct BlobStore {
    account: Rc<Account>,
    container: String,
    poison: String,
}

/// A blob to write.
struct NewBlob<'a> {
    name: &'a str,
    content_type: &'a str,
    bytes: Bytes,
    mark: Option<Mark>,
}

impl NewBlob<'_> {
    async fn put(&self, blobs: &Blobs, condition: Condition<'_>) -> Result<Write, azure::Error> {
        let (bytes, mark) = (self.bytes.clone(), self.mark.map(|mark| mark.to_string()));
        blobs.put_noted(self.name, bytes, self.content_type, mark.as_deref(), condition).await
    }
}

impl BlobStore {
    pub(super) fn new(account: Rc<Account>, container: String) -> Self {
        let poison = format!("{container}-poison");
        Self { account, container, poison }
    }

    fn blobs(&self) -> Blobs {
        self.account.storage.blobs(&self.container)
    }

    /// Writes a blob. With `creates_container`, creates the container if it does not exist.
    async fn put(
        &self,
        container: &str,
        new: NewBlob<'_>,
        condition: Condition<'_>,
        creates_container: bool,
    ) -> Result<Write, StorageError> {
        let blobs = self.account.storage.blobs(container);
        let mut outcome = new.put(&blobs, condition).await;
        if creates_container && outcome.as_ref().is_err_and(is_missing) {
            blobs.create_container().await.map_err(|error| self.account.error(&error))?;
            outcome = new.put(&blobs, condition).await;
        }
        outcome.map_err(|error| self.error(&error))
    }

    /// The error of a call to the container. The first task creates the container, so later it is missing because a wrong
    /// account or name is configured, or because a client deleted it.
    fn error(&self, error: &azure::Error) -> StorageError {
        if is_missing(error) {
            StorageError::NoContainer(format!(
                "{error}: the container {} does not exist, which is made with the first task: check \
                 task_blob_container_name, and the account that blob_endpoint or the credentials name",
                self.container
            ))
        } else {
            self.account.error(error)
        }
    }

    async fn put_document(
        &self,
        document: &TaskStatus,
        condition: Condition<'_>,
    ) -> Result<Write, StorageError> {
        let new = NewBlob {
            name: &document.task_id.status_blob_name(),
            content_type: JSON,
            bytes: Bytes::from(document.to_bytes()),
            mark: Some(Mark::of(document)),
        };
        // A document to be replaced has a container. If it is missing, the configuration is wrong.
        let is_new = condition == Condition::IfAbsent;
        self.put(&self.container, new, condition, is_new).await
    }

    /// An empty part of an attachment, with its size and version.
    async fn empty_part(
        &self,
        name: &str,
        etag: Option<&str>,
    ) -> Result<Option<AttachmentPart>, StorageError> {
        let found = match self.blobs().head(name).await {
            Err(error) if is_missing(&error) => None,
            found => found.map_err(|error| self.account.error(&error))?,
        };
        let wanted = found.filter(|properties| etag.is_none_or(|etag| etag == properties.etag));
        Ok(wanted.map(|properties| AttachmentPart {
            bytes: Bytes::new(),
            total: properties.size,
            etag: properties.etag,
        }))
    }
}

fn read_document(id: TaskId, bytes: &[u8], etag: ETag) -> Result<StoredDocument, StorageError> {
    let document = match TaskStatus::parse(bytes) {
        Ok(document) if document.task_id == id => return Ok(StoredDocument { document, etag }),
        Ok(_) => "its TaskId is another task's".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(StorageError::Unreadable { task_id: id, reason: document, etag })
}

/// The task whose document has that blob name; `None` for other blobs of the container.
fn task_of(name: &str) -> Option<TaskId> {
    let id: TaskId = name.strip_suffix("-202")?.parse().ok()?;
    (id.status_blob_name() == name).then_some(id)
}

fn listed(blob: &BlobItem) -> Option<ListedDocument> {
    Some(ListedDocument {
        id: task_of(&blob.name)?,
        written: blob.last_modified.into(),
        mark: blob.note.as_deref().and_then(Mark::parse),
    })
}

impl StatusStore for BlobStore {
    fn create<'a>(&'a self, document: &'a TaskStatus) -> StorageFuture<'a, Write> {
        Box::pin(self.put_document(document, Condition::IfAbsent))
    }

    fn read<'a>(&'a self, id: TaskId, unless: Option<&'a str>) -> StorageFuture<'a, Read> {
        Box::pin(async move {
            let options = GetOptions { if_none_match: unless, ..GetOptions::default() };
            let found = self.blobs().get(&id.status_blob_name(), options).await;
            match found.map_err(|error| self.error(&error))? {
                azure::Read::Found(blob) => {
                    Ok(Read::Found(Box::new(read_document(id, &blob.bytes, blob.etag)?)))
                }
                azure::Read::Unchanged => Ok(Read::Unchanged),
                azure::Read::Missing | azure::Read::Changed => Ok(Read::Missing),
            }
        })
    }

    fn replace<'a>(&'a self, document: &'a TaskStatus, etag: &'a str) -> StorageFuture<'a, Write> {
        Box::pin(self.put_document(document, Condition::IfMatch(etag)))
    }

    fn delete<'a>(&'a self, id: TaskId, etag: &'a str) -> StorageFuture<'a, Write<()>> {
        Box::pin(async move {
            let deleted = self.blobs().delete(&id.status_blob_name(), Condition::IfMatch(etag)).await;
            deleted.map_err(|error| self.error(&error))
        })
    }

    fn list<'a>(&'a self, from: Option<&'a str>, limit: u32) -> StorageFuture<'a, Page> {
        Box::pin(async move {
            let page = match self.blobs().list("", from, limit).await {
                Ok(page) => page,
                Err(error) if is_missing(&error) => return Ok(Page::default()),
                Err(error) => return Err(self.account.error(&error)),
            };
            Ok(Page { tasks: page.blobs.iter().filter_map(listed).collect(), next: page.next })
        })
    }

    fn read_attachment<'a>(
        &'a self,
        name: &'a str,
        range: Range<u64>,
        etag: Option<&'a str>,
    ) -> StorageFuture<'a, Option<AttachmentPart>> {
        Box::pin(async move {
            if range.is_empty() {
                return self.empty_part(name, etag).await;
            }
            let options = GetOptions { range: Some(range), if_match: etag, ..GetOptions::default() };
            match self.blobs().get(name, options).await {
                Ok(azure::Read::Found(blob)) => {
                    Ok(Some(AttachmentPart { bytes: blob.bytes, total: blob.total_size, etag: blob.etag }))
                }
                Ok(azure::Read::Missing | azure::Read::Changed | azure::Read::Unchanged) => Ok(None),
                Err(error) if is_missing(&error) => Ok(None),
                // The range begins at the end or beyond it, which every range of an empty attachment does.
                Err(error) if matches!(error.kind(), ErrorKind::Refused { status: 416, .. }) => {
                    self.empty_part(name, etag).await
                }
                Err(error) => Err(self.account.error(&error)),
            }
        })
    }

    fn delete_attachment<'a>(&'a self, name: &'a str) -> StorageFuture<'a, ()> {
        Box::pin(async move {
            let deleted = self.blobs().delete(name, Condition::Always).await;
            deleted.map(drop).map_err(|error| self.error(&error))
        })
    }

    fn swap_attachment<'a>(
        &'a self,
        name: &'a str,
        content_type: &'a str,
        bytes: Bytes,
        etag: Option<&'a str>,
    ) -> StorageFuture<'a, Write> {
        Box::pin(async move {
            let condition = etag.map_or(Condition::IfAbsent, Condition::IfMatch);
            match self.blobs().put(name, bytes, content_type, condition).await {
                // There are no documents. Creating the container here would hide that it is missing.
                Err(error) if is_missing(&error) && etag.is_none() => Ok(Write::Conflict),
                outcome => outcome.map_err(|error| self.error(&error)),
            }
        })
    }

    fn delete_marker<'a>(&'a self, name: &'a str, etag: &'a str) -> StorageFuture<'a, Write<()>> {
        Box::pin(async move {
            let deleted = self.blobs().delete(name, Condition::IfMatch(etag)).await;
            deleted.map_err(|error| self.error(&error))
        })
    }

    fn address(&self, id: TaskId) -> StorageFuture<'_, String> {
        Box::pin(async move {
            let storage = &self.account.storage;
            let address = storage.blob_address(&self.container, &id.status_blob_name()).await;
            address.map_err(|error| self.account.error(&error))
        })
    }
}

impl ResultStore for BlobStore {
    fn put_poisoned<'a>(&'a self, name: &'a str, bytes: Bytes) -> StorageFuture<'a, ()> {
        Box::pin(async move {
            let new = NewBlob { name, content_type: "application/octet-stream", bytes, mark: None };
            self.put(&self.poison, new, Condition::Always, true).await.map(drop)
        })
    }

    fn put_attachment<'a>(
        &'a self,
        name: &'a str,
        content_type: &'a str,
        bytes: Bytes,
    ) -> StorageFuture<'a, ()> {
        Box::pin(async move {
            let new = NewBlob { name, content_type, bytes, mark: None };
            self.put(&self.container, new, Condition::Always, true).await.map(drop)
        })
    }

    fn put_attachment_part<'a>(&'a self, name: &'a str, number: u32, bytes: Bytes) -> StorageFuture<'a, ()> {
        Box::pin(async move {
            let stored = self.blobs().put_block(name, number, bytes).await;
            stored.map_err(|error| self.error(&error))
        })
    }

    fn complete_attachment<'a>(
        &'a self,
        name: &'a str,
        content_type: &'a str,
        count: u32,
    ) -> StorageFuture<'a, ()> {
        Box::pin(async move {
            let committed = self.blobs().commit_blocks(name, count, content_type).await;
            committed.map_err(|error| self.error(&error))
        })
    }
}

impl PublicStore for BlobStore {
    fn signed_address(&self, id: TaskId, lifetime: Duration) -> StorageFuture<'_, Option<String>> {
        Box::pin(async move {
            let storage = &self.account.storage;
            if !storage.can_sign().await.map_err(|error| self.account.error(&error))? {
                return Ok(None);
            }
            let address = storage.blob_read_sas(&self.container, &id.status_blob_name(), lifetime).await;
            address.map(Some).map_err(|error| self.account.error(&error))
        })
    }

    fn put_marker<'a>(
        &'a self,
        name: &'a str,
        holder: TaskId,
        etag: Option<&'a str>,
    ) -> StorageFuture<'a, Write> {
        Box::pin(async move {
            let bytes = Bytes::from(holder.to_string());
            let new = NewBlob { name, content_type: "text/plain", bytes, mark: None };
            let condition = etag.map_or(Condition::IfAbsent, Condition::IfMatch);
            self.put(&self.container, new, condition, etag.is_none()).await
        })
    }

    fn create_attachment<'a>(
        &'a self,
        name: &'a str,
        content_type: &'a str,
        bytes: Bytes,
    ) -> StorageFuture<'a, Write> {
        Box::pin(async move {
            let new = NewBlob { name, content_type, bytes, mark: None };
            self.put(&self.container, new, Condition::IfAbsent, true).await
        })
    }

    fn read_poisoned<'a>(&'a self, name: &'a str) -> StorageFuture<'a, Option<Bytes>> {
        Box::pin(async move {
            let blobs = self.account.storage.blobs(&self.poison);
            match blobs.get(name, GetOptions::default()).await {
                Ok(azure::Read::Found(blob)) => Ok(Some(blob.bytes)),
                Ok(azure::Read::Missing | azure::Read::Changed | azure::Read::Unchanged) => Ok(None),
                Err(error) if is_missing(&error) => Ok(None),
                Err(error) => Err(self.account.error(&error)),
            }
        })
    }

    fn probe(&self) -> StorageFuture<'_, ()> {
        Box::pin(async move {
            // Any name will do: storage reports a missing blob or container only to valid credentials.
            match self.blobs().head("probe").await {
                Err(error) if !is_missing(&error) => Err(self.account.error(&error)),
                _ => Ok(()),
            }
        })
    }
}
