//! Parameters, described once and referenced.

use models::MAX_NAME_CHARS;
use serde_json::json;
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ComponentsBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Ref, Required};

use crate::schemas::{date_time, guid, plain};

/// Adds every parameter to the components.
pub(crate) fn add(components: ComponentsBuilder) -> ComponentsBuilder {
    all().into_iter().fold(components, |components, (key, parameter)| components.parameter(key, parameter))
}

/// Adds references to parameters, by their keys in [`all`].
pub(crate) fn reference(operation: OperationBuilder, keys: &[&str]) -> OperationBuilder {
    keys.iter().fold(operation, |operation, key| {
        operation.parameter_ref(Ref::new(format!("#/components/parameters/{key}")))
    })
}

/// A parameter and its key among the components.
type Entry = (&'static str, Parameter);

/// Every parameter.
pub(crate) fn all() -> Vec<Entry> {
    [path(), list_filters(), result_redirect(), submission_headers(), conditional_headers(), other_headers()]
        .concat()
}

fn path() -> Vec<Entry> {
    let id = parameter("id", ParameterIn::Path, guid(), "Id of the task, with hyphens.");
    let message = parameter("id", ParameterIn::Path, guid(), "Id of the message in the poison queue.");
    let name = plain(Type::String).pattern(Some("^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"));
    let schedule = parameter("name", ParameterIn::Path, name, "Name of the schedule.");
    vec![
        ("ScheduleName", ParameterBuilder::from(schedule).required(Required::True).build()),
        ("TaskId", ParameterBuilder::from(id).required(Required::True).build()),
        ("MessageId", ParameterBuilder::from(message).required(Required::True).build()),
    ]
}

fn list_filters() -> Vec<Entry> {
    let states = ["NotStarted", "Running", "Succeeded", "Failed", "Canceled"];
    let status = text().enum_values(Some(states));
    let name = text().max_length(Some(MAX_NAME_CHARS));
    let top = plain(Type::Integer).minimum(Some(1)).maximum(Some(200)).default(Some(json!(50)));
    let messages = plain(Type::Integer).minimum(Some(1)).maximum(Some(200)).default(Some(json!(50)));
    vec![
        ("Status", query("status", status, "Only tasks in this state.")),
        ("Name", query("name", name, "Only tasks with exactly this name.")),
        ("CreatedAfter", query("createdAfter", date_time(), "Only tasks accepted after this time.")),
        ("Top", query("top", top, "Maximum number of tasks per page.")),
        ("TopMessages", query("top", messages, "Maximum number of messages.")),
        ("Continuation", query("continuation", text(), "Start of the page; taken from `nextLink`.")),
    ]
}

fn result_redirect() -> Vec<Entry> {
    let schema = plain(Type::Boolean).default(Some(json!(false)));
    let description = "Respond `303` with the address of the result if the task has succeeded.";
    vec![("Redirect", query("redirect", schema, description))]
}

fn submission_headers() -> Vec<Entry> {
    let key = text().max_length(Some(255)).min_length(Some(1)).pattern(Some("^[!-~]+$"));
    let wait = text().examples([json!("wait=2")]);
    vec![
        (
            "IdempotencyKey",
            header(
                "Idempotency-Key",
                key,
                "Identifies the submission if the body has no `TaskId`: the same key of the same caller identifies \
                 the same task.",
            ),
        ),
        (
            "Prefer",
            header(
                "Prefer",
                wait,
                "Long polling. With `wait=N` (RFC 7240) the response is sent when the task has ended, or after N \
                 seconds. N is a whole number, at most 30; other values are ignored.",
            ),
        ),
    ]
}

fn conditional_headers() -> Vec<Entry> {
    vec![
        (
            "IfMatch",
            header(
                "If-Match",
                text(),
                "`ETag`s of the versions that the request applies to (strong comparison), or `*`. For another version \
                 the response is `412` and nothing is changed.",
            ),
        ),
        (
            "IfNoneMatch",
            header(
                "If-None-Match",
                text(),
                "`ETag` of a known version: if it is the current one, the response is `304`.",
            ),
        ),
        (
            "CreateOnly",
            header(
                "If-None-Match",
                text(),
                "`*`: the response is `412` if there is a schedule of this name.",
            ),
        ),
        (
            "IfRange",
            header(
                "If-Range",
                text(),
                "`ETag` of the version that the range belongs to; for another version the response is the complete result.",
            ),
        ),
    ]
}

fn other_headers() -> Vec<Entry> {
    let range = text().examples([json!("bytes=0-1023")]);
    let last_event = "Id of the last received event; the stream continues after it.";
    let trace = "W3C trace context; stored with the task and passed to its handler.";
    vec![
        ("Range", header("Range", range, "A single byte range.")),
        ("LastEventId", header("Last-Event-ID", text(), last_event)),
        ("TraceParent", header("traceparent", text(), trace)),
    ]
}

fn text() -> ObjectBuilder {
    plain(Type::String)
}

fn query(name: &str, schema: ObjectBuilder, description: &str) -> Parameter {
    parameter(name, ParameterIn::Query, schema, description)
}

fn header(name: &str, schema: ObjectBuilder, description: &str) -> Parameter {
    parameter(name, ParameterIn::Header, schema, description)
}

fn parameter(name: &str, place: ParameterIn, schema: ObjectBuilder, description: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}
