//! Event stream and result of a task.

use service::problem::ProblemKind;
use utoipa::openapi::ContentBuilder;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::schema::{KnownFormat, SchemaFormat, Type};

use super::Route;
use crate::responses::{bare, event_stream, other, with_headers};
use crate::schemas::{any, plain};

pub(super) fn events() -> Route {
    Route::of_tasks(HttpMethod::Get, "/tasks/{id}/events", "streamTask", "Stream the changes of a task")
        .describe(
            "Server-sent events: the data is the status monitor as JSON, the id is the version of the task. Comments \
             keep the connection alive. The stream ends after the event with the terminal state, or before the time \
             limit of the ingress; clients then reconnect with `Last-Event-ID`.",
        )
        .parameters(&["LastEventId"])
        .problems(&[ProblemKind::TooManyStreams])
        .response("200", event_stream(with_headers(bare("The stream."), &["Vary"])))
        .response("204", bare("The client has received the terminal state; there are no further events."))
}

pub(super) fn result() -> Route {
    let headers = ["ETag", "Accept-Ranges"];
    // Generated clients read the result as bytes, whatever its media type.
    let binary = || plain(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)));
    let bytes = |text| {
        let content = ContentBuilder::new().schema(Some(any())).build();
        other(text, "application/octet-stream", binary()).content("*/*", content)
    };
    Route::of_tasks(HttpMethod::Get, "/tasks/{id}/result", "getResult", "Get the result of a task")
        .describe("The result of the handler, with its own media type.")
        .parameters(&["Range", "IfRange", "IfMatch", "IfNoneMatch"])
        .problems(&[
            ProblemKind::NoResult,
            ProblemKind::ResultNotReady,
            ProblemKind::ResultExpired,
            ProblemKind::PreconditionFailed,
            ProblemKind::RangeNotSatisfiable,
        ])
        .response("200", with_headers(bytes("The complete result."), &headers))
        .response("204", bare("The task succeeded without a result."))
        .response(
            "206",
            with_headers(with_headers(bytes("A part of the result."), &headers), &["Content-Range"]),
        )
        .response("304", with_headers(bare("The version is the one in `If-None-Match`."), &headers))
}
