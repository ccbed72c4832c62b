//! Health, metrics and the OpenAPI document.

use service::problem::ProblemKind;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::{Route, STORAGE};
use crate::responses::{bare, other, with_headers};
use crate::schemas::plain;

const JSON: &str = "application/json";

fn status() -> ObjectBuilder {
    plain(Type::Object).property("status", plain(Type::String)).required("status")
}

fn readiness() -> ObjectBuilder {
    let handlers = plain(Type::Object).description(Some(
        "The rules of `task_handlers` by pattern. Absent without rules, or with authentication.",
    ));
    status().property("handlers", handlers)
}

pub(super) fn health() -> Route {
    Route::new(HttpMethod::Get, "/healthz", "getHealth", "system", "Check that the process runs")
        .response("200", other("The process runs.", JSON, status()))
}

pub(super) fn ready() -> Route {
    Route::new(HttpMethod::Get, "/readyz", "getReadiness", "system", "Check storage and credentials")
        .describe("The state is cached for a few seconds.")
        .problems(&STORAGE)
        .problems(&[ProblemKind::DocumentUnreadable])
        .response("200", other("Storage and credentials work.", JSON, readiness()))
}

pub(super) fn metrics() -> Route {
    Route::new(
        HttpMethod::Get,
        "/metrics",
        "getMetrics",
        "system",
        "Get queue lengths and the age of the oldest message",
    )
    .describe("Prometheus text format. Values that storage does not return are omitted.")
    .authenticated()
    .response("200", other("The metrics.", "text/plain", plain(Type::String)))
}

pub(super) fn description(path: &'static str, id: &str) -> Route {
    Route::new(HttpMethod::Get, path, id, "system", "Get this document")
        .parameters(&["IfNoneMatch"])
        .response("200", with_headers(other("OpenAPI 3.1.", JSON, plain(Type::Object)), &["ETag"]))
        .response("304", with_headers(bare("The version is the one in `If-None-Match`."), &["ETag"]))
}
