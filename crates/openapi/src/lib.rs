//! Generates the OpenAPI 3.1 document of the HTTP API.
//!
//! Schemas come from `models`, the kinds of problem from `service`. What the types do not contain (paths, parameters,
//! headers, the problems of each route) is written here, one function per route. The document is checked in as
//! `web/pages/openapi.json`, because the API component serves it; a test compares it.

mod parameters;
mod responses;
mod routes;
mod schemas;

use std::path::PathBuf;

use serde_json::Value;
use utoipa::openapi::server::ServerBuilder;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Paths};

const DESCRIPTION: &str = "Asynchronous request-reply: the response to a submitted task is `202 Accepted` with the \
address of its status monitor. A worker runs the task from a queue. Clients follow it by polling, long polling or \
server-sent events.

Every error is a problem document (RFC 9457, `application/problem+json`) whose `type` is stable and whose \
`traceId` is in the log lines. `HEAD` is supported wherever `GET` is; `OPTIONS` lists the methods.";

/// Where the document is checked in.
#[must_use]
pub fn path() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "..", "web", "pages", "openapi.json"].iter().collect()
}

/// The document.
#[must_use]
pub fn document() -> OpenApi {
    let mut paths = Paths::new();
    let mut components = ComponentsBuilder::new();
    let routes = routes::all();
    for (name, response) in responses::shared(routes.iter().map(|route| route.problems.as_slice())) {
        components = components.response(name, response);
    }
    for route in routes {
        let (path, method, operation) = route.into_parts();
        paths.add_path_operation(path, vec![method], operation);
    }
    components = schemas::add(components);
    components = parameters::add(components);
    components = responses::add_headers(components);

    let info = InfoBuilder::new()
        .title("Accepted")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()));
    let tag = |name: &str, text: &str| TagBuilder::new().name(name).description(Some(text)).build();
    OpenApiBuilder::new()
        .info(info)
        // Relative to the document, so that it is correct behind the path prefix of a gateway.
        .servers(Some([ServerBuilder::new().url(".").build()]))
        .paths(paths)
        .components(Some(components.build()))
        .tags(Some([
            tag("tasks", "Submit, follow and manage tasks."),
            tag("poison", "Messages that were given up, for operators."),
            tag("queue", "Lengths of the queues, pause and resume."),
            tag("schedules", "Tasks that are due again and again, for operators."),
            tag("system", "Health, metrics and this document."),
        ]))
        .build()
}

/// Returns the checked-in text: one line per path and component, which is compact and makes changes reviewable.
#[must_use]
pub fn text() -> String {
    // Serialising these types into memory cannot fail.
    let mut document = serde_json::to_value(document()).unwrap_or_default();
    // Sorted, so that the text does not depend on the features of serde_json that other packages enable.
    document.sort_all_objects();
    let mut text = String::new();
    write(&mut text, &document, MULTILINE_LEVELS);
    text.push('\n');
    text
}

/// Nesting levels with one line per member: the document, `paths` and `components`, and the sections of `components`.
const MULTILINE_LEVELS: usize = 3;

fn write(text: &mut String, value: &Value, levels: usize) {
    let Some(members) = value.as_object().filter(|_| levels > 0) else {
        text.push_str(&value.to_string());
        return;
    };
    text.push('{');
    for (index, (name, value)) in members.iter().enumerate() {
        text.push_str(if index == 0 { "\n" } else { ",\n" });
        text.push_str(&Value::from(name.as_str()).to_string());
        text.push(':');
        // The members of a path or a component share its line.
        let is_entry = name.starts_with('/') || levels == 1;
        write(text, value, if is_entry { 0 } else { levels - 1 });
    }
    text.push_str("\n}");
}
