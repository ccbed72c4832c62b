//! The Queue service (<https://learn.microsoft.com/rest/api/storageservices/queue-service-rest-api>).

mod requests;
mod responses;
mod types;

pub use types::{LeaseLost, PeekedMessage, PutMessage, ReceivedMessage, RenewedLease, TimeToLive};

use std::time::Duration;

use crate::{Error, Secret, StorageClient};

/// Maximum size of a message's text.
pub const MAX_TEXT_BYTES: usize = 65_536;
/// Maximum size of a request with a message. The text is sent as XML, in which `&` takes five bytes.
pub const MAX_BODY_BYTES: usize = 131_584;
/// Maximum number of messages that one [`Queue::get`] or [`Queue::peek`] returns.
pub const MAX_MESSAGES: u32 = 32;
/// Maximum visibility timeout: seven days.
pub const MAX_VISIBILITY: Duration = Duration::from_secs(604_800);

/// One queue.
pub struct Queue {
    storage: StorageClient,
    name: String,
}

impl StorageClient {
    /// A queue of the account. It is neither checked nor created.
    #[must_use]
    pub fn queue(&self, name: &str) -> Queue {
        Queue { storage: self.clone(), name: name.to_owned() }
    }
}

impl Queue {
    /// The name of the queue.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Creates the queue. If it exists already, nothing changes.
    ///
    /// # Errors
    /// [`Error`]; `Conflict` with code `QueueBeingDeleted` while an older one is being deleted.
    pub async fn create(&self) -> Result<(), Error> {
        responses::create(&self.storage.send(&requests::create(&self.name)).await?)
    }

    /// Puts a message that becomes visible after `visibility` (rounded up to whole seconds; at most
    /// [`MAX_VISIBILITY`]). After an interrupted connection the call is repeated, so the message may be put twice.
    ///
    /// # Errors
    /// [`Error`]; `Refused` without sending when `text` is larger than [`MAX_TEXT_BYTES`], or than [`MAX_BODY_BYTES`] as
    /// XML, or contains a character that XML 1.0 does not allow; `NotFound` with code `QueueNotFound`.
    pub async fn put(
        &self,
        text: &str,
        visibility: Duration,
        time_to_live: TimeToLive,
    ) -> Result<PutMessage, Error> {
        let call = requests::put(&self.name, text, visibility, time_to_live)?;
        responses::put(&self.storage.send(&call).await?)
    }

    /// Like [`Self::put`], for a message that this program neither changes nor deletes: what the response says about it is
    /// not parsed.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub async fn send(
        &self,
        text: &str,
        visibility: Duration,
        time_to_live: TimeToLive,
    ) -> Result<(), Error> {
        let call = requests::put(&self.name, text, visibility, time_to_live)?;
        responses::sent(&self.storage.send(&call).await?)
    }

    /// Receives at most `count` messages (1 to [`MAX_MESSAGES`], clamped) and hides them from other receivers for
    /// `visibility` (rounded up to whole seconds; 1 s to [`MAX_VISIBILITY`]).
    ///
    /// # Errors
    /// [`Error`]; `NotFound` with code `QueueNotFound`.
    pub async fn get(&self, count: u32, visibility: Duration) -> Result<Vec<ReceivedMessage>, Error> {
        let call = requests::get(&self.name, count, visibility)?;
        responses::get(&self.storage.send(&call).await?)
    }

    /// Hides the message for `visibility` from now (zero makes it visible at once), and replaces its text with `text`
    /// if there is one. Repeated only if the failed try certainly had no effect.
    ///
    /// # Errors
    /// [`Error`]; after `Unavailable` the pop receipt may be invalid. [`LeaseLost`] inside the result.
    pub async fn update(
        &self,
        id: &str,
        receipt: &Secret,
        visibility: Duration,
        text: Option<&str>,
    ) -> Result<Result<RenewedLease, LeaseLost>, Error> {
        let call = requests::update(&self.name, id, receipt, visibility, text)?;
        responses::update(&self.storage.send(&call).await?)
    }

    /// Deletes the message. If a repeated try finds it missing, the first one has deleted it.
    ///
    /// # Errors
    /// [`Error`]. [`LeaseLost`] inside the result.
    pub async fn delete(&self, id: &str, receipt: &Secret) -> Result<Result<(), LeaseLost>, Error> {
        responses::delete(&self.storage.send(&requests::delete(&self.name, id, receipt)).await?)
    }

    /// Reads at most `count` visible messages (1 to [`MAX_MESSAGES`], clamped) without receiving them.
    ///
    /// # Errors
    /// [`Error`]; `NotFound` with code `QueueNotFound`.
    pub async fn peek(&self, count: u32) -> Result<Vec<PeekedMessage>, Error> {
        responses::peek(&self.storage.send(&requests::peek(&self.name, count)).await?)
    }

    /// The number of messages, visible or hidden; never less than the true number.
    ///
    /// # Errors
    /// [`Error`]; `NotFound` with code `QueueNotFound`.
    pub async fn approximate_count(&self) -> Result<u64, Error> {
        responses::count(&self.storage.send(&requests::metadata(&self.name)).await?)
    }

    /// Deletes all messages.
    ///
    /// # Errors
    /// [`Error`]; `NotFound` with code `QueueNotFound`.
    pub async fn clear(&self) -> Result<(), Error> {
        responses::clear(&self.storage.send(&requests::clear(&self.name)).await?)
    }

    /// Deletes the queue. If it does not exist, nothing changes.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete_queue(&self) -> Result<(), Error> {
        responses::delete_queue(&self.storage.send(&requests::delete_queue(&self.name)).await?)
    }
}

#[cfg(test)]
mod tests;
