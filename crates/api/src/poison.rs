//! The poison queue for operators: list, look at, replay and remove messages.
//!
//! Storage Queue has no operation on one message by its id: Peek Messages returns the first 32 visible messages without a
//! pop receipt, and only Get Messages returns pop receipts, of the first messages. A request for one message therefore
//! receives from the front until it has the message, at most [`find::MAX_SCANNED`], and makes the others visible again.

mod change;
mod copy;
mod event;
mod find;
mod list;
mod replay;

pub(crate) use change::{change_all, change_one};
pub(crate) use list::{list, show};

use models::TaskId;
use service::problem::{HttpError, ProblemKind};
use storage::{Read, StorageError, StoredDocument};

use crate::tasks::Tasks;

fn not_found() -> HttpError {
    let detail = format!(
        "No message with this id is among the first {} of the poison queue, or another request holds it for up to {} s.",
        find::MAX_SCANNED,
        find::LEASE.as_secs()
    );
    HttpError::new(ProblemKind::PoisonMessageNotFound, detail)
}

fn not_replayable(detail: &str) -> HttpError {
    HttpError::new(ProblemKind::NotReplayable, detail)
}

/// The document of a task of any owner. If the container does not exist, there is none.
async fn read(tasks: &Tasks, id: TaskId) -> Result<Option<StoredDocument>, StorageError> {
    match tasks.store.read(id, None).await {
        Ok(Read::Found(stored)) => Ok(Some(*stored)),
        Ok(Read::Missing | Read::Unchanged) | Err(StorageError::NoContainer(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
