//! Submit, list, poll, cancel, retry and delete tasks.

use service::problem::ProblemKind;
use utoipa::openapi::ResponseBuilder;
use utoipa::openapi::path::HttpMethod;

use super::{Route, json_body};
use crate::responses::{bare, event_stream, json, with_headers};

const FOLLOW: [&str; 5] = ["Location", "Operation-Location", "Retry-After", "ETag", "Preference-Applied"];

fn submission(path: &'static str, id: &str, summary: &str) -> Route {
    let mut route = Route::of_tasks(HttpMethod::Post, path, id, summary)
        .parameters(&["IdempotencyKey", "Prefer", "TraceParent"])
        .problems(&[
            ProblemKind::InvalidBody,
            ProblemKind::InvalidParameter,
            ProblemKind::InvalidHeader,
            ProblemKind::BodyTimeout,
            ProblemKind::TaskIdTaken,
            ProblemKind::BodyTooLarge,
            ProblemKind::UnsupportedMediaType,
            ProblemKind::ContentDiffers,
            ProblemKind::Overloaded,
            ProblemKind::DocumentUnreadable,
            ProblemKind::DocumentBlocked,
            ProblemKind::Contended,
        ]);
    route.operation = route.operation.request_body(Some(json_body("TaskRequest")));
    route
}

fn monitor_of(text: &str) -> ResponseBuilder {
    with_headers(json(text, "Monitor"), &["ETag", "Retry-After"])
}

pub(super) fn submit() -> Route {
    submission("/tasks", "submitTask", "Submit a task").describe(
        "The response is `202` after the task is stored and queued. `Location` is the address of the stored \
         document with a SAS that is valid for some minutes; `Operation-Location` is the status monitor. Repeating \
         a submission with the same `TaskId` or `Idempotency-Key` and the same content is safe and returns the \
         current state.",
    )
    .response("202", with_headers(json("Accepted by this or an earlier submission.", "Monitor"), &FOLLOW))
}

pub(super) fn queue_task() -> Route {
    submission("/Tasks/QueueTask", "queueTask", "Submit a task in the form of the .NET sample")
        .describe("Like `POST /tasks`, with an empty response. The path is matched as in ASP.NET Core: case-insensitive, after \
                   percent-decoding, with or without a trailing slash.")
        .response("202", with_headers(bare("Accepted by this or an earlier submission."), &FOLLOW))
}

pub(super) fn list() -> Route {
    Route::of_tasks(HttpMethod::Get, "/tasks", "listTasks", "List tasks")
        .describe("Tasks in no particular order. An empty page may have a `nextLink`. Tasks whose documents cannot be read are \
             omitted and counted.")
        .parameters(&["Status", "Name", "CreatedAfter", "Top", "Continuation"])
        .problems(&[ProblemKind::InvalidParameter, ProblemKind::InvalidHeader])
        .response("200", json("One page.", "MonitorList"))
}

pub(super) fn monitor() -> Route {
    let headers = ["ETag", "Retry-After", "Preference-Applied", "Vary"];
    let unchanged = bare("The version is the one in `If-None-Match`.");
    let ended = json("The task has succeeded; the result is at `Location`. Only with `redirect`.", "Monitor");
    Route::of_tasks(HttpMethod::Get, "/tasks/{id}", "getTask", "Get the status monitor of a task")
        .describe(
            "The status monitor, in the form of Azure's long-running operations. If `Accept` prefers \
             `text/event-stream` to `application/json`, the response is the stream of `/tasks/{id}/events`; equal \
             preference gets JSON.",
        )
        .parameters(&["Redirect", "Prefer", "IfMatch", "IfNoneMatch", "LastEventId"])
        .problems(&[ProblemKind::PreconditionFailed, ProblemKind::TooManyStreams])
        .response("200", event_stream(with_headers(json("The current state of the task.", "Monitor"), &headers)))
        .response("204", bare("An event stream was requested, and the client has received the terminal state."))
        .response("303", with_headers(with_headers(ended, &headers), &["Location"]))
        .response("304", with_headers(unchanged, &headers))
}

pub(super) fn delete() -> Route {
    Route::of_tasks(HttpMethod::Delete, "/tasks/{id}", "deleteTask", "Delete a task that has ended")
        .parameters(&["IfMatch"])
        .problems(&[ProblemKind::TaskNotEnded, ProblemKind::PreconditionFailed, ProblemKind::Contended])
        .response("204", bare("Deleted, with its result."))
}

pub(super) fn cancel() -> Route {
    Route::of_tasks(HttpMethod::Post, "/tasks/{id}/cancel", "cancelTask", "Cancel a task")
        .parameters(&["IfMatch"])
        .problems(&[ProblemKind::TaskEnded, ProblemKind::PreconditionFailed, ProblemKind::Contended])
        .response("200", monitor_of("The task had not started and is canceled."))
        .response("202", monitor_of("The task is running; its worker stops it at the next lease renewal."))
}

pub(super) fn retry() -> Route {
    Route::of_tasks(HttpMethod::Post, "/tasks/{id}/retry", "retryTask", "Retry a failed task")
        .parameters(&["IfMatch"])
        .problems(&[ProblemKind::TaskNotFailed, ProblemKind::PreconditionFailed, ProblemKind::Contended])
        .response("202", monitor_of("The task waits for another attempt."))
}
