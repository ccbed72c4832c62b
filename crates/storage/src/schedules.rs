//! The schedules: one attachment beside the documents, changed by conditional writes.

use std::time::Duration;

use ::azure::{Env, Write};
use bytes::Bytes;
use lifecycle::delayed::whole_seconds;
use lifecycle::recurring::wake_up;
use models::{MAX_SCHEDULES_BYTES, Schedules, Timestamp, WakeUp};

use crate::{ETag, PublicStore, QueueName, StatusStore, StorageError, TaskQueue};

pub(crate) const SCHEDULES_BLOB: &str = "schedules";
/// More bytes than the blob has: what firings record is not counted by the limit of the clients' changes.
const MAX_BYTES: u64 = 2 * MAX_SCHEDULES_BYTES as u64;
const JSON: &str = "application/json";
/// Tries of a change before it fails as contended.
const MAX_TRIES: usize = 5;

/// Why [`change_schedules`] failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeError<E> {
    /// The change refused.
    Refused(E),
    /// Another writer changed the schedules during every try.
    Contended,
    /// Storage failed. The schedules may have been changed.
    Storage(StorageError),
}

impl<E> From<StorageError> for ChangeError<E> {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// Reads the schedules and their version, which is `None` if none were ever written.
///
/// # Errors
/// [`StorageError`] of the store; [`StorageError::UnreadableSchedules`] if they are not what this project writes.
pub async fn read_schedules(store: &dyn StatusStore) -> Result<(Schedules, Option<ETag>), StorageError> {
    let Some(part) = store.read_attachment(SCHEDULES_BLOB, 0..MAX_BYTES, None).await? else {
        return Ok((Schedules::default(), None));
    };
    let schedules = Schedules::parse(&part.bytes).map_err(StorageError::UnreadableSchedules)?;
    Ok((schedules, Some(part.etag)))
}

/// Changes the schedules for a client.
///
/// Reads, edits, sends a wake-up message if the change needs one, and writes, again if
/// another writer changed them. `edit` also gets the time and a new random number. Returns the schedules as they were written.
///
/// # Errors
/// [`ChangeError`].
pub async fn change_schedules<T, E>(
    store: &dyn PublicStore,
    queue: &dyn TaskQueue,
    env: &dyn Env,
    edit: &dyn Fn(&mut Schedules, Timestamp, u64) -> Result<T, E>,
) -> Result<(Schedules, T), ChangeError<E>> {
    for _ in 0..MAX_TRIES {
        let (mut schedules, etag) = read_schedules(store).await?;
        let edited = edit(&mut schedules, env.now().into(), env.next_u64()).map_err(ChangeError::Refused)?;
        let creator = etag.is_none().then_some(store);
        if save(store, creator, queue, env, &mut schedules, etag, Duration::ZERO).await? {
            return Ok((schedules, edited));
        }
    }
    Err(ChangeError::Contended)
}

/// Writes the schedules after a step, which were read with `etag`.
///
/// Sends the next wake-up message before, if one is needed;
/// what is due already is looked at again after `pause`. Returns whether they were written; if not, another writer has changed
/// them, and the message is obsolete.
///
/// # Errors
/// [`StorageError`] of the store or queue. The schedules may have been written.
pub async fn save_schedules(
    store: &dyn StatusStore,
    queue: &dyn TaskQueue,
    env: &dyn Env,
    schedules: &mut Schedules,
    etag: ETag,
    pause: Duration,
) -> Result<bool, StorageError> {
    save(store, None, queue, env, schedules, Some(etag), pause).await
}

async fn save(
    store: &dyn StatusStore,
    creator: Option<&dyn PublicStore>,
    queue: &dyn TaskQueue,
    env: &dyn Env,
    schedules: &mut Schedules,
    etag: Option<ETag>,
    pause: Duration,
) -> Result<bool, StorageError> {
    let now = env.now().into();
    schedules.writer = env.next_u64();
    let next = wake_up(schedules, pause, now);
    if schedules.is_empty() {
        // Its message may be received and deleted before there is a schedule again.
        schedules.wake_up = None;
    }
    if let Some(wake_up_at) = next {
        let wake_up = WakeUp { wake_up_id: schedules.writer, wake_up_at };
        schedules.wake_up = Some(wake_up);
        queue.send(QueueName::Scheduled, &wake_up.text(), whole_seconds(wake_up_at.since(now))).await?;
    }
    let bytes = Bytes::from(schedules.to_bytes());
    let written = match creator {
        Some(creator) => creator.create_attachment(SCHEDULES_BLOB, JSON, bytes).await?,
        None => store.swap_attachment(SCHEDULES_BLOB, JSON, bytes, etag.as_deref()).await?,
    };
    if matches!(written, Write::Conflict) && read_schedules(store).await?.0.writer != schedules.writer {
        return Ok(false);
    }
    if let Some(wake_up) =
        schedules.wake_up.filter(|sent| next.is_some() && sent.wake_up_at <= env.now().into())
    {
        // A worker may have received the message before the write, and then has deleted it as obsolete.
        queue.send(QueueName::Scheduled, &wake_up.text(), Duration::ZERO).await?;
    }
    Ok(true)
}
