//! Batches of submissions, and actions on all tasks that filters select.

use service::problem::ProblemKind;
use utoipa::openapi::path::HttpMethod;

use super::{Route, json_body};
use crate::responses::{json, with_headers};

pub(super) fn batch() -> Route {
    let mut route = Route::of_tasks(HttpMethod::Post, "/tasks:batch", "submitTasks", "Submit up to 100 tasks")
        .describe(
            "The outcomes are in the order of the tasks and independent of each other. Repeating a batch is safe if its \
             tasks have a `TaskId`, or with an `Idempotency-Key`, which identifies each task together with its position. \
             Nothing is stored if the response is not `207`.",
        )
        .parameters(&["IdempotencyKey", "TraceParent"])
        .problems(&[
            ProblemKind::InvalidBody,
            ProblemKind::InvalidHeader,
            ProblemKind::BodyTimeout,
            ProblemKind::BodyTooLarge,
            ProblemKind::UnsupportedMediaType,
            ProblemKind::Overloaded,
        ])
        .response(
            "207",
            with_headers(json("One outcome for each task.", "BatchResponse"), &["Retry-After"]),
        );
    route.operation = route.operation.request_body(Some(json_body("TaskBatch")));
    route
}

pub(super) fn cancel() -> Route {
    let text = "Cancels the selected tasks that have not ended; running ones are asked to stop.";
    action("/tasks:cancel", "cancelTasks", "Cancel tasks", text)
}

pub(super) fn retry() -> Route {
    action("/tasks:retry", "retryTasks", "Retry failed tasks", "Retries the selected tasks that have failed.")
}

pub(super) fn delete() -> Route {
    action(
        "/tasks:delete",
        "deleteTasks",
        "Delete tasks that have ended",
        "Deletes the selected tasks that have ended.",
    )
}

fn action(path: &'static str, id: &str, summary: &str, text: &str) -> Route {
    let bounds =
        "A request changes at most `top` tasks of the caller. `nextLink` is the address to `POST` to next.";
    Route::of_tasks(HttpMethod::Post, path, id, summary)
        .describe(&format!("{text} {bounds}"))
        .parameters(&["Status", "Name", "CreatedAfter", "Top", "Continuation"])
        .problems(&[ProblemKind::InvalidParameter, ProblemKind::InvalidHeader])
        .response("200", json("Numbers of tasks, and what is left.", "BulkReport"))
}
