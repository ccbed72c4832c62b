//! Submitting, listing, looking at and steering tasks.

use service::api::problem::Kind;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::{ContentBuilder, Ref, Required, ResponseBuilder};

use super::Route;
use crate::answers::{bare, event_stream, json, with_headers};

const FOLLOW: [&str; 5] = ["Location", "Operation-Location", "Retry-After", "ETag", "Preference-Applied"];

fn submission(path: &'static str, id: &str, summary: &str) -> Route {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("TaskRequest"))).build();
    let body = RequestBodyBuilder::new()
        .description(Some("JSON in UTF-8, of limited size (1 MiB unless configured otherwise). `text/json` and `…/…+json` are taken \
             as well, and UTF-16 when `charset` says so."))
        .required(Some(Required::True))
        .content("application/json", content)
        .build();
    let mut route = Route::of_tasks(HttpMethod::Post, path, id, summary)
        .takes(&["IdempotencyKey", "Prefer", "TraceParent"])
        .problems(&[
            Kind::InvalidBody,
            Kind::InvalidParameter,
            Kind::InvalidHeader,
            Kind::BodyTimeout,
            Kind::TaskIdTaken,
            Kind::BodyTooLarge,
            Kind::UnsupportedMediaType,
            Kind::ContentDiffers,
            Kind::Overloaded,
            Kind::DocumentUnreadable,
            Kind::DocumentBlocked,
            Kind::Contended,
        ]);
    route.operation = route.operation.request_body(Some(body));
    route
}

fn monitor_of(text: &str) -> ResponseBuilder {
    with_headers(json(text, "Monitor"), &["ETag", "Retry-After"])
}

pub(super) fn submit() -> Route {
    submission("/tasks", "submitTask", "Submit a task").describe(
        "The `202` is sent once the task is stored and queued. `Location` is the address of the stored document, \
         readable without further credentials for some minutes; `Operation-Location` is the status monitor. \
         Repeating a submission with the same `TaskId` or `Idempotency-Key` is safe: the same content answers \
         with the present state.",
    )
    .answers("202", with_headers(json("Accepted, now or by an earlier submission.", "Monitor"), &FOLLOW))
}

pub(super) fn queue_task() -> Route {
    submission("/Tasks/QueueTask", "queueTask", "Submit a task, as the .NET sample has it")
        .describe("As `POST /tasks`, with an empty answer. The path is found as ASP.NET Core finds it: without case, escapes \
                   resolved, with or without a slash at its end.")
        .answers("202", with_headers(bare("Accepted, now or by an earlier submission."), &FOLLOW))
}

pub(super) fn list() -> Route {
    Route::of_tasks(HttpMethod::Get, "/tasks", "listTasks", "List tasks")
        .describe("In no particular order. A page may be empty and still have a `nextLink`. Tasks whose stored documents \
             cannot be read are left out and counted.")
        .takes(&["Status", "Name", "CreatedAfter", "Top", "Continuation"])
        .problems(&[Kind::InvalidParameter, Kind::InvalidHeader])
        .answers("200", json("One page.", "MonitorList"))
}

pub(super) fn monitor() -> Route {
    let headers = ["ETag", "Retry-After", "Preference-Applied", "Vary"];
    let unchanged = bare("The task still has the version of `If-None-Match`.");
    let ended =
        json("The task has succeeded; the result is at `Location`. Asked for with `redirect`.", "Monitor");
    Route::of_tasks(HttpMethod::Get, "/tasks/{id}", "getTask", "Look at a task")
        .describe(
            "The status monitor, as Azure's long-running operations have it. When `Accept` wants \
             `text/event-stream` more than `application/json`, the answer is the stream of `/tasks/{id}/events`; \
             wanted equally, it is JSON.",
        )
        .takes(&["Redirect", "Prefer", "IfMatch", "IfNoneMatch", "LastEventId"])
        .problems(&[Kind::PreconditionFailed, Kind::TooManyStreams])
        .answers("200", event_stream(with_headers(json("The task as it stands.", "Monitor"), &headers)))
        .answers("204", bare("A stream was asked for, and the client has seen its end already."))
        .answers("303", with_headers(with_headers(ended, &headers), &["Location"]))
        .answers("304", with_headers(unchanged, &headers))
}

pub(super) fn delete() -> Route {
    Route::of_tasks(HttpMethod::Delete, "/tasks/{id}", "deleteTask", "Remove a task that has ended")
        .takes(&["IfMatch"])
        .problems(&[Kind::TaskNotEnded, Kind::PreconditionFailed, Kind::Contended])
        .answers("204", bare("Removed, with everything that belongs to it."))
}

pub(super) fn cancel() -> Route {
    Route::of_tasks(HttpMethod::Post, "/tasks/{id}/cancel", "cancelTask", "Cancel a task")
        .takes(&["IfMatch"])
        .problems(&[Kind::TaskEnded, Kind::PreconditionFailed, Kind::Contended])
        .answers("200", monitor_of("It had not started and is canceled."))
        .answers("202", monitor_of("It is running; its worker stops it at the next check."))
}

pub(super) fn retry() -> Route {
    Route::of_tasks(HttpMethod::Post, "/tasks/{id}/retry", "retryTask", "Try a failed task again")
        .takes(&["IfMatch"])
        .problems(&[Kind::TaskNotFailed, Kind::PreconditionFailed, Kind::Contended])
        .answers("202", monitor_of("It waits for another attempt."))
}
