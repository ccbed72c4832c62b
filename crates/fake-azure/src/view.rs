//! Looking at what is stored, and putting things there, without requests: for tests and the simulator.

use bytes::Bytes;
use time::{Duration, OffsetDateTime};

use crate::blob::Block;
use crate::fake::FakeAzure;
use crate::state::blob::{Blob, ContainerInfo};
use crate::state::queue::{Message, QueueInfo};
use crate::state::{Change, Moment};

/// A stored message, visible or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageView {
    /// The message id, a GUID.
    pub id: String,
    /// The text as it was put.
    pub text: String,
    /// When it was put.
    pub inserted_at: OffsetDateTime,
    /// When it is dropped; `None` is never.
    pub expires_at: Option<OffsetDateTime>,
    /// From when on it can be received.
    pub visible_at: OffsetDateTime,
    /// How often it was received.
    pub dequeue_count: u32,
}

/// A stored blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobView {
    /// The blob's name.
    pub name: String,
    /// Its content.
    pub content: Bytes,
    /// Its content type.
    pub content_type: String,
    /// Its ETag, with the quotes.
    pub etag: String,
    /// When it was created first.
    pub created_at: OffsetDateTime,
    /// When it was written last.
    pub modified_at: OffsetDateTime,
}

impl FakeAzure {
    /// The messages of a queue in the order of their insertion, invisible and expired ones too; empty when there is no
    /// such queue.
    pub fn messages(&self, account: &str, queue: &str) -> impl Iterator<Item = MessageView> {
        self.state
            .view(account)
            .and_then(|account| account.queues.get(queue))
            .into_iter()
            .flat_map(|queue| queue.iter().map(view_message))
    }

    /// The names of the account's queues.
    pub fn queues(&self, account: &str) -> impl Iterator<Item = &str> {
        self.state.view(account).into_iter().flat_map(|account| account.queues.keys().map(String::as_str))
    }

    /// The names of the account's containers.
    pub fn containers(&self, account: &str) -> impl Iterator<Item = &str> {
        self.state.view(account).into_iter().flat_map(|account| account.containers.keys().map(String::as_str))
    }

    /// The blobs of a container, by name; empty when there is no such container.
    pub fn blobs(&self, account: &str, container: &str) -> impl Iterator<Item = BlobView> {
        self.state
            .view(account)
            .and_then(|account| account.containers.get(container))
            .into_iter()
            .flat_map(|container| container.blobs.iter().map(|(name, blob)| view_blob(name, blob)))
    }

    /// One blob.
    #[must_use]
    pub fn blob(&self, account: &str, container: &str, name: &str) -> Option<BlobView> {
        let blob = self.state.view(account)?.containers.get(container)?.blobs.get(name)?;
        Some(view_blob(name, blob))
    }

    /// Puts a blob there as some other program might, creating the container.
    pub fn put_blob(
        &mut self,
        account: &str,
        container: &str,
        name: &str,
        content: impl Into<Bytes>,
        content_type: &str,
        now: OffsetDateTime,
    ) {
        let known = self.state.view(account).is_some_and(|state| state.containers.contains_key(container));
        if !known {
            let info = ContainerInfo { etag: self.ids.etag(), modified: Moment(now), metadata: Vec::new() };
            self.state.apply(Change::Container {
                account: account.to_owned(),
                name: container.to_owned(),
                container: info,
            });
        }
        let blob = Blob {
            content: content.into(),
            etag: self.ids.etag(),
            created: Moment(now),
            modified: Moment(now),
            content_type: content_type.to_owned(),
            properties: Vec::new(),
            metadata: Vec::new(),
            blocks: Vec::new(),
        };
        self.state.apply(Change::Blob {
            account: account.to_owned(),
            container: container.to_owned(),
            name: name.to_owned(),
            blob: Box::new(blob),
        });
    }

    /// Replaces the metadata of a blob, if it is there.
    pub fn set_metadata(&mut self, account: &str, container: &str, name: &str, metadata: &[(&str, &str)]) {
        let containers = self.state.view(account).map(|state| &state.containers);
        let stored = containers.and_then(|all| all.get(container)?.blobs.get(name));
        let Some(mut blob) = stored.cloned() else { return };
        let owned = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        blob.metadata = owned.collect();
        self.state.apply(Change::Blob {
            account: account.to_owned(),
            container: container.to_owned(),
            name: name.to_owned(),
            blob: Box::new(blob),
        });
    }

    /// Removes a blob, if it is there.
    pub fn remove_blob(&mut self, account: &str, container: &str, name: &str) {
        self.state.apply(Change::BlobGone {
            account: account.to_owned(),
            container: container.to_owned(),
            name: name.to_owned(),
        });
    }

    /// Keeps a blob from being read, changed or deleted, as an operator or a policy may; `None` lifts that.
    /// Not kept in a journal.
    pub fn block_blob(&mut self, account: &str, container: &str, name: &str, block: Option<Block>) {
        let place = (account.to_owned(), container.to_owned(), name.to_owned());
        match block {
            Some(block) => self.blocks.insert(place, block),
            None => self.blocks.remove(&place),
        };
    }

    /// Puts a message into a queue, which is created if necessary, without a request. It is visible at once for 7 days.
    /// Gives its id.
    pub fn put_message(
        &mut self,
        account: &str,
        queue: &str,
        text: impl Into<String>,
        now: OffsetDateTime,
    ) -> String {
        let known = self.state.view(account).is_some_and(|state| state.queues.contains_key(queue));
        if !known {
            self.state.apply(Change::Queue {
                account: account.to_owned(),
                name: queue.to_owned(),
                info: QueueInfo::default(),
            });
        }
        let sequence = self.ids.next_sequence();
        let id = self.ids.guid();
        let message = Message {
            sequence,
            id: id.clone(),
            text: text.into(),
            inserted: Moment(now),
            expires: Some(Moment(now.saturating_add(Duration::days(7)))),
            visible: Moment(now),
            dequeue_count: 0,
            receipt: self.ids.receipt(sequence),
        };
        self.state.apply(Change::Message {
            account: account.to_owned(),
            queue: queue.to_owned(),
            message: Box::new(message),
        });
        id
    }
}

fn view_message(message: &Message) -> MessageView {
    MessageView {
        id: message.id.clone(),
        text: message.text.clone(),
        inserted_at: message.inserted.0,
        expires_at: message.expires.map(|expires| expires.0),
        visible_at: message.visible.0,
        dequeue_count: message.dequeue_count,
    }
}

fn view_blob(name: &str, blob: &Blob) -> BlobView {
    BlobView {
        name: name.to_owned(),
        content: blob.content.clone(),
        content_type: blob.content_type.clone(),
        etag: blob.etag.clone(),
        created_at: blob.created.0,
        modified_at: blob.modified.0,
    }
}
