//! Parameters, each described once.

use models::MAX_NAME_CHARS;
use serde_json::json;
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ComponentsBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Ref, Required};

use crate::schemas::{guid, moment, plain};

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
                "The task's id, with hyphens.",
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
        ("Name", parameter("name", query.clone(), text(MAX_NAME_CHARS), "Only tasks of exactly this name.")),
        (
            "CreatedAfter",
            parameter("createdAfter", query.clone(), moment(), "Only tasks accepted after this moment."),
        ),
        (
            "Top",
            parameter(
                "top",
                query.clone(),
                plain(Type::Integer).minimum(Some(1)).maximum(Some(200)).default(Some(json!(50))),
                "Most tasks on one page.",
            ),
        ),
        (
            "Continuation",
            parameter(
                "continuation",
                query.clone(),
                plain(Type::String),
                "Where the page begins; taken from `nextLink`.",
            ),
        ),
        (
            "Redirect",
            parameter(
                "redirect",
                query,
                plain(Type::Boolean).default(Some(json!(false))),
                "Answer `303` with the address of the result once the task has succeeded.",
            ),
        ),
        (
            "IdempotencyKey",
            parameter(
                "Idempotency-Key",
                header.clone(),
                text(255).min_length(Some(1)).pattern(Some("^[!-~]+$")),
                "Names the submission when the body has no `TaskId`: the same key of the same caller means the \
                 same task.",
            ),
        ),
        (
            "Prefer",
            parameter(
                "Prefer",
                header.clone(),
                plain(Type::String).examples([json!("wait=2")]),
                "`wait=N` (RFC 7240) answers as soon as the task has ended, after N seconds at the latest. N is a \
                 whole number, 30 at most; anything else is ignored.",
            ),
        ),
        (
            "IfMatch",
            parameter(
                "If-Match",
                header.clone(),
                plain(Type::String),
                "`ETag`s of the versions that the request is meant for, compared strongly, or `*`: of another version \
                 it is `412` and changes nothing.",
            ),
        ),
        (
            "IfNoneMatch",
            parameter(
                "If-None-Match",
                header.clone(),
                plain(Type::String),
                "An `ETag` from before: unchanged is `304`.",
            ),
        ),
        (
            "IfRange",
            parameter(
                "If-Range",
                header.clone(),
                plain(Type::String),
                "The `ETag` that the range belongs to; another one gets the whole.",
            ),
        ),
        (
            "Range",
            parameter(
                "Range",
                header.clone(),
                plain(Type::String).examples([json!("bytes=0-1023")]),
                "One range of bytes.",
            ),
        ),
        (
            "LastEventId",
            parameter(
                "Last-Event-ID",
                header.clone(),
                plain(Type::String),
                "Id of the last event received; the stream goes on after it.",
            ),
        ),
        (
            "TraceParent",
            parameter(
                "traceparent",
                header,
                plain(Type::String),
                "W3C trace context; kept with the task and passed to its handler.",
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
