//! The two seams to storage, in memory, with switches for what can go wrong.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use lifecycle::sweep::Mark;
use models::{TaskId, TaskStatus, Timestamp};
use storage::{
    ETag, ListedDocument, Page, PublicStore, QueueName, Read, ResultPart, StatusStore, StorageError,
    StorageFuture, StoredDocument, TaskQueue, Write,
};

/// A message as it was put.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Put {
    pub(crate) queue: QueueName,
    pub(crate) text: String,
    pub(crate) delay: Duration,
}

#[derive(Default)]
pub(crate) struct Inner {
    /// What is stored: bytes, so that every read parses.
    blobs: RefCell<BTreeMap<String, (Bytes, ETag)>>,
    pub(crate) messages: RefCell<Vec<Put>>,
    /// Every storage request, by name.
    pub(crate) requests: RefCell<Vec<&'static str>>,
    /// The next request of this name fails, once.
    pub(crate) failure: RefCell<Option<(&'static str, StorageError)>>,
    pub(crate) depth: Cell<u64>,
    pub(crate) oldest: Cell<Option<Timestamp>>,
    /// How long every request takes.
    pub(crate) latency: Cell<Duration>,
    version: Cell<u32>,
}

/// A handle on the store; all of them see the same.
#[derive(Clone, Default)]
pub(crate) struct Memory(pub(crate) Rc<Inner>);

impl Memory {
    async fn request(&self, name: &'static str) -> Result<(), StorageError> {
        self.0.requests.borrow_mut().push(name);
        tokio::time::sleep(self.0.latency.get()).await;
        let mut failure = self.0.failure.borrow_mut();
        match failure.take() {
            Some((failing, error)) if failing == name => Err(error),
            other => {
                *failure = other;
                Ok(())
            }
        }
    }

    fn write(&self, name: String, bytes: Bytes) -> ETag {
        self.0.version.set(self.0.version.get() + 1);
        let etag = format!("\"0x8D{:04}\"", self.0.version.get());
        self.0.blobs.borrow_mut().insert(name, (bytes, etag.clone()));
        etag
    }

    fn etag(&self, name: &str) -> Option<ETag> {
        self.0.blobs.borrow().get(name).map(|(_, etag)| etag.clone())
    }

    /// Stores a document as somebody else would, without counting as a request.
    pub(crate) fn set(&self, document: &TaskStatus) -> ETag {
        self.write(document.task_id.status_blob_name(), document.to_bytes().into())
    }

    /// Stores bytes under any name.
    pub(crate) fn set_bytes(&self, name: String, bytes: impl Into<Bytes>) {
        self.write(name, bytes.into());
    }

    pub(crate) fn document(&self, id: TaskId) -> Option<TaskStatus> {
        let blobs = self.0.blobs.borrow();
        blobs.get(&id.status_blob_name()).and_then(|(bytes, _)| TaskStatus::parse(bytes).ok())
    }

    /// Changes a stored document.
    pub(crate) fn change(&self, id: TaskId, change: impl FnOnce(&mut TaskStatus)) -> ETag {
        let mut document = self.document(id).unwrap();
        change(&mut document);
        self.set(&document)
    }

    pub(crate) fn remove(&self, name: &str) {
        self.0.blobs.borrow_mut().remove(name);
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.blobs.borrow().keys().cloned().collect()
    }

    pub(crate) fn fail_once(&self, name: &'static str, error: StorageError) {
        *self.0.failure.borrow_mut() = Some((name, error));
    }

    /// The requests since the last call.
    pub(crate) fn take_requests(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.requests.borrow_mut())
    }

    pub(crate) fn messages(&self) -> Vec<Put> {
        self.0.messages.borrow().clone()
    }
}

pub(crate) fn unavailable() -> StorageError {
    StorageError::Unavailable {
        credentials: false,
        detail: "503 ServerBusy".to_owned(),
        retry_after: Some(Duration::from_millis(6500)),
    }
}

impl StatusStore for Memory {
    fn create<'a>(&'a self, document: &'a TaskStatus) -> StorageFuture<'a, Write> {
        Box::pin(async move {
            self.request("create").await?;
            if self.etag(&document.task_id.status_blob_name()).is_some() {
                return Ok(Write::Conflict);
            }
            Ok(Write::Done(self.set(document)))
        })
    }

    fn read<'a>(&'a self, id: TaskId, unless: Option<&'a str>) -> StorageFuture<'a, Read> {
        Box::pin(async move {
            self.request("read").await?;
            let found = self.0.blobs.borrow().get(&id.status_blob_name()).cloned();
            let Some((bytes, etag)) = found else { return Ok(Read::Missing) };
            if unless == Some(&etag) {
                return Ok(Read::Unchanged);
            }
            match TaskStatus::parse(&bytes) {
                Ok(document) => Ok(Read::Found(Box::new(StoredDocument { document, etag }))),
                Err(error) => Err(StorageError::Unreadable { task_id: id, reason: error.to_string(), etag }),
            }
        })
    }

