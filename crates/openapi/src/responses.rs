//! Responses that routes share, described once and referenced.

use std::collections::BTreeMap;

use serde_json::json;
use service::problem::ProblemKind;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{ComponentsBuilder, ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use crate::schemas::plain;

const PROBLEM: &str = "application/problem+json";

/// The responses with a problem document, by their names. `problems` are those of each route.
pub(crate) fn shared<'a>(problems: impl Iterator<Item = &'a [ProblemKind]>) -> BTreeMap<String, Response> {
    let sets = problems.flat_map(|kinds| by_status(kinds).into_values());
    sets.map(|kinds| (name(&kinds), problem(&kinds))).collect()
}

/// Status codes and responses of these kinds of problem.
pub(crate) fn problems(kinds: &[ProblemKind]) -> impl Iterator<Item = (String, RefOr<Response>)> {
    by_status(kinds)
        .into_iter()
        .map(|(status, kinds)| (status.to_string(), Ref::from_response_name(name(&kinds)).into()))
}

/// The kinds of each status, in the order of [`ProblemKind::ALL`], so that equal sets have one name.
fn by_status(kinds: &[ProblemKind]) -> BTreeMap<u16, Vec<ProblemKind>> {
    let mut sets: BTreeMap<u16, Vec<ProblemKind>> = BTreeMap::new();
    for kind in ProblemKind::ALL.iter().filter(|kind| kinds.contains(kind)) {
        sets.entry(kind.status()).or_default().push(*kind);
    }
    sets
}

fn name(kinds: &[ProblemKind]) -> String {
    kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join("_or_")
}

fn problem(kinds: &[ProblemKind]) -> Response {
    let lines: Vec<_> =
        kinds.iter().map(|kind| format!("`/problems/{}`: {}.", kind.name(), kind.title())).collect();
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
    let example = kinds.first().map(|kind| {
        json!({
            "type": format!("/problems/{}", kind.name()),
            "title": kind.title(),
            "status": kind.status(),
            "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
        })
    });
    let response = ResponseBuilder::new()
        .description(lines.join("\n\n"))
        .content(PROBLEM, content.example(example).build());
    let header = match kinds.first().map(|kind| kind.status()) {
        Some(401) => Some("WWW-Authenticate"),
        Some(409) if kinds.contains(&ProblemKind::ResultNotReady) => Some("Retry-After"),
        Some(412) => Some("ETag"),
        Some(416) => Some("Content-Range"),
        Some(429 | 503) => Some("Retry-After"),
        _ => None,
    };
    match header {
        Some(header) => with_headers(response, &[header]).build(),
        None => response.build(),
    }
}

/// Adds headers, by their names in [`headers`].
pub(crate) fn with_headers(response: ResponseBuilder, names: &[&str]) -> ResponseBuilder {
    names.iter().fold(response, |response, name| {
        response.header_ref(*name, Ref::new(format!("#/components/headers/{name}")))
    })
}

/// A response with a body of a schema in this document.
pub(crate) fn json(text: &str, schema: &str) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build();
    ResponseBuilder::new().description(text).content("application/json", content)
}

/// A stream of server-sent events.
pub(crate) fn event_stream(response: ResponseBuilder) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("TaskEvent"))).build();
    response.content("text/event-stream", content)
}

/// A response of another media type.
pub(crate) fn other(text: &str, media_type: &str, schema: ObjectBuilder) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(text).content(media_type, content)
}

/// A response without a body.
pub(crate) fn bare(text: &str) -> ResponseBuilder {
    ResponseBuilder::new().description(text)
}

/// Adds the headers that responses reference.
pub(crate) fn add_headers(components: ComponentsBuilder) -> ComponentsBuilder {
    headers().into_iter().fold(components, |components, (name, kind, text)| {
        let schema = plain(kind);
        components.header(name, HeaderBuilder::new().schema(Some(schema)).description(Some(text)).build())
    })
}

fn headers() -> [(&'static str, Type, &'static str); 9] {
    [
        ("Accept-Ranges", Type::String, "`bytes`: range requests are supported."),
        ("Content-Range", Type::String, "Range of the bytes and size of the result."),
        ("ETag", Type::String, "Version of the task or schedule, for `If-Match` and `If-None-Match`."),
        ("Location", Type::String, "Address of the stored document, or of the result."),
        ("Operation-Location", Type::String, "Absolute address of the status monitor."),
        ("Preference-Applied", Type::String, "`wait=N` if the request was held."),
        ("Retry-After", Type::Integer, "Seconds to wait before the next request."),
        ("Vary", Type::String, "`Accept`: the response is JSON or a stream."),
        ("WWW-Authenticate", Type::String, "Authentication scheme."),
    ]
}
