//! The replay of one message. `lifecycle::replay` decides.

use std::time::Duration;

use lifecycle::replay::{Refusal, Replay, replay as decide, task_of};
use models::{TaskId, TaskMessage};
use service::problem::HttpError;
use storage::{QueueName, ReceivedMessage, StoredDocument, Write};

use crate::http::request::ApiRequest;
use crate::poison::copy::{GivenUp, task_named};
use crate::poison::{event, not_replayable, read};
use crate::tasks::{MAX_WRITE_TRIES, Tasks, contended, public_name};

/// Queues the task or the event of the message again, and returns the id of the task. The message in the poison queue is not
/// deleted.
///
/// # Errors
/// [`NotReplayable`](service::problem::ProblemKind::NotReplayable) if there is nothing to queue; errors of storage.
pub(super) async fn replay(
    tasks: &Tasks,
    request: &ApiRequest,
    message: &ReceivedMessage,
) -> Result<TaskId, HttpError> {
    let given_up = GivenUp::read(&message.message_id, message.inserted_at, &message.text);
    let Some(original) = given_up.original(tasks).await? else {
        return Err(not_replayable("The original message is not kept any more."));
    };
    match given_up.view.kind.as_deref() {
        None => {}
        Some(kind) => {
            let Some(task) = task_named(Some(kind), &original) else {
                return Err(not_replayable("The message is neither that of a task nor that of an event."));
            };
            return event::replay(tasks, task, &original).await.map(|()| task);
        }
    }
    let parsed = TaskMessage::parse(&original);
    let Some(id) = task_of(&parsed) else { return Err(refusal(Refusal::NamesNoTask)) };
    for _ in 0..MAX_WRITE_TRIES {
        let stored = read(tasks, id).await?;
        let document = stored.as_ref().map(|stored| &stored.document);
        let decision = decide(&parsed, document, request.caller.as_deref(), tasks.env.timestamp());
        match (decision, stored) {
            (Replay::Retry(next), Some(stored)) => {
                // After a lost response the document is Pending in the next try, which sends its message.
                if let Write::Done(etag) = tasks.store.replace(&next, &stored.etag).await? {
                    tasks.send_message(&StoredDocument { document: *next, etag }, Duration::ZERO).await?;
                    return Ok(id);
                }
            }
            (Replay::SendMessage, Some(stored)) => {
                if stored.document.attempt == 0 {
                    // The message may have said that the event of the acceptance is owed.
                    tasks.send_first_message(&stored, Duration::ZERO).await?;
                } else {
                    tasks.send_message(&stored, Duration::ZERO).await?;
                }
                return Ok(id);
            }
            (Replay::Refuse(reason), _) => return Err(refusal(reason)),
            (Replay::SendOriginal | Replay::Retry(_) | Replay::SendMessage, _) => {
                let Some(text) = TaskMessage::text_to_forward(&original) else {
                    return Err(not_replayable("The original does not fit into a message."));
                };
                let document = parsed.as_ref().ok().and_then(|message| message.document.as_ref());
                let queue = document.map_or(QueueName::Tasks, |document| QueueName::of(document.priority));
                tasks.queue.send(queue, &text, Duration::ZERO).await?;
                return Ok(id);
            }
        }
    }
    Err(contended())
}

fn refusal(reason: Refusal) -> HttpError {
    match reason {
        Refusal::NamesNoTask => not_replayable("The message names no task; a worker would give it up again."),
        Refusal::TaskIsGone => not_replayable("The task does not exist; it may have been deleted or purged."),
        Refusal::Ended(state) => not_replayable(&format!("The task is {}.", public_name(state))),
    }
}
