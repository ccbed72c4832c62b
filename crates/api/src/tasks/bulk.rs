//! `POST /tasks:cancel`, `:retry` and `:delete`: one action on all tasks that the filters select, page by page.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use http::StatusCode;
use models::{BulkReport, TaskId, TaskState, TaskStatus, milliseconds};
use service::log::Line;
use service::problem::{HttpError, ProblemKind};
use service::response::{self, Response};

use crate::http::request::ApiRequest;
use crate::http::route::BulkAction;
use crate::tasks::continuation::Position;
use crate::tasks::selection::{Selected, Selection};
use crate::tasks::{Tasks, cancel, delete, retry};

/// Tasks that are changed at a time.
const MAX_CONCURRENT_CHANGES: usize = 16;

/// No further change is started after this time; `nextLink` continues there. The response then arrives before the time
/// limit of an ingress also when storage is slow.
const MAX_BULK_TIME: Duration = Duration::from_secs(30);

/// Responds `200` with counts and the address of the next page.
///
/// # Errors
/// If the query is invalid, or the tasks cannot be listed.
pub(crate) async fn bulk(
    tasks: &Tasks,
    request: &ApiRequest,
    action: BulkAction,
) -> Result<Response, HttpError> {
    let begin = tasks.env.instant();
    let selection = Selection::of(tasks, request)?;
    let selects = |document: &TaskStatus| applies(action, document) && selection.accepts(document);
    let picked = selection.collect(tasks, request, |document, position| {
        selects(document).then(|| (document.task_id, position.clone()))
    });
    let Selected { value, unreadable, mut next } = picked.await?;

    let mut report = BulkReport { unreadable, ..BulkReport::default() };
    let changes = value.into_iter().map(|(id, position)| async move {
        if tasks.env.instant().since(begin) >= MAX_BULK_TIME {
            return Change::NotStarted(position);
        }
        change(tasks, request, action, id, &selects).await
    });
    let mut changes = stream::iter(changes).buffered(MAX_CONCURRENT_CHANGES);
    let mut is_stopped = false;
    while let Some(change) = changes.next().await {
        match change {
            Change::Done => report.changed += 1,
            Change::Skipped => report.skipped += 1,
            Change::Failed(error) => {
                // One line is enough for a storage account that is down.
                if report.failed == 0
                    && let Some(line) = error.log_line(request.method(), request.path(), &request.trace_id)
                {
                    tasks.env.log(&line);
                }
                report.failed += 1;
            }
            // Changes start in order, so those behind the first one that was not started were not started either.
            Change::NotStarted(position) if !is_stopped => (is_stopped, next) = (true, Some(position)),
            Change::NotStarted(_) => {}
        }
    }
    report.next_link = next.map(|position| selection.link(action.path(), &position));
    let took = tasks.env.instant().since(begin);
    tasks.env.log(
        &Line::info("bulk action ended")
            .with("action", action.name())
            .with("changed", report.changed)
            .with("skipped", report.skipped)
            .with("failed", report.failed)
            .with("more", report.next_link.is_some())
            .with("duration_ms", milliseconds(took))
            .with("trace_id", request.trace_id.as_str()),
    );
    Ok(response::json(StatusCode::OK, &report))
}

/// What became of one selected task.
enum Change {
    Done,
    /// The task changed since it was selected, and the action does not apply to it any more.
    Skipped,
    Failed(HttpError),
    /// The time is over. A request from this position selects the task again.
    NotStarted(Position),
}

/// Whether an action changes a task in this state.
fn applies(action: BulkAction, document: &TaskStatus) -> bool {
    match action {
        BulkAction::Cancel => !document.state.is_terminal() && document.cancel_requested_at.is_none(),
        BulkAction::Retry => document.state == TaskState::Failed,
        BulkAction::Delete => document.state.is_terminal(),
    }
}

/// Performs the action as the request for this one task does, as long as `selects` holds for it.
async fn change(
    tasks: &Tasks,
    request: &ApiRequest,
    action: BulkAction,
    id: TaskId,
    selects: &dyn Fn(&TaskStatus) -> bool,
) -> Change {
    let outcome = match action {
        BulkAction::Cancel => cancel::cancel(tasks, request, id, selects).await,
        BulkAction::Retry => retry::retry(tasks, request, id, selects).await,
        BulkAction::Delete => delete::delete(tasks, request, id, selects).await,
    };
    match outcome {
        Ok(_) => Change::Done,
        Err(error) => match error.kind {
            ProblemKind::TaskNotFound
            | ProblemKind::TaskEnded
            | ProblemKind::TaskNotEnded
            | ProblemKind::TaskNotFailed
            | ProblemKind::PreconditionFailed => Change::Skipped,
            _ => Change::Failed(error),
        },
    }
}
