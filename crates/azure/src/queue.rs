//! The Queue service (<https://learn.microsoft.com/rest/api/storageservices/queue-service-rest-api>).

mod answers;
mod requests;
mod types;

pub use types::{LeaseLost, PeekedMessage, PutMessage, ReceivedMessage, RenewedLease, TimeToLive};

use std::time::Duration;

use crate::{Error, Secret, StorageClient};

/// Most bytes of text that a message can hold.
pub const MAX_TEXT_BYTES: usize = 65_536;
/// Most bytes of a request that carries a message: its text is sent as XML, in which `&` takes five bytes.
pub const MAX_BODY_BYTES: usize = 131_584;
/// Most messages that one [`Queue::get`] or [`Queue::peek`] returns.
pub const MAX_MESSAGES: u32 = 32;
/// Longest visibility timeout: seven days.
pub const MAX_VISIBILITY: Duration = Duration::from_secs(604_800);

/// One queue.
pub struct Queue {
    storage: StorageClient,
    name: String,
}

impl StorageClient {
    /// A queue of the account; not checked, not created.
    #[must_use]
    pub fn queue(&self, name: &str) -> Queue {
        Queue { storage: self.clone(), name: name.to_owned() }
    }
}

impl Queue {
    /// Name of the queue.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Creates the queue; it may exist already.
    ///
    /// # Errors
    /// [`Error`]; `Conflict` with code `QueueBeingDeleted` while an older one is being deleted.
    pub async fn create(&self) -> Result<(), Error> {
        answers::create(&self.storage.send(&requests::create(&self.name)).await?)
    }

    /// Puts a message that becomes visible after `visibility` (whole seconds, rounded up; at most
    /// [`MAX_VISIBILITY`]). After a broken connection it is tried again, so it may be put twice.
    ///
    /// # Errors
    /// [`Error`]; `Refused` without sending when `text` is above [`MAX_TEXT_BYTES`], above
    /// [`MAX_BODY_BYTES`] as XML, or holds a character that XML cannot carry; `NotFound` with code `QueueNotFound`.
    pub async fn put(
        &self,
        text: &str,
        visibility: Duration,
        time_to_live: TimeToLive,
    ) -> Result<PutMessage, Error> {
        let call = requests::put(&self.name, text, visibility, time_to_live)?;
        answers::put(&self.storage.send(&call).await?)
    }

    /// Receives up to `count` (1 to [`MAX_MESSAGES`], cut to it) messages and hides them from others for
    /// `visibility` (whole seconds, rounded up; 1 s to [`MAX_VISIBILITY`]).
    ///
    /// # Errors
    /// [`Error`]; `NotFound` with code `QueueNotFound`.
    pub async fn get(&self, count: u32, visibility: Duration) -> Result<Vec<ReceivedMessage>, Error> {
        let call = requests::get(&self.name, count, visibility)?;
        answers::get(&self.storage.send(&call).await?)
    }

    /// Hides the message for `visibility` from now (zero: shows it at once), and replaces its text when
    /// one is given. Tried again only when the first try cannot have had its effect.
    ///
    /// # Errors
    /// [`Error`]; after `Unavailable` the receipt may be dead.
    pub async fn update(
        &self,
        id: &str,
        receipt: &Secret,
        visibility: Duration,
        text: Option<&str>,
    ) -> Result<Result<RenewedLease, LeaseLost>, Error> {
        let call = requests::update(&self.name, id, receipt, visibility, text)?;
        answers::update(&self.storage.send(&call).await?)
    }

    /// Deletes the message. When a second try finds it gone, the first one had its effect.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete(&self, id: &str, receipt: &Secret) -> Result<Result<(), LeaseLost>, Error> {
        answers::delete(&self.storage.send(&requests::delete(&self.name, id, receipt)).await?)
    }

    /// Looks at up to `count` (1 to [`MAX_MESSAGES`], cut to it) visible messages.
    ///
    /// # Errors
    /// [`Error`]; `NotFound` with code `QueueNotFound`.
    pub async fn peek(&self, count: u32) -> Result<Vec<PeekedMessage>, Error> {
        answers::peek(&self.storage.send(&requests::peek(&self.name, count)).await?)
    }

    /// How many messages there are, visible or not; never less than the true number.
    ///
    /// # Errors
    /// [`Error`]; `NotFound` with code `QueueNotFound`.
    pub async fn approximate_count(&self) -> Result<u64, Error> {
        answers::count(&self.storage.send(&requests::metadata(&self.name)).await?)
    }

    /// Deletes all messages.
    ///
    /// # Errors
    /// [`Error`]; `NotFound` with code `QueueNotFound`.
    pub async fn clear(&self) -> Result<(), Error> {
        answers::clear(&self.storage.send(&requests::clear(&self.name)).await?)
    }

    /// Deletes the queue; it may be gone already.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete_queue(&self) -> Result<(), Error> {
        answers::delete_queue(&self.storage.send(&requests::delete_queue(&self.name)).await?)
    }
}

#[cfg(test)]
mod tests;
