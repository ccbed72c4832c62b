//! Parameters, described once and referenced.

use models::MAX_NAME_CHARS;
use serde_json::json;
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ComponentsBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Ref, Required};

use crate::schemas::{date_time, guid, plain};

/// Adds the parameters that are used.
pub(crate) fn add(components: ComponentsBuilder) -> ComponentsBuilder {
    all().into_iter().fold(components, |components, (key, parameter)| components.parameter(key, parameter))
}

/// Makes an operation take parameters, by their keys in [`all`].
pub(crate) fn take(operation: OperationBuilder, keys: &[&str]) -> OperationBuilder {
    keys.iter().fold(operation, |operation, key| {
        operation.parameter_ref(Ref::new(format!("#/components/parameters/{key}")))
    })
}

/// Every parameter and its key among the components.
pub(crate) fn all() -> Vec<(&'static str, Parameter)> {
    let query = ParameterIn::Query;
    let header = ParameterIn::Header;
    let text = |most: usize| plain(Type::String).max_length(Some(most));
    let states = ["NotStarted", "Running", "Succeeded", "Failed", "Canceled"];
    vec![
        (
            "TaskId",
            ParameterBuilder::from(parameter(
                "id",
                ParameterIn::Path,
                guid(),
                "Id of the task, with hyphens.",
            ))
            .required(Required::True)
            .build(),
        ),
        (
            "Status",
            parameter(
                "status",
                query.clone(),
                plain(Type::String).enum_values(Some(states)),
                "Only tasks in this state.",
            ),
        ),
        (
            "Name",
            parameter("name", query.clone(), text(MAX_NAME_CHARS), "Only tasks with exactly this name."),
        ),
        (
            "CreatedAfter",
            parameter("createdAfter", query.clone(), date_time(), "Only tasks accepted after this time."),
        ),
        (
            "Top",
            parameter(
                "top",
                query.clone(),
                plain(Type::Integer).minimum(Some(1)).maximum(Some(200)).default(Some(json!(50))),
                "Maximum number of tasks per page.",
            ),
        ),
        (
            "Continuation",
            parameter(
                "continuation",
                query.clone(),
                plain(Type::String),
                "Start of the page; taken from `nextLink`.",
            ),
        ),
        (
            "Redirect",
            parameter(
                "redirect",
                query,
                plain(Type::Boolean).default(Some(json!(false))),
                "Respond `303` with the address of the result if the task has succeeded.",
            ),
        ),
        (
            "IdempotencyKey",
            parameter(
                "Idempotency-Key",
                header.clone(),
                text(255).min_length(Some(1)).pattern(Some("^[!-~]+$")),
                "Identifies the submission if the body has no `TaskId`: the same key of the same caller identifies \
                 the same task.",
            ),
        ),
        (
            "Prefer",
            parameter(
                "Prefer",
                header.clone(),
                plain(Type::String).examples([json!("wait=2")]),
                "Long polling. With `wait=N` (RFC 7240) the response is sent when the task has ended, or after N \
                 seconds. N is a whole number, at most 30; other values are ignored.",
            ),
        ),
        (
            "IfMatch",
            parameter(
                "If-Match",
                header.clone(),
                plain(Type::String),
                "`ETag`s of the versions that the request applies to (strong comparison), or `*`. For another version \
                 the response is `412` and nothing is changed.",
            ),
        ),
        (
            "IfNoneMatch",
            parameter(
                "If-None-Match",
                header.clone(),
                plain(Type::String),
                "`ETag` of a known version: if it is the current one, the response is `304`.",
            ),
        ),
        (
            "IfRange",
            parameter(
                "If-Range",
                header.clone(),
                plain(Type::String),
                "`ETag` of the version that the range belongs to; for another version the response is the complete result.",
            ),
        ),
        (
            "Range",
            parameter(
                "Range",
                header.clone(),
                plain(Type::String).examples([json!("bytes=0-1023")]),
                "A single byte range.",
            ),
        ),
        (
            "LastEventId",
            parameter(
                "Last-Event-ID",
                header.clone(),
                plain(Type::String),
                "Id of the last received event; the stream continues after it.",
            ),
        ),
        (
            "TraceParent",
            parameter(
                "traceparent",
                header,
                plain(Type::String),
                "W3C trace context; stored with the task and passed to its handler.",
            ),
        ),
    ]
}

fn parameter(name: &str, place: ParameterIn, schema: ObjectBuilder, text: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .description(Some(text))
        .schema(Some(schema))
        .build()
}
