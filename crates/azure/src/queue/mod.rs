//! The Queue service.

mod types;

pub use types::{Lease, Message, PeekedMessage, PutMessage, TimeToLive, Updated};

use std::time::Duration;

use crate::{Env, Error, Secret, Storage};

/// Most bytes of text that a message can hold.
pub const MAX_TEXT_BYTES: usize = 65_536;
/// Most messages that one [`Queue::get`] or [`Queue::peek`] returns.
pub const MAX_MESSAGES: u32 = 32;
/// Longest visibility timeout: seven days.
pub const MAX_VISIBILITY: Duration = Duration::from_secs(604_800);

/// One queue.
pub struct Queue<E> {
    _storage: Storage<E>,
    name: String,
}

impl<E: Env + 'static> Queue<E> {
    pub(crate) fn new(storage: Storage<E>, name: &str) -> Self {
        Self { _storage: storage, name: name.to_owned() }
    }

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
        Err(Error::unexpected("Create Queue", "not built yet"))
    }

    /// Puts a message that becomes visible after `visibility` (whole seconds, rounded up; at most
    /// [`MAX_VISIBILITY`]). After a broken connection it is tried again, so it may be put twice.
    ///
    /// # Errors
    /// [`Error`]; `Refused` without sending when `text` is above [`MAX_TEXT_BYTES`] or holds a
    /// character that XML cannot carry; `NotFound` with code `QueueNotFound`.
    pub async fn put(
        &self,
        text: &str,
        visibility: Duration,
        time_to_live: TimeToLive,
    ) -> Result<PutMessage, Error> {
        let _ = (text, visibility, time_to_live);
        Err(Error::unexpected("Put Message", "not built yet"))
    }

    /// Receives up to `count` (1 to [`MAX_MESSAGES`], cut to it) messages and hides them from others for
    /// `visibility` (whole seconds, rounded up; 1 s to [`MAX_VISIBILITY`]).
    ///
    /// # Errors
    /// [`Error`]; `NotFound` with code `QueueNotFound`.
    pub async fn get(&self, count: u32, visibility: Duration) -> Result<Vec<Message>, Error> {
        let _ = (count, visibility);
        Err(Error::unexpected("Get Messages", "not built yet"))
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
    ) -> Result<Lease<Updated>, Error> {
        let _ = (id, receipt, visibility, text);
        Err(Error::unexpected("Update Message", "not built yet"))
    }

    /// Deletes the message. When a second try finds it gone, the first one had its effect.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete(&self, id: &str, receipt: &Secret) -> Result<Lease<()>, Error> {
        let _ = (id, receipt);
        Err(Error::unexpected("Delete Message", "not built yet"))
    }

    /// Looks at up to `count` (1 to [`MAX_MESSAGES`], cut to it) visible messages.
    ///
    /// # Errors
    /// [`Error`]; `NotFound` with code `QueueNotFound`.
    pub async fn peek(&self, count: u32) -> Result<Vec<PeekedMessage>, Error> {
        let _ = count;
        Err(Error::unexpected("Peek Messages", "not built yet"))
    }

    /// How many messages there are, visible or not; never less than the true number.
    ///
    /// # Errors
    /// [`Error`]; `NotFound` with code `QueueNotFound`.
    pub async fn approximate_count(&self) -> Result<u64, Error> {
        Err(Error::unexpected("Get Queue Metadata", "not built yet"))
    }

    /// Deletes all messages.
    ///
    /// # Errors
    /// [`Error`]; `NotFound` with code `QueueNotFound`.
    pub async fn clear(&self) -> Result<(), Error> {
        Err(Error::unexpected("Clear Messages", "not built yet"))
    }

    /// Deletes the queue; it may be gone already.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete_queue(&self) -> Result<(), Error> {
        Err(Error::unexpected("Delete Queue", "not built yet"))
    }
}
