//! Replaying and removing messages: `POST /poison/{id}/replay`, `DELETE /poison/{id}`, `POST /poison:replay`, `POST /poison:delete`.
//!
//! A message is deleted from the poison queue last. A crash before that leaves it there, so that it is replayed twice
//! rather than lost.

use std::time::Duration;

use http::StatusCode;
use models::{PoisonReport, TaskId, milliseconds};
use service::log::Line;
use service::problem::{HttpError, ProblemKind};
use service::response::{self, Response};
use storage::{QueueName, ReceivedMessage};

use crate::http::headers::OPERATION_LOCATION;
use crate::http::request::ApiRequest;
use crate::http::route::{MessageId, PoisonAction};
use crate::poison::replay::replay;
use crate::poison::{find, not_found};
use crate::tasks::{Tasks, page_size};

/// No further change is started after this time.
const MAX_TIME: Duration = Duration::from_secs(30);

/// Replays (`202` with the address of the task) or removes (`204`) one message.
pub(crate) async fn change_one(
    tasks: &Tasks,
    request: &ApiRequest,
    id: MessageId,
    action: PoisonAction,
) -> Result<Response, HttpError> {
    request.query()?.allow_only(&[])?;
    let message = find::receive_one(tasks, id).await?.ok_or_else(not_found)?;
    match change(tasks, request, action, &message).await {
        Ok(Some(task)) => {
            let mut response = response::empty(StatusCode::ACCEPTED);
            response::set(&mut response, OPERATION_LOCATION, &request.task_url(&tasks.settings, task)?);
            Ok(response)
        }
        Ok(None) => Ok(response::empty(StatusCode::NO_CONTENT)),
        Err(error) => {
            find::release(tasks, vec![message]).await;
            Err(error)
        }
    }
}

/// Replays or removes up to `top` messages from the front of the queue, and responds with counts. Messages that stay are
/// hidden until the end of the request, so that it reaches those behind them. One message is changed after the other: an
/// operator can wait, and a queue with many copies of one task is changed without conflicts.
pub(crate) async fn change_all(
    tasks: &Tasks,
    request: &ApiRequest,
    action: PoisonAction,
) -> Result<Response, HttpError> {
    let top = page_size(&request.query()?.allow_only(&["top"])?)?;
    let begin = tasks.env.instant();
    let is_over = || tasks.env.instant().since(begin) >= MAX_TIME;
    let mut report = PoisonReport::default();
    let (mut kept, mut received) = (Vec::new(), 0);
    while received < top && !is_over() {
        let count = u32::try_from(top - received).unwrap_or(u32::MAX).min(find::BATCH_MESSAGES);
        let batch = match tasks.queue.receive(QueueName::Poison, count, find::LEASE).await {
            Ok(batch) => batch,
            Err(error) if received == 0 => return Err(error.into()),
            Err(error) => {
                let line = Line::warn("poison messages could not be received");
                tasks.env.log(&line.with("cause", error.to_string()));
                break;
            }
        };
        received += batch.len();
        let is_last = batch.len() < count as usize;
        for message in batch {
            if is_over() {
                kept.push(message);
                continue;
            }
            match change(tasks, request, action, &message).await {
                Ok(_) => report.changed += 1,
                Err(error) => {
                    count_error(tasks, request, &error, &mut report);
                    kept.push(message);
                }
            }
        }
        if is_last {
            break;
        }
    }
    find::release(tasks, kept).await;
    report.left = tasks.queue.depth(QueueName::Poison).await.ok();
    let took = tasks.env.instant().since(begin);
    tasks.env.log(
        &Line::info("poison action ended")
            .with("action", name(action))
            .with("changed", report.changed)
            .with("skipped", report.skipped)
            .with("failed", report.failed)
            .with("duration_ms", milliseconds(took))
            .with("trace_id", request.trace_id.as_str()),
    );
    Ok(response::json(StatusCode::OK, &report))
}

fn count_error(tasks: &Tasks, request: &ApiRequest, error: &HttpError, report: &mut PoisonReport) {
    // Another request has received or removed the message, or it cannot be replayed.
    if matches!(error.kind, ProblemKind::NotReplayable | ProblemKind::PoisonMessageNotFound) {
        report.skipped += 1;
        return;
    }
    // One line is enough for a storage account that is down.
    if report.failed == 0
        && let Some(line) = error.log_line(request.method(), request.path(), &request.trace_id)
    {
        tasks.env.log(&line);
    }
    report.failed += 1;
}

/// Performs the action on a received message. Returns the task that was queued again.
async fn change(
    tasks: &Tasks,
    request: &ApiRequest,
    action: PoisonAction,
    message: &ReceivedMessage,
) -> Result<Option<TaskId>, HttpError> {
    let task = match action {
        PoisonAction::Replay => Some(replay(tasks, request, message).await?),
        PoisonAction::Remove => None,
    };
    match (tasks.queue.delete(message).await, task) {
        // If the lease is lost, another request has the message. Its task is queued again all the same.
        (Ok(Ok(())), _) | (Ok(Err(_)), Some(_)) => {}
        (Ok(Err(_)), None) => return Err(not_found()),
        (Err(error), Some(_)) => {
            let line = Line::warn("a replayed message stays in the poison queue");
            tasks.env.log(&line.with("cause", error.to_string()));
        }
        (Err(error), None) => return Err(error.into()),
    }
    let line = match task {
        Some(id) => Line::info("poison message replayed").with("task_id", id.to_string()),
        None => Line::info("poison message removed"),
    };
    tasks.env.log(
        &line.with("message_id", message.message_id.as_str()).with("trace_id", request.trace_id.as_str()),
    );
    Ok(task)
}

fn name(action: PoisonAction) -> &'static str {
    match action {
        PoisonAction::Replay => "replay",
        PoisonAction::Remove => "delete",
    }
}
