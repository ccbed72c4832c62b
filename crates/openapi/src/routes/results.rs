//! What a task says while it runs and what it leaves behind.

use service::api::problem::Kind;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::schema::ObjectBuilder;

use super::Route;
use crate::answers::{bare, event_stream, other, with_headers};

pub(super) fn events() -> Route {
    Route::of_tasks(HttpMethod::Get, "/tasks/{id}/events", "streamTask", "Stream a task's changes")
        .describe(
            "Server-sent events: each carries the status monitor as JSON and the version as its id. Comments keep \
             the connection alive. The stream ends after the event that shows the end of the task, and before the \
             time limit of the ingress; clients reconnect by themselves with `Last-Event-ID`.",
        )
        .takes(&["LastEventId"])
        .problems(&[Kind::TooManyStreams])
        .answers("200", event_stream(with_headers(bare("The stream."), &["Vary"])))
        .answers("204", bare("The client has seen the end of the task already; there is nothing left to tell."))
}

pub(super) fn result() -> Route {
    let headers = ["ETag", "Accept-Ranges"];
    let bytes = |text| other(text, "*/*", ObjectBuilder::new());
    Route::of_tasks(HttpMethod::Get, "/tasks/{id}/result", "getResult", "Read a task's result")
        .describe("The result as its handler gave it, with its own media type.")
        .takes(&["Range", "IfRange", "IfMatch", "IfNoneMatch"])
        .problems(&[
            Kind::NoResult,
            Kind::ResultNotReady,
            Kind::ResultExpired,
            Kind::PreconditionFailed,
            Kind::RangeNotSatisfiable,
        ])
        .answers("200", with_headers(bytes("The whole result."), &headers))
        .answers("204", bare("The task succeeded without a result."))
        .answers(
            "206",
            with_headers(with_headers(bytes("A part of the result."), &headers), &["Content-Range"]),
        )
        .answers("304", with_headers(bare("The result still has the version of `If-None-Match`."), &headers))
}
