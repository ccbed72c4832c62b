//! `POST /tasks:batch`: submits up to 100 tasks, with one outcome for each.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use http::StatusCode;
use http::header::RETRY_AFTER;
use models::{BatchOutcome, BatchResponse, TaskBatch, TaskId, TaskRequest, milliseconds};
use service::env::Instant;
use service::log::Line;
use service::problem::{HttpError, ProblemKind};
use service::response::{self, Response};

use crate::http::request::ApiRequest;
use crate::tasks::Tasks;
use crate::tasks::accept::{accept, check_capacity, new_document};
use crate::tasks::identity::{idempotency_key, task_id};

/// Tasks that are stored at a time.
const MAX_CONCURRENT_SUBMISSIONS: usize = 16;

/// No further task is started after this time, so that the response arrives before the time limit of an ingress also
/// when storage is slow.
const MAX_BATCH_TIME: Duration = Duration::from_secs(30);

/// `Retry-After` for the tasks that were not started.
const RETRY_NOT_STARTED_SECONDS: u64 = 5;

/// One valid task of the batch.
struct Item {
    position: usize,
    id: TaskId,
    submission: TaskRequest,
}

/// Responds `207` with the outcomes in the order of the tasks. `Prefer: wait` is ignored.
///
/// # Errors
/// If the batch as a whole cannot be processed; nothing is stored then.
pub(crate) async fn batch(tasks: &Tasks, request: &ApiRequest, body: &[u8]) -> Result<Response, HttpError> {
    let begin = tasks.env.instant();
    let batch = TaskBatch::parse(body)?;
    let key = idempotency_key(request)?;
    let base = request.base_url(&tasks.settings)?;
    check_capacity(tasks).await?;

    let count = batch.tasks.len();
    let mut names = Vec::with_capacity(count);
    let (mut first, mut repeated) = (Vec::new(), Vec::new());
    let mut ended: Vec<Option<Ended>> = std::iter::repeat_with(|| None).take(count).collect();
    let mut end = |position: usize, outcome| {
        if let Some(place) = ended.get_mut(position) {
            *place = Some(outcome);
        }
    };
    for (position, parsed) in batch.tasks.into_iter().enumerate() {
        match parsed {
            Ok(submission) => {
                let id = task_id(tasks, request, &submission, key, Some(position));
                // Tasks with equal names of one kind may be one task.
                let name =
                    submission.unique.as_ref().map_or_else(|| id.to_string(), |unique| unique.key.clone());
                let name = (submission.unique.is_some(), name);
                let item = Item { position, id, submission };
                if names.contains(&name) {
                    repeated.push(item);
                } else {
                    names.push(name);
                    first.push(item);
                }
            }
            Err(error) => end(position, Ended { id: None, outcome: Err(error.into()) }),
        }
    }
    // Of several tasks with one id or key the first one counts, so the others wait for it.
    for (items, at_a_time) in [(first, MAX_CONCURRENT_SUBMISSIONS), (repeated, 1)] {
        let submissions = items.into_iter().map(|item| submit(tasks, request, item, begin));
        let mut outcomes = stream::iter(submissions).buffered(at_a_time);
        while let Some((position, outcome)) = outcomes.next().await {
            end(position, outcome);
        }
    }
    let ended = ended.into_iter().flatten().collect();
    Ok(respond(tasks, request, &base, ended, begin))
}

/// The end of one task, and the id that it was submitted with if it is valid.
struct Ended {
    id: Option<TaskId>,
    outcome: Result<TaskId, HttpError>,
}

async fn submit(tasks: &Tasks, request: &ApiRequest, item: Item, begin: Instant) -> (usize, Ended) {
    let Item { position, id, submission } = item;
    let started = tasks.env.instant();
    let outcome = async {
        if started.since(begin) >= MAX_BATCH_TIME {
            let detail = "Storage is too slow for the whole batch. Send this task again.";
            let error = HttpError::new(ProblemKind::StorageUnavailable, detail);
            return Err(error.retry_after(RETRY_NOT_STARTED_SECONDS));
        }
        let document = new_document(tasks, request, id, submission.clone())?;
        let stored = accept(tasks, request, &submission, document, started).await?;
        Ok(stored.document.task_id)
    };
    (position, Ended { id: Some(id), outcome: outcome.await })
}

fn respond(tasks: &Tasks, request: &ApiRequest, base: &str, ended: Vec<Ended>, begin: Instant) -> Response {
    let instance = format!("{}{}", tasks.settings.prefix(), request.path());
    let (mut accepted, mut failed, mut retry_after) = (0u32, 0u32, None);
    let value: Vec<_> = ended
        .into_iter()
        .map(|Ended { id, outcome }| match outcome {
            Ok(id) => {
                accepted += 1;
                BatchOutcome {
                    status: StatusCode::ACCEPTED.as_u16(),
                    id: Some(id),
                    operation_location: Some(format!("{base}/tasks/{id}")),
                    problem: None,
                }
            }
            Err(error) => {
                if let Some(line) = error.log_line(request.method(), request.path(), &request.trace_id) {
                    // One line is enough for a storage account that is down.
                    if failed == 0 {
                        tasks.env.log(&line);
                    }
                    failed += 1;
                }
                retry_after = retry_after.max(error.retry_after_seconds());
                let problem = error.into_problem(&instance, &request.trace_id);
                BatchOutcome { status: problem.status, id, operation_location: None, problem: Some(problem) }
            }
        })
        .collect();
    let took = tasks.env.instant().since(begin);
    let refused = u32::try_from(value.len()).unwrap_or(u32::MAX) - accepted - failed;
    tasks.env.log(
        &Line::info("batch ended")
            .with("accepted", accepted)
            .with("refused", refused)
            .with("failed", failed)
            .with("duration_ms", milliseconds(took))
            .with("trace_id", request.trace_id.as_str()),
    );
    let mut response = response::json(StatusCode::MULTI_STATUS, &BatchResponse { value });
    if let Some(seconds) = retry_after {
        response::set(&mut response, RETRY_AFTER, &seconds.to_string());
    }
    response
}
