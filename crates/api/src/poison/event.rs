//! The replay of an event that was given up: its delivery begins again, with all attempts. `lifecycle::events` decides.

use std::time::Duration;

use lifecycle::events;
use models::{EventMessage, TaskId};
use service::problem::HttpError;
use storage::{QueueName, Write};

use crate::poison::{not_replayable, read};
use crate::tasks::{MAX_WRITE_TRIES, Tasks, contended};

/// Puts the message of the event of `task` again. The message in the poison queue is not deleted.
///
/// # Errors
/// [`ProblemKind::NotReplayable`](service::problem::ProblemKind::NotReplayable) if there is nothing to deliver; errors of
/// storage.
pub(super) async fn replay(tasks: &Tasks, task: TaskId, original: &str) -> Result<(), HttpError> {
    if !tasks.settings.has_events() {
        return Err(not_replayable("Without callback_hosts and event_sink_url no worker delivers events."));
    }
    let mut tries = 0;
    // The document counts the calls for an end, the message those for another event; a worker has reset it.
    while let Ok(message) = EventMessage::parse(original) {
        let Some(stored) = read(tasks, task).await? else {
            return Err(not_replayable("The task does not exist; it may have been deleted or purged."));
        };
        let Some(next) = events::replay(&message, &stored.document) else {
            return Err(not_replayable(
                "The event was delivered, or the task does not have this end any more.",
            ));
        };
        // The write comes first: a document that owes the event leads to it again after a crash.
        if let Write::Done(_) = tasks.store.replace(&next, &stored.etag).await? {
            break;
        }
        tries += 1;
        if tries >= MAX_WRITE_TRIES {
            return Err(contended());
        }
    }
    Ok(tasks.queue.send(QueueName::Events, original, Duration::ZERO).await?)
}
