//! `GET /queue`, `POST /queue:pause` and `POST /queue:resume`: the state of the queues, and the pause.

use http::StatusCode;
use models::{QueueDepth, QueueState};
use service::log::Line;
use service::problem::{HttpError, ProblemKind};
use service::response::{self, Response};
use storage::{Pause, read_pause};

use crate::http::request::ApiRequest;
use crate::http::route::QueueAction;
use crate::system::metrics::queue_metrics;
use crate::tasks::Tasks;

/// Responds with the lengths of the queues, at most a few seconds old, and whether the queue is paused.
pub(crate) async fn state(tasks: &Tasks, request: &ApiRequest) -> Result<Response, HttpError> {
    request.query()?.allow_only(&[])?;
    respond(tasks).await
}

/// Pauses or resumes the queue, and responds with its state.
///
/// # Errors
/// [`ProblemKind::PauseDisabled`] without `queue_pause`, because workers then would not read the pause.
pub(crate) async fn change(
    tasks: &Tasks,
    request: &ApiRequest,
    action: QueueAction,
) -> Result<Response, HttpError> {
    request.query()?.allow_only(&[])?;
    if !tasks.settings.queue_pause {
        let detail = "Set the variable queue_pause to true, for the API and all workers.";
        return Err(HttpError::new(ProblemKind::PauseDisabled, detail));
    }
    let line = match action {
        QueueAction::Pause => {
            storage::pause(&*tasks.store, tasks.env.timestamp()).await?;
            Line::info("pause requested")
        }
        QueueAction::Resume => {
            storage::resume(&*tasks.store).await?;
            Line::info("resume requested")
        }
    };
    tasks.env.log(&line.with("trace_id", request.trace_id.as_str()));
    respond(tasks).await
}

async fn respond(tasks: &Tasks) -> Result<Response, HttpError> {
    let can_pause = tasks.settings.queue_pause;
    let pause = if can_pause { read_pause(&*tasks.store).await? } else { Pause::None };
    let metrics = queue_metrics(tasks).await;
    let depths = metrics.iter().flat_map(|metrics| &metrics.depths);
    let queues = depths
        .filter_map(|(name, depth)| Some(QueueDepth { name: (*name).to_owned(), messages: (*depth)? }))
        .collect();
    let oldest = metrics.iter().flat_map(|metrics| &metrics.oldest);
    let oldest = oldest.filter_map(|(_, sent)| sent.as_ref().ok().copied().flatten()).min();
    let state = QueueState {
        can_pause,
        paused: pause != Pause::None,
        paused_date_time: match pause {
            Pause::Since(time) => time,
            Pause::None => None,
        },
        oldest_message_seconds: oldest.map(|sent| tasks.env.timestamp().since(sent).as_secs()),
        queues,
    };
    Ok(response::json(StatusCode::OK, &state))
}