    fn replace<'a>(&'a self, document: &'a TaskStatus, etag: &'a str) -> StorageFuture<'a, Write> {
        Box::pin(async move {
            self.request("replace").await?;
            if self.etag(&document.task_id.status_blob_name()).as_deref() != Some(etag) {
                return Ok(Write::Conflict);
            }
            Ok(Write::Done(self.set(document)))
        })
    }

    fn delete<'a>(&'a self, id: TaskId, etag: &'a str) -> StorageFuture<'a, Write<()>> {
        Box::pin(async move {
            self.request("delete").await?;
            let name = id.status_blob_name();
            if self.etag(&name).is_some_and(|found| found != etag) {
                return Ok(Write::Conflict);
            }
            self.remove(&name);
            Ok(Write::Done(()))
        })
    }

    fn list<'a>(&'a self, from: Option<&'a str>, limit: u32) -> StorageFuture<'a, Page> {
        Box::pin(async move {
            self.request("list").await?;
            let names = self.names();
            let start = match from {
                None => 0,
                Some(from) => names
                    .iter()
                    .position(|name| name == from)
                    .ok_or_else(|| StorageError::Refused("InvalidQueryParameterValue".to_owned()))?,
            };
            let end = names.len().min(start + limit as usize);
            // Backwards, because the order within a page is nothing to rely on.
            let written = |id: TaskId| {
                self.document(id).and_then(|d| d.updated_at).unwrap_or(Timestamp::from_unix_millis(0))
            };
            let id = |name: &String| name.strip_suffix("-202").and_then(|id| id.parse::<TaskId>().ok());
            let listed = |id| ListedDocument {
                id,
                written: written(id),
                mark: self.document(id).as_ref().map(Mark::of),
            };
            let tasks = names[start..end].iter().rev().filter_map(id).map(listed).collect();
            Ok(Page { tasks, next: names.get(end).cloned() })
        })
    }

    fn put_poisoned<'a>(&'a self, _: &'a str, _: Bytes) -> StorageFuture<'a, ()> {
        Box::pin(async move {
            panic!("the API never gives a message up");
        })
    }

    fn put_attachment<'a>(&'a self, name: &'a str, _: &'a str, bytes: Bytes) -> StorageFuture<'a, ()> {
        Box::pin(async move {
            self.request("put_attachment").await?;
            self.write(name.to_owned(), bytes);
            Ok(())
        })
    }

    fn swap_attachment<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: Bytes,
        _: Option<&'a str>,
    ) -> StorageFuture<'a, Write> {
        Box::pin(async move {
            panic!("the API never swaps an attachment");
        })
    }

    fn read_attachment<'a>(
        &'a self,
        name: &'a str,
        range: Range<u64>,
        etag: Option<&'a str>,
    ) -> StorageFuture<'a, Option<ResultPart>> {
        Box::pin(async move {
            self.request("read_attachment").await?;
            let found = self.0.blobs.borrow().get(name).cloned();
            let Some((bytes, version)) = found.filter(|(_, version)| etag.is_none_or(|etag| etag == version))
            else {
                return Ok(None);
            };
            let total = bytes.len() as u64;
            assert!(range.start < total, "storage answers 416 to a range beyond the end");
            let part = bytes.slice(range.start as usize..range.end.min(total) as usize);
            Ok(Some(ResultPart { bytes: part, total, etag: version }))
        })
    }

    fn delete_attachment<'a>(&'a self, name: &'a str) -> StorageFuture<'a, ()> {
        Box::pin(async move {
            self.request("delete_attachment").await?;
            self.remove(name);
            Ok(())
        })
    }

    fn address(&self, id: TaskId) -> StorageFuture<'_, String> {
        Box::pin(async move { Ok(format!("https://account.blob.example/tasks/{}", id.status_blob_name())) })
    }

    fn probe(&self) -> StorageFuture<'_, ()> {
        Box::pin(async move { self.request("probe").await })
    }
}

impl PublicStore for Memory {
    fn signed_address(&self, id: TaskId, lifetime: Duration) -> StorageFuture<'_, Option<String>> {
        Box::pin(
            async move { Ok(Some(format!("{}?sp=r&se={}", self.address(id).await?, lifetime.as_secs()))) },
        )
    }
}

impl TaskQueue for Memory {
    fn send<'a>(&'a self, queue: QueueName, text: &'a str, delay: Duration) -> StorageFuture<'a, ()> {
        Box::pin(async move {
            self.request("send").await?;
            self.0.messages.borrow_mut().push(Put { queue, text: text.to_owned(), delay });
            Ok(())
        })
    }

    fn depth(&self, queue: QueueName) -> StorageFuture<'_, u64> {
        Box::pin(async move {
            self.request("depth").await?;
            Ok(if queue == QueueName::Tasks { self.0.depth.get() } else { 0 })
        })
    }

    fn oldest(&self, _: QueueName) -> StorageFuture<'_, Option<Timestamp>> {
        Box::pin(async move {
            self.request("oldest").await?;
            Ok(self.0.oldest.get())
        })
    }
}
